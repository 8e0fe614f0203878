"""Starting and stopping one workload while the mesh runs: what `kubectl apply` of a new version is in the tutorial.

start:  application ready ─► Envoy ─► configured and declared ─► every caller knows
stop:   withdrawn ─► no caller sends any more ─► requests under way end ─► Envoy ─► application
"""

from __future__ import annotations

import asyncio
import time

from shopmesh.client import Client, ClientError, Proxy, ResponseError
from shopmesh.local.control import Reply
from shopmesh.local.errors import ControlError
from shopmesh.local.mesh.from_manifests import Gateway, Workload
from shopmesh.local.mesh.local_mesh import Machine
from shopmesh.local.mesh.resources import weighted
from shopmesh.local.mesh.sidecar import Pair

_POLL_SECONDS = 0.02
_CONFIGURED_SECONDS = 15.0
_CONVERGED_SECONDS = 10.0
# Longer than the 15 s after which Envoy itself gives up a request.
_DRAIN_SECONDS = 20.0
_NEWEST = 1 << 52


async def start(machine: Machine, workload: Workload) -> Reply:
    """Starts an instance and waits until its callers know it, if its virtual node is in the mesh.

    Raises ControlError when it runs already, StartError when it does not come up; nothing of it is left then.
    """
    if workload.name in machine.pairs:
        raise ControlError(
            f"{workload.name} runs already; `shopmesh start {workload.node} --instance {workload.instance + 1}` "
            "starts another beside it"
        )
    pair = machine.add(workload)
    try:
        await pair.start(machine.prepared)
        known = await _configured(machine, pair)
    except BaseException:
        await machine.remove(workload.name)
        raise
    if not known:
        return Reply(
            (f"{workload.name} runs ({workload.promise})",),
            (
                f"the mesh {workload.mesh} has no virtual node {workload.node} yet: "
                "its sidecar waits, and serves the moment it is created",
            ),
        )
    await joined(machine.client, workload)
    return Reply((f"{workload.name} runs ({workload.promise}) and is known to its callers",))


async def joined(client: Client, workload: Workload | Gateway) -> None:
    """Waits until the instance has declared itself and every proxy has heard of it.

    One whose virtual node is not in the mesh is not waited for. Raises ControlError when it does not happen in time.
    """
    deadline = time.monotonic() + _CONVERGED_SECONDS
    while not ((proxy := await _proxy(client, workload)) and proxy["inStep"] and proxy["declared"]):
        if proxy and not _is_known(proxy):
            return
        if time.monotonic() > deadline:
            refused = proxy and proxy["refused"]
            raise ControlError(
                f"{workload.name} runs, but its Envoy is not in step with the control plane after "
                f"{_CONVERGED_SECONDS:g} s: {refused['message'] if refused else 'see `shopmesh status`'}"
            )
        await asyncio.sleep(_POLL_SECONDS)
    newest = (await asyncio.to_thread(client.changes, _NEWEST))["revision"]
    await _converged(client, newest)


async def stop(machine: Machine, name: str) -> Reply:
    """Takes an instance out of the mesh without losing a request, then ends it.

    Raises ControlError when it does not run.
    """
    pair = machine.pairs.get(name)
    if pair is None:
        raise ControlError(f"{name} does not run here; these do: {', '.join(sorted(machine.pairs)) or 'none'}")
    workload = pair.workload
    warnings = []
    shares = await asyncio.to_thread(weighted, machine.client, workload.mesh, workload.node)
    others = any(other.workload.node == workload.node for other in machine.pairs.values() if other is not pair)
    if shares and not others:
        warnings.append(
            f"{workload.node} still gets {' and '.join(shares)}, and nothing of it runs any more: those requests fail. "
            f"Send them elsewhere with `shopmesh route`, or `shopmesh start {workload.node}` again"
        )
    if not await _withdrawn(machine.client, workload):
        warnings.append(f"not every proxy has confirmed that {name} is gone after {_CONVERGED_SECONDS:g} s")
    await pair.sidecar.drain(_DRAIN_SECONDS)
    await machine.remove(name)
    return Reply((f"{name} has stopped",), tuple(warnings))


async def _withdrawn(client: Client, workload: Workload) -> bool:
    """Withdraws the instance; whether every proxy that it concerns has confirmed that."""
    try:
        revision = await asyncio.to_thread(client.withdraw, workload.mesh, "virtualNode", workload.node, workload.name)
    except ResponseError as refusal:
        if refusal.status == 404:
            # It never declared itself: its virtual node is not in the mesh.
            return True
        raise ControlError(f"{workload.name} cannot be withdrawn: {refusal}") from refusal
    return await _converged(client, revision)


async def _converged(client: Client, revision: int) -> bool:
    try:
        change = await asyncio.to_thread(client.wait_converged, revision, _CONVERGED_SECONDS)
    except ResponseError:
        # A revision that is not remembered any more concerned nobody.
        return True
    except ClientError as error:
        raise ControlError(str(error)) from error
    return change["converged"]


async def _configured(machine: Machine, pair: Pair) -> bool:
    """Waits for the sidecar's configuration; False as soon as the control plane says that it knows no such node."""
    waiting = asyncio.create_task(pair.sidecar.configured(_CONFIGURED_SECONDS))
    try:
        while not waiting.done():
            proxy = await _proxy(machine.client, pair.workload)
            if proxy and not _is_known(proxy):
                return False
            await asyncio.wait({waiting}, timeout=_POLL_SECONDS)
        if not waiting.result():
            raise ControlError(
                f"the Envoy of {pair.workload.name} has no configuration after {_CONFIGURED_SECONDS:g} s: "
                "see `shopmesh status`"
            )
        return True
    finally:
        waiting.cancel()


def _is_known(proxy: Proxy) -> bool:
    """Whether the mesh has its virtual node; what is only declared counts until it has connected."""
    return proxy["known"] or not proxy["connected"]


async def _proxy(client: Client, workload: Workload | Gateway) -> Proxy | None:
    for proxy in await asyncio.to_thread(client.proxies):
        if (proxy["mesh"], proxy["name"], proxy["instance"]) == (workload.mesh, workload.node, workload.name):
            return proxy
    return None
