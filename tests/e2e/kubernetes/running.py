"""A cluster of real parts but for its API server: control planes as processes, pods with their own address and Envoy.

Each pod is an address of 127.0.0.0/8 with the port that it has in Kubernetes; its EndpointSlice tells that it runs.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import boto3  # type: ignore[import-untyped]  # publishes no types
import yaml
from botocore.credentials import Credentials

from shopmesh.client import Client
from shopmesh.kubernetes.api.resource_types import SECRETS
from shopmesh.kubernetes.identity.certificate_authority import SDS, CertificateAuthority
from shopmesh.kubernetes.identity.certificates import CA_NAME, CREDENTIALS_NAME
from shopmesh.server.config import parse_credentials
from shopmesh.xds.bootstrap import bootstrap_document
from shopmesh.xds.node import ProxyNode
from tests.e2e.xds.running import Upstream, envoy_command, get
from tests.support.kubernetes.cluster import Cluster, cluster
from tests.support.kubernetes.workloads import Workload, add_workload, endpoint_slice
from tests.support.process import BIN, Child, free_port, running

MESH = Path(__file__).parents[3] / "mesh"
NAMESPACE = "shopmesh-system"
PORT = 5000
LABEL = "shopmesh.dev/virtual-node"
"""By which the manifests say whose proxy a pod is."""
# Envoys share a port with whoever else binds it: those of another run of the tests must have other addresses.
_NETWORK = f"127.{100 + os.getpid() // 250 % 100}.{1 + os.getpid() % 250}"


class ControlPlane:
    """One replica."""

    def __init__(self, within: Cluster, folder: Path, name: str) -> None:
        self.name = name
        self._kubeconfig = within.kubeconfig(folder)
        self.api_port, self.xds_port, self.webhook_port = free_port(), free_port(), free_port()
        self.others: tuple[int, ...] = ()
        """The ports of all replicas' APIs, where there are several."""
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        """Also again after it was killed, on the same ports."""
        command: list[str | Path] = [
            *(BIN / "shopmesh", "serve", "--kubernetes", "--name", self.name),
            *("--namespace", NAMESPACE, "--api-port", str(self.api_port), "--xds-port", str(self.xds_port)),
            *("--webhook-port", str(self.webhook_port), "--mesh", str(MESH)),
        ]
        if self.others:
            command += ["--replicas", ",".join(f"127.0.0.1:{port}" for port in self.others)]
        environment = {**os.environ, "KUBECONFIG": str(self._kubeconfig)}
        self.child: Child = self._stack.enter_context(running(command, env=environment))
        self.child.wait_for(lambda: get(self.api_port, "/readyz")[0] == 200, f"{self.name} is ready", 30)

    def kill(self) -> None:
        self.child.process.kill()
        self.child.process.wait()

    def close(self) -> None:
        self._stack.close()


class Volume:
    """A projected volume as the kubelet writes it: files are links into `..data`, which is exchanged as a whole.

    https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/volume/util/atomic_writer.go
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0
        self._files: dict[str, str] = {}
        folder.mkdir()

    def __truediv__(self, name: str) -> Path:
        return self._folder / name

    def write(self, files: Mapping[str, str]) -> None:
        """Replaces these; the others stay."""
        self._files |= files
        self._written += 1
        fresh = self._folder / f"..{self._written}"
        fresh.mkdir()
        for name, content in self._files.items():
            (fresh / name).write_text(content)
        link = self._folder / "..data_tmp"
        link.symlink_to(fresh.name)
        link.rename(self._folder / "..data")
        for name in self._files:
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(f"..data/{name}")


class Pod:
    """An application and its Envoy, which proves who it is by the pod's token. `address` is the pod's own."""

    def __init__(
        self,
        story: Story,
        name: str,
        node: str,
        address: str,
        answer: str,
        replica: int = 0,
        namespace: str = "default",
        account: str = "default",
    ) -> None:
        """`replica` is the control plane that its Envoy asks, `account` the service account that it runs as."""
        self.name = name
        self._namespace = namespace
        self._account = account
        self._replica = replica
        self.address = address
        self._stack = contextlib.ExitStack()
        self._story = story
        self._node = node
        self._answer = answer

    def start(self, token: str | None = None, ready: bool = True) -> Self:
        """Begins it with the token of that pod, or with another."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._identity = Volume(folder / "identity")
        self.token_file, self.ca_file = self._identity / "token", self._identity / "ca.json"
        token = token or self._story.cluster.token_of(
            self.name, self._namespace, audience="shopmesh", account=self._account
        )
        self._identity.write({"token": token, "ca.json": self._story.authority.public_bundle()[SDS]})
        self.application = self._stack.enter_context(Upstream(self._answer))
        self.egress, self.admin, self.ready = free_port(), free_port(), free_port()
        node = ProxyNode(
            mesh="shopmesh",
            name=self._node,
            instance=self.name,
            mode="explicit",
            address=self.address,
            ports=((PORT, PORT),),
            application_ports=((PORT, self.application.port),),
            egress_port=self.egress,
        )
        xds = self._story.replicas[self._replica].xds_port
        document = bootstrap_document(
            node,
            "localhost",
            xds,
            self.admin,
            self.ready,
            token_file=str(self.token_file),
            ca_file=str(self.ca_file),
        )
        file = folder / "bootstrap.json"
        file.write_text(json.dumps(document))
        self.child: Child = self._stack.enter_context(running(envoy_command(file)))
        if ready:
            self.child.wait_for(lambda: get(self.ready, "/ready")[0] == 200, f"{self.name} is ready")
        return self

    def write_token(self, token: str) -> None:
        self._identity.write({"token": token})

    def write_ca(self, secret: str) -> None:
        """What ConfigMap `shopmesh-root` has in `ca.json`."""
        self._identity.write({"ca.json": secret})

    def ask(self, url: str) -> tuple[int, str]:
        """As the application would, through its sidecar."""
        return get(self.egress, url, host=url.removeprefix("http://").partition("/")[0])

    def stop(self) -> None:
        self._stack.close()


