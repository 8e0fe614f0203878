"""Two replicas start in a cluster that has nothing yet, over a stand-in for its API server."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import yaml

from shopmesh.kubernetes.api.resource_types import CONFIG_MAPS, MUTATING_WEBHOOKS, VIRTUAL_SERVICES
from shopmesh.kubernetes.identity.sidecar_config_maps import ROOT
from tests.e2e.kubernetes.running import NAMESPACE, ControlPlane
from tests.k8s.rendering import K8S
from tests.support.kubernetes import cluster
from tests.support.process import eventually


def test_a_first_start_is_quiet() -> None:
    """No warnings while objects come one after the other, and one replica says that it made the mesh.

    The namespace of the demo has no label, and what is written there goes with the control plane.
    """
    with tempfile.TemporaryDirectory() as folder, cluster() as found:
        found.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        (hook,) = yaml.safe_load_all((K8S / "base" / "control-plane" / "webhook.yaml").read_text())
        found.put(hook)
        # Long enough for each replica to see what the other has not done yet.
        found.delay(0.02)
        replicas = [ControlPlane(found, Path(folder), name) for name in ("control-plane-0", "control-plane-1")]
        for one in replicas:
            one.others = tuple(other.api_port for other in replicas)
        starts = [threading.Thread(target=one.start) for one in replicas]
        try:
            for start in starts:
                start.start()
            for start in starts:
                start.join()
            eventually(lambda: len(found.objects(VIRTUAL_SERVICES)) == 3, "the initial mesh")
            eventually(
                lambda: all(
                    one.get("status", {}).get("conditions", [{}])[0].get("status") == "True"
                    for one in found.objects(VIRTUAL_SERVICES)
                ),
                "all services are used",
            )
            eventually(
                lambda: found.get(MUTATING_WEBHOOKS, "shopmesh")["webhooks"][0]["clientConfig"]["caBundle"], "the CA"
            )
            root = eventually(
                lambda: {one["metadata"]["name"]: one for one in found.objects(CONFIG_MAPS)}[ROOT],
                "the authority for sidecars",
            )
            log = "".join(one.child.output for one in replicas)
        finally:
            for one in replicas:
                one.close()

    assert [NAMESPACE] == [one["name"] for one in root["metadata"]["ownerReferences"]]
    lines = log.splitlines()
    assert [] == [line for line in lines if line.startswith(("WARNING", "ERROR", "CRITICAL"))]
    assert 1 == log.count("created the initial mesh")
