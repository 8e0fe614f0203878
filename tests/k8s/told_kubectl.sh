#!/bin/bash
# A kubectl (and an `aws`) for the tests of cluster.sh: says what a cluster would in which everything is as the story wants it.
# STATE is a folder that keeps the calls and the weights, KUSTOMIZE the real kubectl, FAULTS names what goes wrong:
#   lost     three requests, when the control plane's leader is killed
#   split    product 2.0 gets 30 % when it is to get 50 %
#   stuck    product-v2 never gets ready
#   old      the cluster is of Kubernetes 1.29
#   explicit its workloads have sidecars that nothing is redirected into
#   linger   a pod is still terminating the first time that somebody looks
[ "$1" = --request-timeout=30s ] && shift
said="$*" last=${!#}
printf '%s\n' "${said//$'\n'/ }" >>"$STATE/calls"
[[ $said != *'-f -' ]] || cat >/dev/null

product=0 customer=0
[ ! -e "$STATE/weights" ] || . "$STATE/weights"
keep() { printf 'product=%s customer=%s\n' "$product" "$customer" >"$STATE/weights"; }
image=shopmesh/control-plane:0.1.0

report() {
  local failed=0 seen=$product
  [[ $FAULTS != *split* || $product != 50 ]] || seen=30
  if [[ $FAULTS == *lost* && -e $STATE/killed && ! -e $STATE/lost ]]; then failed=3; : >"$STATE/lost"; fi
  printf '{"figures": {"requests": 1500, "failed": %s, "failures": {"answered 503 (UH)": %s}, "versions": [' $failed $failed
  printf '{"version": "product/1.0", "requests": %s}, {"version": "product/2.0", "requests": %s}, ' $((1500 - 15 * seen)) $((15 * seen))
  printf '{"version": "customer/1.0", "requests": %s}, ' $((1500 - 15 * customer))
  printf '{"version": "customer/1.5", "requests": %s}]}}\n' $((15 * customer))
}

case $said in
  *'label pod '*'=order-vn'* | *'annotate pod '*) echo 'pods "product-1" is forbidden: create the pod anew' >&2; exit 1 ;;
  *'"value": 1000'*) echo 'The VirtualRouter is invalid: spec: should be less than or equal to 100' >&2; exit 1 ;;
  *'patch virtualrouter '*)
    read -r router _ <<<"${said#*patch virtualrouter }"
    declare "$router=$(grep -o '"value": [0-9]*' <<<"$said" | tail -n 1 | tr -dc 0-9)"
    keep ;;
  *'shopmesh route '*)
    read -r router _ <<<"${said#*shopmesh route }"
    declare "$router=${last#*=}"
    keep ;;
  *'appmesh describe-route'*)
    echo '{"httpRoute": {"action": {"weightedTargets": [{"virtualNode": "product-vn"}, {"virtualNode": "product-v2-vn"}]}}}' ;;
  *'appmesh update-route'*)
    product=$(grep -o '"weight": [0-9]*' "${last#file://}" | tail -n 1 | tr -dc 0-9)
    keep ;;
  *'rollout status'*product-v2*) [[ $FAULTS != *stuck* ]] || { echo 'error: timed out waiting for the condition' >&2; exit 1; } ;;
  *--grace-period=0*) : >"$STATE/killed" ;;
  kustomize*) exec "$KUSTOMIZE" "$@" ;;
  *port-forward*) echo 'Forwarding from 127.0.0.1:1 -> 9080' ;;
  'version -o json')
    [[ $FAULTS == *old* ]] && minor=29 || minor=36+
    printf '{"serverVersion": {"major": "1", "minor": "%s", "gitVersion": "v1.%s"}}\n' "$minor" "$minor" ;;
  'get nodes --no-headers') echo 'node   Ready' ;;
  *'status -o json') printf '{"proxies": [%s{"inStep": true}]}\n' "$(printf '{"inStep": true}, %.0s' {1..9})" ;;
  *'logs load-'*) report ;;
  *'logs job/story'*) echo product/1.0 ;;
  *'get virtualrouter product '*) echo "$product" ;;
  *'get virtualrouter customer '*) echo "$customer" ;;
  *'get lease '*) [ -e "$STATE/killed" ] && echo cp-2 || echo cp-1 ;;
  *'get pods -o jsonpath='*deletionTimestamp*)
    if [[ $FAULTS == *linger* && ! -e $STATE/lingered ]]; then printf 'product-0 '; : >"$STATE/lingered"; fi ;;
  *'get deployment product '*) [[ $FAULTS == *explicit* ]] && echo explicit || echo intercepted ;;
  *'get pods -l '*control-plane*) printf 'cp-1\ncp-2\n' ;;
  *'get pods -l '*) printf 'order-1\nproduct-1\n' ;;
  *initContainers*) echo 'proxy-init envoy' ;;
  *'containers[0].image'*) echo $image ;;
esac
exit 0
