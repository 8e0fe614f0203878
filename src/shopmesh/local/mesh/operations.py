"""Starts and stops one workload while the mesh runs, as `kubectl apply` of a new version does in the tutorial.

start:  application ready ─► Envoy ─► configured and declared ─► every caller knows
stop:   withdrawn ─► no caller sends any more ─► requests under way end ─► Envoy ─► application
"""

from __future__ import annotations

import asyncio
import time

from shopmesh.client import Client, ClientError, ProxyDocument, ResponseError
from shopmesh.local.control import ControlReply
from shopmesh.local.errors import ControlError
from shopmesh.local.mesh.from_manifests import Gateway, Workload
from shopmesh.local.mesh.local_mesh import LocalMesh
from shopmesh.local.mesh.resources import traffic_shares
from shopmesh.local.mesh.sidecar import WorkloadProcesses

_POLL_SECONDS = 0.02
_CONFIGURED_SECONDS = 15.0
_CONVERGED_SECONDS = 10.0
# Longer than the 15 s after which Envoy itself gives up a request.
_DRAIN_SECONDS = 20.0
_NEWEST = 1 << 52


async def start_workload(mesh: LocalMesh, workload: Workload) -> ControlReply:
    """Starts an instance and waits until its callers know it, if its virtual node is in the mesh.

    Raises ControlError when it runs already, StartError when it does not start; then nothing of it is left.
    """
    if workload.name in mesh.workloads:
        raise ControlError(
            f"{workload.name} runs already; `shopmesh start {workload.node} --instance {workload.instance + 1}` "
            "starts another beside it"
        )
    processes = mesh.add_workload(workload)
    try:
        await processes.start(mesh.control_plane_ready)
        known = await _wait_until_configured(mesh, processes)
    except BaseException:
        await mesh.remove_workload(workload.name)
        raise
    if not known:
        return ControlReply(
            (f"{workload.name} runs ({workload.service_version})",),
            (
                f"the mesh {workload.mesh} has no virtual node {workload.node} yet: "
                "its sidecar waits until the virtual node is created",
            ),
        )
    await wait_until_joined(mesh.client, workload)
    return ControlReply((f"{workload.name} runs ({workload.service_version}) and is known to its callers",))


async def wait_until_joined(client: Client, workload: Workload | Gateway) -> None:
    """Waits until the instance is an endpoint and every proxy knows it.

    Returns at once if its virtual node is not in the mesh. Raises ControlError when the time is over.
    """
    deadline = time.monotonic() + _CONVERGED_SECONDS
    while not ((proxy := await _find_proxy(client, workload)) and proxy["inStep"] and proxy["declared"]):
        if proxy and not _is_known(proxy):
            return
        if time.monotonic() > deadline:
            refused = proxy and proxy["refused"]
            raise ControlError(
                f"{workload.name} runs, but its Envoy is not in sync with the control plane after "
                f"{_CONVERGED_SECONDS:g} s: {refused['message'] if refused else 'see `shopmesh status`'}"
            )
        await asyncio.sleep(_POLL_SECONDS)
    newest = (await asyncio.to_thread(client.changes, _NEWEST))["revision"]
    await _wait_converged(client, newest)


async def stop_workload(mesh: LocalMesh, name: str) -> ControlReply:
    """Takes an instance out of the mesh without losing a request, then ends it.

    Raises ControlError when it does not run.
    """
    processes = mesh.workloads.get(name)
    if processes is None:
        raise ControlError(f"{name} does not run here; these do: {', '.join(sorted(mesh.workloads)) or 'none'}")
    workload = processes.workload
    warnings = []
    shares = await asyncio.to_thread(traffic_shares, mesh.client, workload.mesh, workload.node)
    others = any(other.workload.node == workload.node for other in mesh.workloads.values() if other is not processes)
    if shares and not others:
        warnings.append(
            f"{workload.node} still gets {' and '.join(shares)}, but none of its instances runs: those requests fail. "
            f"Send them elsewhere with `shopmesh route`, or `shopmesh start {workload.node}` again"
        )
    if not await _withdraw(mesh.client, workload):
        warnings.append(f"not every proxy confirmed within {_CONVERGED_SECONDS:g} s that {name} is gone")
    await processes.sidecar.drain(_DRAIN_SECONDS)
    await mesh.remove_workload(name)
    return ControlReply((f"{name} has stopped",), tuple(warnings))


async def _withdraw(client: Client, workload: Workload) -> bool:
    """Withdraws the instance; returns whether every proxy concerned has confirmed it."""
    try:
        revision = await asyncio.to_thread(client.withdraw, workload.mesh, "virtualNode", workload.node, workload.name)
    except ResponseError as refusal:
        if refusal.status == 404:
            # It never declared itself: its virtual node is not in the mesh.
            return True
        raise ControlError(f"{workload.name} cannot be withdrawn: {refusal}") from refusal
    return await _wait_converged(client, revision)


async def _wait_converged(client: Client, revision: int) -> bool:
    try:
        change = await asyncio.to_thread(client.wait_converged, revision, _CONVERGED_SECONDS)
    except ResponseError:
        # A revision that is not remembered any more concerned nobody.
        return True
    except ClientError as error:
        raise ControlError(str(error)) from error
    return change["converged"]


async def _wait_until_configured(mesh: LocalMesh, processes: WorkloadProcesses) -> bool:
    """Waits for the sidecar's configuration; False as soon as the control plane says that it knows no such node."""
    waiting = asyncio.create_task(processes.sidecar.wait_until_configured(_CONFIGURED_SECONDS))
    try:
        while not waiting.done():
            proxy = await _find_proxy(mesh.client, processes.workload)
            if proxy and not _is_known(proxy):
                return False
            await asyncio.wait({waiting}, timeout=_POLL_SECONDS)
        if not waiting.result():
            raise ControlError(
                f"the Envoy of {processes.workload.name} has no configuration after {_CONFIGURED_SECONDS:g} s: "
                "see `shopmesh status`"
            )
        return True
    finally:
        waiting.cancel()


def _is_known(proxy: ProxyDocument) -> bool:
    """Whether the mesh has its virtual node; what is only declared counts until it has connected."""
    return proxy["known"] or not proxy["connected"]


async def _find_proxy(client: Client, workload: Workload | Gateway) -> ProxyDocument | None:
    for proxy in await asyncio.to_thread(client.proxies):
        if (proxy["mesh"], proxy["name"], proxy["instance"]) == (workload.mesh, workload.node, workload.name):
            return proxy
    return None
