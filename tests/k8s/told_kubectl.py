"""A kubectl (and an `aws`) for `cluster.sh`: says what a cluster would in which everything is as the story wants it.

Run as a program, with the name that it was called by before its arguments. STATE is a folder that it keeps its calls
and the weights in; FAULTS names what goes wrong.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

ANSWERS = 1500


def report(product: int, customer: int, faults: str, lost: bool) -> str:
    """What `shopmesh load` would have written."""
    if "split" in faults and product == 50:
        product = 30
    shares = {"product/1.0": 100 - product, "product/2.0": product}
    shares |= {"customer/1.0": 100 - customer, "customer/1.5": customer}
    versions = [{"version": name, "requests": ANSWERS * share // 100} for name, share in shares.items()]
    failed = 3 if lost else 0
    failures = {"answered 503 (UH)": failed}
    figures = {"requests": ANSWERS, "failed": failed, "failures": failures, "versions": versions}
    return json.dumps({"figures": figures})


def answer(words: list[str], state: Path, faults: str) -> str:
    said = " ".join(words)
    kept, killed = state / "weights.json", state / "killed"
    weights = json.loads(kept.read_text()) if kept.exists() else {"product": 0, "customer": 0}
    match said:
        case _ if "patch virtualrouter" in said:
            values = [int(value) for value in re.findall(r'"value": (\d+)', said)]
            if values == [1000]:
                sys.exit("The VirtualRouter is invalid: spec...weight: should be less than or equal to 100")
            weights[words[words.index("virtualrouter") + 1]] = values[1]
        case _ if "shopmesh route" in said:
            weights[words[words.index("route") + 1]] = int(words[-1].split("=")[1])
        case _ if "rollout status" in said and "product-v2" in said and "stuck" in faults:
            sys.exit("error: timed out waiting for the condition")
        case _ if "--grace-period=0" in said:
            killed.touch()
        case _ if "kustomize" in said:
            os.execv(os.environ["KUSTOMIZE"], ["kubectl", *words])  # noqa: S606  # the real one, which needs no cluster
        case _ if "port-forward" in said:
            return "Forwarding from 127.0.0.1:1 -> 9080"
        case _ if "appmesh describe-route" in said:
            names = ("product-vn", "product-v2-vn")
            return json.dumps({"httpRoute": {"action": {"weightedTargets": [{"virtualNode": name} for name in names]}}})
        case _ if "appmesh update-route" in said:
            spec = json.loads(Path(words[-1].removeprefix("file://")).read_text())
            weights["product"] = spec["httpRoute"]["action"]["weightedTargets"][1]["weight"]
        case "version -o json":
            minor = "29" if "old" in faults else "36+"
            return json.dumps({"serverVersion": {"major": "1", "minor": minor, "gitVersion": f"v1.{minor}"}})
        case "get nodes --no-headers":
            return "node   Ready"
        case _ if "status -o json" in said:
            return json.dumps({"proxies": [{"inStep": True}] * 10})
        case _ if "logs load-" in said:
            lost = "lost" in faults and killed.exists() and not (state / "lost").exists()
            if lost:
                (state / "lost").touch()
            return report(weights["product"], weights["customer"], faults, lost)
        case _ if "logs job/story" in said:
            return "product/1.0"
        case _ if "get virtualrouter" in said and "jsonpath" in said:
            return str(weights[words[words.index("virtualrouter") + 1]])
        case _ if "get lease" in said:
            return "cp-2" if killed.exists() else "cp-1"
        case _ if "get pods -l" in said:
            return "cp-1\ncp-2" if "control-plane" in said else "order-1\nproduct-1"
        case _ if "initContainers" in said:
            return "proxy-init envoy"
        case _ if "containers[0].image" in said:
            return "shopmesh/control-plane:0.1.0"
    kept.write_text(json.dumps(weights))
    return ""


def main() -> None:
    words = [word for word in sys.argv[2:] if not word.startswith("--request-timeout")]
    state = Path(os.environ["STATE"])
    if " ".join(words).endswith("-f -"):
        sys.stdin.read()
    with (state / "calls").open("a") as calls:
        print(" ".join(words).replace("\n", " "), file=calls)
    if said := answer(words, state, os.environ.get("FAULTS", "")):
        print(said)


if __name__ == "__main__":
    main()
