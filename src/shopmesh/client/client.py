"""The client of a control plane: App Mesh's API by boto3, shopmesh's own API by HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.credentials import Credentials

from shopmesh import defaults
from shopmesh.canary.canary_state import current_phase
from shopmesh.client.credentials import default_credentials
from shopmesh.client.errors import ClientError
from shopmesh.client.session import SignedSession
from shopmesh.client.types import (
    CanaryStatus,
    ChangeDocument,
    ChangesDocument,
    ClusterCounts,
    FindingDocument,
    Health,
    ProxyConfig,
    ProxyDocument,
    RouteSplits,
    TransactionResult,
)

if TYPE_CHECKING:
    from types_boto3_appmesh import AppMeshClient


class Client:
    """One control plane. Every method raises `UnreachableError` or `ResponseError`, both `ClientError`.

    `timeout` is in seconds, for each response. Without `credentials` AWS's default chain is used.
    """

    def __init__(
        self,
        endpoint_url: str = defaults.ENDPOINT_URL,
        region: str = defaults.REGION,
        credentials: Credentials | None = None,
        timeout: float = defaults.CLIENT_SECONDS,
    ) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self._credentials = credentials or default_credentials()
        self._timeout = timeout
        self._session = SignedSession(endpoint_url, region, self._credentials, timeout)

    @cached_property
    def appmesh(self) -> AppMeshClient:
        """boto3's client for the same control plane; raises botocore's exceptions."""
        # Imported here: it takes a quarter of a second, and most commands do not need it.
        import boto3  # type: ignore[import-untyped]  # the client's own types are those of types-boto3-appmesh
        from botocore.config import Config
        from botocore.session import Session as CoreSession

        # The user's profile and configuration are meant for AWS: a missing profile, or one with FIPS endpoints, would
        # be an error here. All settings are passed explicitly.
        session = CoreSession({"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)})
        keys = self._credentials.get_frozen_credentials()
        client: AppMeshClient = boto3.Session(botocore_session=session).client(
            "appmesh",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            api_version="2019-01-25",
            config=Config(proxies={}, read_timeout=self._timeout, retries={"total_max_attempts": 2}),
        )
        return client

    def healthy(self) -> bool:
        """Whether a control plane answers and is healthy."""
        try:
            self._session.request("GET", "/healthz", timeout=2.0)
        except ClientError:
            return False
        return True

    def health(self) -> Health:
        """The control plane's answer at /healthz, which needs no signature."""
        answer: Any = self._session.request("GET", "/healthz")
        found: Health = answer
        return found

    def requests(self, requests: Sequence[Mapping[str, Any]], dry_run: bool = False) -> TransactionResult:
        """Sends several App Mesh operations in one transaction: `{"operation": "CreateMesh", "parameters": {…}}` each.

        A dry run changes nothing and answers as if it had. `ResponseError.index` is that of the request that failed.
        """
        body = {"requests": list(requests), "dryRun": dry_run}
        answer = self._session.request("POST", "/shopmesh/v1/requests", body=body, timeout=max(self._timeout, 60.0))
        return TransactionResult(answer["revision"], answer["answers"])

    def console_link(self, seconds: float = 60.0, url: str | None = None) -> str:
        """A link that signs a browser in to the console once, within so many seconds.

        `url` is where the browser reaches the control plane; without it, where this client does.
        """
        code = self._session.request("POST", "/shopmesh/v1/console/codes", body={"seconds": seconds})["code"]
        page = f"{(url or self.endpoint_url).rstrip('/')}/console/"
        return page if code is None else f"{page}#code={quote(code, safe='')}"

    def proxies(self) -> list[ProxyDocument]:
        """Lists all Envoys, connected or only declared."""
        found: list[ProxyDocument] = self._session.request("GET", "/shopmesh/v1/proxies")["proxies"]
        return found

    def proxy_config(self, proxy: ProxyDocument, types: Sequence[str] = (), snapshot: str = "current") -> ProxyConfig:
        """The configuration of a connected Envoy, of all types or of these, in their order; `snapshot` or `former`."""
        path = "/".join(quote(proxy[part], safe="") for part in ("mesh", "kind", "name", "instance"))
        query = {"type": list(types), "snapshot": snapshot}
        answer: Any = self._session.request(
            "GET", f"/shopmesh/v1/proxies/{path}/config", query, timeout=max(self._timeout, 30.0)
        )
        answer["types"] = {kind: answer["types"][kind] for kind in types or answer["types"]}
        found: ProxyConfig = answer
        return found

    def withdraw(self, mesh: str, kind: str, name: str, instance: str) -> int:
        """Removes a declared Envoy from the mesh; returns the new revision."""
        path = "/".join(quote(part, safe="") for part in (mesh, kind, name, instance))
        return int(self._session.request("DELETE", f"/shopmesh/v1/proxies/{path}")["revision"])

    def splits(self, mesh: str | None = None, window: float = 10.0, since: float | None = None) -> RouteSplits:
        """Requests of each version in the last `window` seconds, or since a time in seconds since 1970."""
        answer: Any = self._session.request("GET", "/shopmesh/v1/splits", _span(mesh, window, since))
        found: RouteSplits = answer
        return found

    def figures(self, mesh: str | None = None, window: float = 10.0, since: float | None = None) -> list[ClusterCounts]:
        """Counts of every Envoy for every cluster, its ingress included; the time as for `splits`."""
        found: list[ClusterCounts] = self._session.request("GET", "/shopmesh/v1/figures", _span(mesh, window, since))[
            "figures"
        ]
        return found

    def findings(self, mesh: str | None = None) -> list[FindingDocument]:
        """Findings in all meshes, or in one, errors first."""
        query = {} if mesh is None else {"mesh": mesh}
        found: list[FindingDocument] = self._session.request("GET", "/shopmesh/v1/findings", query)["findings"]
        return found

    def changes(self, after: int = 0) -> ChangesDocument:
        """The changes after a revision that the control plane still remembers."""
        answer: Any = self._session.request("GET", "/shopmesh/v1/changes", {"after": after})
        found: ChangesDocument = answer
        return found

    def wait_converged(self, revision: int, timeout: float = 10.0) -> ChangeDocument:
        """Waits until every Envoy concerned has that revision, at most `timeout` seconds; returns its change."""
        path = f"/shopmesh/v1/changes/{revision}"
        answer: Any = self._session.request("GET", path, {"wait": timeout}, timeout=timeout + self._timeout)
        found: ChangeDocument = answer
        return found

    def canaries(self, mesh: str | None = None) -> list[CanaryStatus]:
        """The canary of every route that has or had one."""
        query = {} if mesh is None else {"mesh": mesh}
        answer: Any = self._session.request("GET", "/shopmesh/v1/canaries", query)["canaries"]
        return [_canary_status(one) for one in answer]

    def canary(self, route: Sequence[str], action: str | None = None, **more: Any) -> CanaryStatus:
        """The canary of a route (mesh, router, name), after an action: renew, advance, roll back, pause, resume."""
        path = "/shopmesh/v1/canaries/" + "/".join(quote(part, safe="") for part in route)
        answer: Any = (
            self._session.request("GET", path)
            if action is None
            else self._session.request("POST", path, body={"action": action, **more})
        )
        return _canary_status(answer)

    def start_canary(
        self, route: Sequence[str], service: str, plan: Mapping[str, Any], owner: str, lease: float
    ) -> CanaryStatus:
        """Begins a canary on a route, which rolls back unless `owner` renews it every `lease` seconds."""
        mesh, router, name = route
        where = {"mesh": mesh, "virtualRouter": router, "route": name, "service": service}
        body = {**where, "plan": plan, "owner": owner, "lease": lease}
        return _canary_status(self._session.request("POST", "/shopmesh/v1/canaries", body=body))

    def close(self) -> None:
        """Closes the pooled connections."""
        self._session.close()
        if "appmesh" in self.__dict__:
            self.appmesh.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _canary_status(answer: Any) -> CanaryStatus:
    """With today's word for its phase: a control plane of an earlier version answers with its own."""
    answer["phase"] = current_phase(answer["phase"])
    found: CanaryStatus = answer
    return found


def _span(mesh: str | None, window: float, since: float | None) -> dict[str, str | float]:
    query: dict[str, str | float] = {"window": window} if since is None else {"since": since}
    if mesh is not None:
        query["mesh"] = mesh
    return query
