#!/usr/bin/env bash
# Takes an overlay away again, and with the definitions every mesh of the cluster: k8s/down.sh [k8s/overlays/local].
# `kubectl delete -k` would also ask to delete the namespace `default`, which no cluster allows, and end with an error.
set -euo pipefail
overlay=${1:-k8s/overlays/local}
kubectl=${KUBECTL:-kubectl}

# pick 0: all objects but the namespace `default`; pick 1: that one. Kustomize separates objects by a line `---`.
pick() {
  awk -v wanted="$1" '
    function put(  it) { it = text ~ /(^|\n)kind: Namespace\n/ && text ~ /\n  name: default\n/
                         if (it == wanted) printf "%s---\n", text; text = "" }
    $0 == "---" { put(); next }
    { text = text $0 "\n" }
    END { put() }'
}

rendered=$($kubectl kustomize "$overlay")
pick 0 <<<"$rendered" | $kubectl delete --ignore-not-found -f -
# The control plane made them, and is gone.
$kubectl delete configmap --all-namespaces --field-selector metadata.name=shopmesh-root --ignore-not-found
$kubectl delete configmap --all-namespaces --field-selector metadata.name=shopmesh-sidecar --ignore-not-found
mapfile -t labels < <(pick 1 <<<"$rendered" | sed -n 's/^    \([^ :]*\): .*/\1-/p')
[ ${#labels[@]} -eq 0 ] || $kubectl label namespace default "${labels[@]}"
