"""Running Envoys through which drawn meshes go one after another: what each makes of the step from one to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from shopmesh.appmesh.catalogue import Finding
from shopmesh.appmesh.catalogue.translation import CONFIGURATION_FAILED
from shopmesh.appmesh.store import State
from shopmesh.server.grpc.proxies import ProxyStatus
from tests.e2e.hardening.generated import Drawn, translatable
from tests.e2e.xds.running import Mesh
from tests.support.certificates import Authority
from tests.support.meshes import PORT_NUMBERS
from tests.support.policies import ANYTHING
from tests.support.process import NotReachedError, eventually
from tests.support.states import state_of
from tests.unit.xds import meshes

_LOOKS = 4

MESH, NAME = "shop", "x"
"""What the proxies are started as; the virtual node and the gateway have the same name."""


def passable() -> st.SearchStrategy[Drawn]:
    """Meshes that have the virtual node and the gateway whose proxies run."""
    return translatable(MESH, NAME, NAME)


class Live(NamedTuple):
    """A control plane with three proxies, and certificates that are there for whatever names files."""

    mesh: Mesh
    authority: Authority
    certificate: dict[str, Any]

    def took(self, drawn: Drawn) -> str:
        """Gives them that mesh, and waits until all have taken it; why one would not (empty: all did)."""
        for _, spec in drawn.mesh:
            self._with_files(spec)
        return self.became(state_of(drawn.mesh, lambda key: drawn.tags[key]))

    def became(self, state: State) -> str:
        """The same with documents that nobody has checked."""
        revision = self.mesh.replace(state)
        refused: list[ProxyStatus] = []
        late: list[ProxyStatus] = []
        quiet = 0

        def settled() -> bool:
            nonlocal quiet
            statuses = self.mesh.statuses().values()
            refused[:] = [one for one in statuses if one.refused is not None]
            late[:] = [one for one in statuses if not one.connected or not one.in_sync]
            taken = not late and self.mesh.run(self.mesh.proxies.wait_until_converged(revision, 0))
            # Who has taken a listener asks for its routes and secrets a moment later.
            quiet = quiet + 1 if taken else 0
            return bool(refused) or quiet == _LOOKS

        with contextlib.suppress(NotReachedError):
            eventually(settled, "all proxies have the mesh, or one refuses it", every=0.005)
        failed = [one for one in self._findings() if one.type is CONFIGURATION_FAILED]
        return "\n".join(map(str, [*failed, *(refused or late)]))

    def _findings(self) -> list[Finding]:
        async def read() -> list[Finding]:
            return self.mesh.proxies.findings()

        return self.mesh.run(read())

    def _with_files(self, value: Any) -> None:
        if isinstance(value, dict):
            if "file" in value and "certificateChain" in value["file"]:
                value.update(self.certificate if "privateKey" in value["file"] else self.authority.trust())
            for inner in value.values():
                self._with_files(inner)
        elif isinstance(value, list):
            for inner in value:
                self._with_files(inner)


@contextlib.contextmanager
def live(folder: Path) -> Iterator[Live]:
    """One proxy in each mode for the virtual node, and one for the gateway, whose ports are taken by none else."""
    authority = Authority(folder)
    with Mesh(ANYTHING) as mesh:
        mesh.put(meshes.mesh(), meshes.node(NAME), meshes.gateway(NAME))
        for kind in ("virtualNode", "virtualGateway"):
            mesh.sidecar(NAME, instance=f"{kind}-explicit", kind=kind, ports=PORT_NUMBERS)
        mesh.sidecar(NAME, instance="virtualNode-intercepted", mode="intercepted", address=None)
        yield Live(mesh, authority, authority.issue("product.default").document())