class Story:
    """The demo's mesh in a cluster."""

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = folder
        self.replicas: list[ControlPlane] = []
        self._addresses = iter(range(1, 250))

    def __enter__(self) -> Self:
        self.cluster = self._stack.enter_context(cluster())
        for namespace, labels in ((NAMESPACE, {}), ("default", {"mesh": "shopmesh"})):
            metadata = {"name": namespace, "labels": labels}
            self.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for file in sorted(MESH.glob("*.yaml")):
            for manifest in yaml.safe_load_all(file.read_text()):
                if str(manifest.get("apiVersion", "")).startswith("appmesh.k8s.aws/"):
                    self.cluster.put(manifest)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def control_plane(self, name: str = "control-plane-0") -> ControlPlane:
        made = ControlPlane(self.cluster, self._folder, name)
        self._stack.callback(made.close)
        self.replicas.append(made)
        made.start()
        return made

    def control_planes(self, *names: str) -> None:
        """Starts several, which know each other."""
        made = [ControlPlane(self.cluster, self._folder, name) for name in names]
        for one in made:
            one.others = tuple(other.api_port for other in made)
            self._stack.callback(one.close)
            self.replicas.append(one)
            one.start()

    @property
    def authority(self) -> CertificateAuthority:
        """That the control plane made."""
        return CertificateAuthority.parse(self._secret(CA_NAME))

    @property
    def keys(self) -> tuple[str, str]:
        """Of the API, which the control plane made."""
        (found,) = parse_credentials(self._secret(CREDENTIALS_NAME)["credentials"].decode(), "the Secret").items()
        return found

    def appmesh(self, replica: int = 0) -> Any:
        """boto3, unmodified, with the keys that the control plane made."""
        key, secret = self.keys
        return boto3.client(
            "appmesh",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{self.replicas[replica].api_port}",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def findings(self, replica: int = 0) -> list[Any]:
        """What doctor says of the running mesh."""
        with self._client(replica) as client:
            return list(client.findings())

    def proxies(self, replica: int = 0) -> list[Any]:
        """All Envoys, as `shopmesh status` shows them."""
        with self._client(replica) as client:
            return list(client.proxies())

    @contextlib.contextmanager
    def _client(self, replica: int) -> Iterator[Client]:
        client = Client(f"http://127.0.0.1:{self.replicas[replica].api_port}", credentials=Credentials(*self.keys))
        with contextlib.closing(client):
            yield client

    def workload(
        self, name: str, node: str, version: str, count: int = 1, service: str | None = None, replica: int = 0
    ) -> list[Pod]:
        """Pods and their Service, with an Envoy in each; they get requests once all are ready, as in Kubernetes."""
        labels = {"app.kubernetes.io/name": (service or name), "app.kubernetes.io/version": version, LABEL: node}
        addresses = [f"{_NETWORK}.{next(self._addresses)}" for _ in range(count)]
        found = add_workload(self.cluster, name, addresses, PORT, labels, ready=False)
        pods = []
        for pod, address in zip(found.pods(), addresses, strict=True):
            made = Pod(self, pod, node, address, f"v{version}", replica)
            self._stack.callback(made.stop)
            pods.append(made.start())
        self.cluster.put(endpoint_slice(found))
        self.workloads = {**getattr(self, "workloads", {}), name: found}
        return pods

    def conditions(self, name: str, conditions: Mapping[str, Mapping[str, bool]]) -> None:
        """What the cluster says of the pods of a workload; of those that are not named, that they are ready."""
        workload: Workload = self.workloads[name]
        self.cluster.put(endpoint_slice(workload, conditions))

    def gone(self, name: str, pod: str) -> None:
        """A pod is not there any more."""
        before: Workload = self.workloads[name]
        manifest = endpoint_slice(before)
        manifest["endpoints"] = [one for one in manifest["endpoints"] if one["targetRef"]["name"] != pod]
        self.cluster.put(manifest)

    def _secret(self, name: str) -> dict[str, bytes]:
        data = self.cluster.get(SECRETS, name, NAMESPACE)["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}


@contextlib.contextmanager
def story() -> Iterator[Story]:
    with tempfile.TemporaryDirectory() as folder, Story(Path(folder)) as told:
        yield told
