#!/usr/bin/env bash
# Plays the whole story on the cluster that KUBECONFIG points at, and counts what is lost:
#
#   tests/k8s/cluster.sh           a line a step; exit status 0 when every step held and no request failed, else 1
#   tests/k8s/cluster.sh --plan    only says what it would do
#   tests/k8s/cluster.sh --keep    leaves everything running at the end
#
#   apply ─► wait ─► canaries (kubectl, shopmesh, aws) ─► restarts, kills, evictions ─► undo ─► clean-up
#
# Requests are sent all the while by `shopmesh load`: on this machine if it is installed and reaches the balancer's address,
# else in a pod of the cluster. Needs bash, kubectl, python3, and on the nodes the images that the overlay names.
#
#   OVERLAY    k8s/overlays/local     what is applied
#   RATE       50                     requests a second
#   WAY_IN     the balancer           http://ADDRESS of the Service `order`
#   LOAD       auto                   machine or pod: where requests are sent from
#   PATIENCE   300                    seconds to wait for anything before it counts as failed
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

OVERLAY=${OVERLAY:-k8s/overlays/local} RATE=${RATE:-50} LOAD=${LOAD:-auto} PATIENCE=${PATIENCE:-300}
SYSTEM=shopmesh-system
WORKLOADS=(order product product-v2 customer customer-v15)
INSIDE=http://order.default.svc.cluster.local
PATH=$PATH:$PWD/.venv/bin

# --- what all steps are made of

work='' failed=0 step='' since=0 loads=0 sender='' forward=''

# No call may hang: what answers at once gets a minute, what waits gets the patience that it is told, and some seconds.
k() { timeout 60 kubectl --request-timeout=30s "$@"; }
waiting() { timeout "$((PATIENCE + 30))" kubectl "$@"; }
control_plane() { k -n "$SYSTEM" exec deployment/control-plane -c control-plane -- shopmesh "$@"; }
say() { printf '%s  %-6s %s\n' "$(date +%H:%M:%S)" "$1" "$2"; }
why() { echo "$*" >>"$work/why"; return 1; }

until_true() {  # until_true WHAT COMMAND…: asks every second, for PATIENCE seconds
  local what=$1 end=$((SECONDS + PATIENCE))
  shift
  until "$@" >"$work/last" 2>&1; do
    ((SECONDS < end)) || { why "not within $PATIENCE s: $what; last: $(tail -n 3 "$work/last" | tr '\n' ' ')"; return 1; }
    sleep 1
  done
}

rolled_out() {  # rolled_out NAMESPACE DEPLOYMENT
  waiting -n "$1" rollout status "deployment/$2" --timeout="${PATIENCE}s" >"$work/last" 2>&1 ||
    why "deployment $2 does not get ready: $(tail -n 2 "$work/last" | tr '\n' ' ')"
}

everything_ready() {
  local workload
  rolled_out "$SYSTEM" control-plane || return
  for workload in "${WORKLOADS[@]}"; do rolled_out default "$workload" || return; done
}

play() {  # play TITLE FUNCTION [ARGUMENT…]: one step, one line
  step=$1 since=$SECONDS
  shift
  : >"$work/why"
  : >"$work/note"
  if "$@"; then
    say ok "$step$(note) ($((SECONDS - since)) s)"
  else
    failed=$((failed + 1))
    say FAILED "$step$(note) ($((SECONDS - since)) s)"
    sed 's/^/                 /' "$work/why"
    diagnose
    return 1
  fi
}

note() { [ ! -s "$work/note" ] || printf ': %s' "$(paste -sd'|' "$work/note" | sed 's/|/; /g; s/ *$//')"; }
skip() { say skip "$1: $2"; }

must() { play "$@" || { say STOP 'nothing of what follows could hold'; exit 1; }; }  # for steps that others stand on

diagnose() {  # what one would ask first, next to what failed
  local at=$work/diagnosis-$((++loads)).txt
  {
    k get pods -A -o wide
    k get virtualnodes,virtualrouters,virtualservices,meshes -A
    k get events -A --sort-by=.lastTimestamp | tail -n 40
    k -n "$SYSTEM" logs deployment/control-plane --all-pods --prefix --tail=60
    k -n default get pods --no-headers | awk '$2 !~ /^([0-9]+)\/\1$/ {split($2, n, "/"); if (n[1] != n[2]) print $1}' |
      while read -r pod; do
        echo "--- $pod"
        k -n default describe pod "$pod" </dev/null
        k -n default logs "$pod" --all-containers --prefix --tail=30 </dev/null
      done
  } >"$at" 2>&1
  echo "                 pods, events and logs at that moment: $at"
  tail -n 15 <(k get pods -A -o wide 2>&1 | grep -E 'NAME|shopmesh|default' || true) | cut -c1-150 | sed 's/^/                 /'
}

# --- requests

choose_way_in() {
  local address='' url
  if [ "$LOAD" != pod ]; then
    for _ in $(seq 30); do
      address=$(k -n default get service order -o 'jsonpath={.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}' 2>/dev/null)
      [ -z "$address" ] || break
      sleep 1
    done
    url=${WAY_IN:-${address:+http://$address}}
    if [ -n "$url" ] && command -v shopmesh >/dev/null && answers "$url"; then
      sender=machine WAY_IN=$url
    elif [ "$LOAD" = machine ]; then
      why "no shopmesh on PATH, or ${url:-the Service order has no balancer, so nothing} does not answer; leave LOAD to auto"
      return 1
    fi
  fi
  [ -n "$sender" ] || sender=pod WAY_IN=$INSIDE
  echo "$WAY_IN, asked from ${sender/machine/this machine}" >>"$work/note"
}

answers() { python3 -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1] + "/", timeout=5)' "$1" 2>/dev/null; }

load_pod() {  # load_pod NAME: a pod that sends until it is told to end; not in the mesh, as a user's browser
  cat <<POD
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: "$SYSTEM", labels: {app.kubernetes.io/name: story-load, shopmesh.dev/api-client: "true"}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 5
  securityContext: {runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: load
      image: $(k -n "$SYSTEM" get deployment control-plane -o 'jsonpath={.spec.template.spec.containers[0].image}')
      imagePullPolicy: IfNotPresent
      args: [load, "$WAY_IN/", --rate, "$RATE", --for, 30m, --connections, "20", -o, json]
      env: [{name: SHOPMESH_ENDPOINT_URL, value: "http://127.0.0.1:1"}]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {cpu: "1", memory: 256Mi}}
POD
}

load_begins() {
  loads=$((loads + 1))
  if [ "$sender" = machine ]; then
    # Shares are judged here, from the report: no control plane is asked.
    SHOPMESH_ENDPOINT_URL=http://127.0.0.1:1 shopmesh load "$WAY_IN/" --rate "$RATE" --for 30m --connections 20 -o json \
      >"$work/load-$loads.json" 2>"$work/load-$loads.err" &
    load_pid=$!
  else
    load_pod "load-$loads" | k create -f - >"$work/last" 2>&1 || { why "no load: $(cat "$work/last")"; return 1; }
    waiting -n "$SYSTEM" wait "pod/load-$loads" --for=condition=Ready --timeout="${PATIENCE}s" >"$work/last" 2>&1 ||
      { why "the pod load-$loads does not start: $(cat "$work/last")"; return 1; }
  fi
  sleep 3
}

load_ends() {  # says how many were sent; fails when one failed
  local report=$work/load-$loads.json
  sleep 2
  if [ "$sender" = machine ]; then
    kill -INT "$load_pid" 2>/dev/null
    wait "$load_pid" 2>/dev/null
  else
    k -n "$SYSTEM" exec "load-$loads" -- sh -c 'kill -INT 1' >/dev/null 2>&1
    waiting -n "$SYSTEM" wait "pod/load-$loads" --for='jsonpath={.status.containerStatuses[0].state.terminated}' --timeout=60s >/dev/null 2>&1
    k -n "$SYSTEM" logs "load-$loads" >"$report" 2>"$work/load-$loads.err"
    k -n "$SYSTEM" delete pod "load-$loads" --wait=false >/dev/null 2>&1
  fi
  python3 - "$report" >>"$work/note" 2>>"$work/why" <<'REPORT'
import json, sys
text = open(sys.argv[1]).read()
if "{" not in text:
    sys.exit(f"the load left no report: {text[-500:]}")
document = json.loads(text[text.index("{"):text.rindex("}") + 1])
figures = document["figures"]
print(f"{figures['requests']:,} requests, {figures['failed']:,} failed")
if figures["failed"]:
    sys.exit(f"failed: {json.dumps(figures.get('failures', document.get('notes')))[:1000]}")
if figures["requests"] < 50:
    sys.exit("these are too few to show anything")
REPORT
}

under_load() {  # under_load FUNCTION [ARGUMENT…]: fails when it fails, or when a request does
  local status=0
  load_begins || return
  "$@" || status=1
  load_ends || status=1
  return "$status"
}

got() {  # got VERSION=PERCENT…: what the answers to some 1,500 requests say, give or take six points
  load_begins || return
  sleep "$((1500 / RATE))"
  load_ends || return
  python3 - "$work/load-$loads.json" "$@" >>"$work/note" 2>>"$work/why" <<'SHARES'
import json, sys
text = open(sys.argv[1]).read()
figures = json.loads(text[text.index("{"):text.rindex("}") + 1])["figures"]
counts = {one["version"]: one["requests"] for one in figures["versions"]}
for wanted in sys.argv[2:]:
    version, percent = wanted.split("=")
    service = version.split("/")[0] + "/"
    total = sum(count for name, count in counts.items() if name.startswith(service))
    share = 100 * counts.get(version, 0) / max(total, 1)
    print(f"{version} got {share:.1f} %")
    if abs(share - float(percent)) > 6 or (percent in ("0", "100") and share != float(percent)):
        sys.exit(f"{version} was to get {percent} %, and got {share:.1f} %")
SHARES
}

# --- the steps

tools() {
  local tool version
  for tool in kubectl python3 timeout; do command -v "$tool" >/dev/null || { why "$tool is missing"; return 1; }; done
  k get nodes >"$work/last" 2>&1 || { why "no cluster: $(tail -n 1 "$work/last")"; return 1; }
  version=$(k version -o json | python3 -c 'import json, sys; v = json.load(sys.stdin)["serverVersion"]; print(v["major"], v["minor"].strip("+"), v["gitVersion"])') ||
    { why 'the cluster does not tell its version'; return 1; }
  read -r major minor full <<<"$version"
  ((major > 1 || minor >= 30)) || { why "Kubernetes $full is too old: 1.30 is the first that has all that is used"; return 1; }
  echo "Kubernetes $full, $(k get nodes --no-headers | wc -l | tr -d ' ') node(s)" >>"$work/note"
}

apply() { k apply -k "$OVERLAY" >"$work/apply" 2>&1 || why "$(tail -n 5 "$work/apply")"; }

definitions() {
  waiting wait --for=condition=Established --timeout=60s crd/meshes.appmesh.k8s.aws crd/virtualnodes.appmesh.k8s.aws \
    crd/virtualrouters.appmesh.k8s.aws crd/virtualservices.appmesh.k8s.aws >"$work/last" 2>&1 || why "$(cat "$work/last")"
}

mesh_is_there() {
  until_true 'the control plane makes the mesh of mesh/' k get mesh shopmesh &&
    until_true 'the key for the API' k -n "$SYSTEM" get secret control-plane-api &&
    until_true 'the authority for sidecars' k -n default get configmap shopmesh-root
}

all_active() {
  local kind
  for kind in VirtualNode VirtualRouter VirtualService; do
    waiting -n default wait "$kind" --all --for="condition=${kind}Active" --timeout=60s >"$work/last" 2>&1 ||
      { why "$(tail -n 5 "$work/last")"; return 1; }
  done
  waiting -n default wait VirtualNode --all --for=condition=Programmed --timeout=60s >"$work/last" 2>&1 || why "$(tail -n 5 "$work/last")"
}

in_step() { until_true 'every proxy runs what the mesh says' in_step_now; }
in_step_now() {
  control_plane status -o json | python3 -c '
import json, sys
proxies = json.load(sys.stdin)["proxies"]
late = [one for one in proxies if not one.get("inStep", one.get("in_step"))]
sys.exit(f"{len(proxies)} proxies, {len(late)} not in step" if late or len(proxies) < 10 else 0)'
}

weights() {  # weights ROUTER WEIGHT WEIGHT: with nothing but kubectl
  k -n default patch virtualrouter "$1" --type=json -p "[
    {\"op\": \"replace\", \"path\": \"/spec/routes/0/httpRoute/action/weightedTargets/0/weight\", \"value\": $2},
    {\"op\": \"replace\", \"path\": \"/spec/routes/0/httpRoute/action/weightedTargets/1/weight\", \"value\": $3}]" >"$work/last" 2>&1 ||
    why "$(cat "$work/last")"
  sleep 3
}

route() { control_plane route "$@" >"$work/last" 2>&1 || why "shopmesh route $*: $(tail -n 3 "$work/last")"; }

nonsense_is_refused() {
  if k -n default patch virtualrouter product --type=json -p \
    '[{"op": "replace", "path": "/spec/routes/0/httpRoute/action/weightedTargets/0/weight", "value": 1000}]' >"$work/last" 2>&1; then
    why 'a weight of 1000 was taken'
  else
    grep -o 'should be less than.*' "$work/last" | head -n 1 >>"$work/note"
  fi
}

identity_stays() {  # the API server's own policy: no update changes whose proxy a pod is
  local pod change
  pod=$(pods default app.kubernetes.io/name=product | head -n 1)
  for change in 'label shopmesh.dev/virtual-node=order-vn' 'label shopmesh.dev/virtual-gateway=order-vn' \
    'annotate shopmesh.dev/proxy-of=virtualnode/order'; do
    if k -n default "${change%% *}" pod "$pod" "${change#* }" --overwrite >"$work/last" 2>&1; then
      why "a pod of product could be changed: $change"
      return 1
    fi
    grep -q 'create the pod anew' "$work/last" || { why "$(tail -n 1 "$work/last")"; return 1; }
  done
  k -n default label pod "$pod" example.com/story=1 --overwrite >"$work/last" 2>&1 || why "$(tail -n 1 "$work/last")"
}

api_forwarded() {  # the App Mesh API on a free port of this machine; its pod may have died since
  [ -z "$forward" ] || kill "$forward" 2>/dev/null
  kubectl -n "$SYSTEM" port-forward service/control-plane :9080 >"$work/forward" 2>&1 &
  forward=$!
  until_true 'a port-forward to the API' grep -q 'Forwarding from 127' "$work/forward" || return
  port=$(sed -n 's/Forwarding from 127.0.0.1:\([0-9]*\).*/\1/p' "$work/forward" | head -n 1)
  k -n "$SYSTEM" get secret control-plane-api -o 'jsonpath={.data.credentials}' | base64 -d >"$work/credentials"
}

by_aws() {  # by_aws PERCENT: product 2.0's share, with the aws command and nothing else
  api_forwarded || return
  export AWS_SHARED_CREDENTIALS_FILE=$work/credentials AWS_ENDPOINT_URL_APP_MESH=http://127.0.0.1:$port
  export AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=
  timeout 60 aws appmesh describe-route --mesh-name shopmesh --virtual-router-name product-vr --route-name product-r \
    --query route.spec >"$work/route.json" 2>"$work/last" || { why "aws: $(cat "$work/last")"; return 1; }
  python3 - "$work/route.json" "$1" <<'WEIGHTS'
import json, sys
spec = json.load(open(sys.argv[1]))
for target in spec["httpRoute"]["action"]["weightedTargets"]:
    target["weight"] = int(sys.argv[2]) if target["virtualNode"] == "product-v2-vn" else 100 - int(sys.argv[2])
json.dump(spec, open(sys.argv[1], "w"))
WEIGHTS
  timeout 60 aws appmesh update-route --mesh-name shopmesh --virtual-router-name product-vr --route-name product-r \
    --spec "file://$work/route.json" >"$work/last" 2>&1 || why "aws: $(cat "$work/last")"
  sleep 3
}

kubectl_shows() {  # kubectl_shows ROUTER WEIGHT: whatever door a change came by, the object says it
  local found
  found=$(k -n default get virtualrouter "$1" -o 'jsonpath={.spec.routes[0].httpRoute.action.weightedTargets[1].weight}')
  [ "$found" = "$2" ] || why "the VirtualRouter $1 gives its canary $found %, not $2 %"
}

apply_again() { apply && sleep 5 && kubectl_shows product "$1"; }

restart() {  # the last request of an old pod may be lost after all new ones are ready
  k -n "$1" rollout restart "deployment/$2" >"$work/last" 2>&1 || { why "restart of $2: $(tail -n 1 "$work/last")"; return 1; }
  rolled_out "$1" "$2" && until_true "no pod of $1 is terminating" none_terminating "$1"
}
none_terminating() {
  local found
  found=$(k -n "$1" get pods -o 'jsonpath={range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name}{" "}{end}') &&
    [ -z "$found" ] || { echo "terminating: $found"; return 1; }
}

pods() { k -n "$1" get pods -l "$2" --field-selector=status.phase=Running -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}'; }

kill_leader() {
  local holder pod
  holder=$(k -n "$SYSTEM" get lease control-plane -o 'jsonpath={.spec.holderIdentity}')
  pod=$(pods "$SYSTEM" app.kubernetes.io/name=control-plane | while read -r one; do case $holder in "$one"*) echo "$one" ;; esac; done)
  [ -n "$pod" ] || { why "nobody holds the Lease control-plane (it says '$holder')"; return 1; }
  k -n "$SYSTEM" delete pod "$pod" --grace-period=0 --force >"$work/last" 2>&1 || { why "$(cat "$work/last")"; return 1; }
  # The other replica goes on, before the killed one has been replaced.
  weights product 50 50 || return
  rolled_out "$SYSTEM" control-plane || return
  until_true 'another leader' another_leader "$pod"
}
another_leader() {
  local holder
  holder=$(k -n "$SYSTEM" get lease control-plane -o 'jsonpath={.spec.holderIdentity}')
  case $holder in '' | "$1"*) return 1 ;; esac
}

kill_pod() {  # kill_pod DEPLOYMENT NAME VERSION: without any notice; who calls it has to bridge it
  local pod
  pod=$(pods default "app.kubernetes.io/name=$2,app.kubernetes.io/version=$3" | head -n 1)
  k -n default delete pod "$pod" --grace-period=0 --force >"$work/last" 2>&1 || { why "$(cat "$work/last")"; return 1; }
  rolled_out default "$1"
}

delete_pod() {  # delete_pod DEPLOYMENT NAME VERSION: as anybody would
  local pod
  pod=$(pods default "app.kubernetes.io/name=$2,app.kubernetes.io/version=$3" | head -n 1)
  waiting -n default delete pod "$pod" --wait=true --timeout="${PATIENCE}s" >"$work/last" 2>&1 || { why "$(cat "$work/last")"; return 1; }
  rolled_out default "$1"
}

evict_all() {  # every pod that is there now, by the API that `kubectl drain` uses; a budget's no is asked again
  local namespace pod
  while read -r namespace pod; do
    until_true "the budget lets $pod go" evict "$namespace" "$pod" || return
    until_true "$pod is gone" gone "$namespace" "$pod" || return
    everything_ready || return
  done < <(pods default app.kubernetes.io/part-of=shopmesh | sed 's/^/default /'; pods "$SYSTEM" app.kubernetes.io/name=control-plane | sed "s/^/$SYSTEM /")
}
evict() {
  printf '{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "%s", "namespace": "%s"}}' "$2" "$1" |
    k create --raw "/api/v1/namespaces/$1/pods/$2/eviction" -f - || gone "$1" "$2"
}
gone() { [ -z "$(k -n "$1" get pod "$2" --ignore-not-found -o name)" ]; }

a_job() {
  cat <<'JOB'
apiVersion: batch/v1
kind: Job
metadata: {name: story, namespace: default, labels: {shopmesh.dev/virtual-node: story-vn}}
spec:
  backoffLimit: 2
  activeDeadlineSeconds: 240
  template:
    metadata: {labels: {app.kubernetes.io/name: story, app.kubernetes.io/version: "1.0", shopmesh.dev/virtual-node: story-vn}}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: application
          image: IMAGE
          imagePullPolicy: IfNotPresent
          command: [python, -c, "import urllib.request as u; print(u.urlopen('http://product.default.svc.cluster.local:5000/products/1', timeout=5).headers['x-service-version'])"]
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: "1", memory: 128Mi}}
JOB
}

a_node() {  # a_node NAMESPACE
  k apply -f - >"$work/last" 2>&1 <<NODE || why "$(cat "$work/last")"
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: story, namespace: $1}
spec:
  awsName: story-vn
  podSelector: {matchLabels: {app.kubernetes.io/name: story}}
  backends: [{virtualService: {virtualServiceRef: {name: product, namespace: default}}}]
NODE
}

sidecar_mode() {  # intercepted or explicit, as the overlay has it
  k -n default get deployment product -o 'jsonpath={.spec.template.metadata.labels.shopmesh\.dev/sidecar}'
}

job_ends() {  # with a sidecar that `shopmesh inject` puts into it: App Mesh's Jobs never ended
  local image mode
  mode=$(sidecar_mode)
  image=$(k -n "$SYSTEM" get deployment control-plane -o 'jsonpath={.spec.template.spec.containers[0].image}')
  a_node default || return
  a_job | sed "s#IMAGE#$image#" >"$work/job.yaml"
  k -n "$SYSTEM" exec -i deployment/control-plane -c control-plane -- shopmesh inject --from-cluster --mode "${mode:-intercepted}" -f - <"$work/job.yaml" >"$work/injected.yaml" 2>"$work/last" ||
    { why "shopmesh inject: $(tail -n 3 "$work/last")"; return 1; }
  k apply -f "$work/injected.yaml" >"$work/last" 2>&1 || { why "$(cat "$work/last")"; return 1; }
  waiting -n default wait job/story --for=condition=Complete --timeout="${PATIENCE}s" >"$work/last" 2>&1 ||
    { why "the Job does not end: $(cat "$work/last") $(k -n default logs job/story --all-containers --tail=5 2>&1)"; return 1; }
  echo "$(k -n default logs job/story -c application | tail -n 1) answered it" >>"$work/note"
  k -n default delete job/story virtualnode/story >/dev/null 2>&1
}

webhook_injects() {
  k create namespace shopmesh-story >/dev/null 2>&1
  k label namespace shopmesh-story mesh=shopmesh appmesh.k8s.aws/sidecarInjectorWebhook=enabled --overwrite >"$work/last" 2>&1
  a_node shopmesh-story || return
  until_true 'the webhook puts a sidecar into a pod' injected || return
  tail -n 1 "$work/last" >>"$work/note"
  k delete namespace shopmesh-story --wait=false >/dev/null 2>&1
}
injected() {
  k create --dry-run=server -o 'jsonpath={.spec.initContainers[*].name}' -f - <<'POD' | grep envoy
apiVersion: v1
kind: Pod
metadata: {name: story, namespace: shopmesh-story, labels: {app.kubernetes.io/name: story, app.kubernetes.io/version: "1.0"}}
spec: {containers: [{name: application, image: "shopmesh/product:1.0"}]}
POD
}

undo() { weights product 100 0 && weights customer 100 0 && got product/1.0=100 customer/1.0=100; }

clean_up() {
  k -n default delete job/story virtualnode/story --ignore-not-found >/dev/null 2>&1
  k delete namespace shopmesh-story --ignore-not-found --wait=false >/dev/null 2>&1
  waiting delete -k "$OVERLAY" --ignore-not-found >"$work/last" 2>&1 || { why "$(tail -n 5 "$work/last")"; return 1; }
  until_true 'the namespace is gone' no_more "namespace/$SYSTEM" &&
    until_true 'the definitions are gone' no_more crd/meshes.appmesh.k8s.aws &&
    until_true 'the workloads are gone' nothing_of_ours &&
    until_true 'what the control plane made in other namespaces is gone' nothing_made
}
no_more() { [ -z "$(k get "$1" --ignore-not-found -o name)" ]; }
nothing_of_ours() { [ -z "$(k -n default get all,configmaps -l app.kubernetes.io/part-of=shopmesh -o name)" ]; }
nothing_made() { [ -z "$(k get configmaps -A -l app.kubernetes.io/managed-by=control-plane -o name)" ]; }

story() {
  local workload
  must 'the cluster' tools
  must "one command: kubectl apply -k $OVERLAY" apply
  must 'the definitions are established' definitions
  must 'the control plane is ready' rolled_out "$SYSTEM" control-plane
  must 'it has made the mesh, a key and an authority' mesh_is_there
  must 'the workloads are ready' everything_ready
  must 'the way in' choose_way_in
  must 'everything is version 1' got product/1.0=100 product/2.0=0 customer/1.0=100 customer/1.5=0
  play 'conditions say Active and Programmed' all_active
  play 'every proxy is in step' in_step

  play 'product 2.0 gets half, by kubectl' under_load weights product 50 50
  play 'half is half' got product/2.0=50
  play 'nonsense is refused' nonsense_is_refused
  play 'a pod stays the proxy that it was created for' identity_stays
  play 'the same command again leaves the canary alone' under_load apply_again 50
  play 'customer 1.5 gets a quarter, by shopmesh' under_load route customer customer-v15-vn=25
  play 'a quarter is a quarter' got customer/1.5=25 product/2.0=50
  play 'kubectl shows it' kubectl_shows customer 25
  if command -v aws >/dev/null; then
    play 'product 2.0 gets three quarters, by aws' under_load by_aws 75
    play 'three quarters are three quarters' got product/2.0=75
    play 'kubectl shows it' kubectl_shows product 75
  else
    skip 'product 2.0 gets three quarters, by aws' 'there is no aws command'
  fi

  for workload in "${WORKLOADS[@]}"; do
    play "rolling restart of $workload" under_load restart default "$workload"
  done
  play 'rolling restart of the control plane' under_load restart "$SYSTEM" control-plane
  play 'the leading control plane is killed; half by kubectl meanwhile' under_load kill_leader
  play 'half is half' got product/2.0=50
  play 'a pod of order is deleted' under_load delete_pod order order 1.0
  play 'a pod of product 2.0 is killed' under_load kill_pod product-v2 product 2.0
  play 'every pod is evicted, one by one' under_load evict_all
  play 'every proxy is in step again' in_step
  play 'a Job with a sidecar ends' job_ends
  play 'the webhook puts a sidecar into a pod' webhook_injects
  play 'undo: everything is version 1 again' undo
  if [ -z "$keep" ]; then
    play 'clean-up' clean_up
  else
    skip 'clean-up' 'asked for by --keep'
  fi
}

ended() {
  [ -z "$forward" ] || kill "$forward" 2>/dev/null
  [ -z "${load_pid:-}" ] || kill "$load_pid" 2>/dev/null
  if [ -z "$plan" ]; then
    k -n "$SYSTEM" delete pod -l app.kubernetes.io/name=story-load --ignore-not-found --wait=false >/dev/null 2>&1
    echo "reports and diagnoses: $work"
  fi
}

keep='' plan=''
for argument in "$@"; do
  case $argument in
    --keep) keep=1 ;;
    --plan) plan=1 ;;
    *) sed -n '2,18p' "$0"; exit 2 ;;
  esac
done

if [ -n "$plan" ]; then
  number=0
  play() { printf '%2d  %s\n' $((++number)) "$1"; }
  must() { play "$@"; }
  skip() { play "$1"; }
  story
  exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/shopmesh-story.XXXXXX")
trap ended EXIT
story
if [ $failed -eq 0 ]; then
  say ok 'the whole story'
else
  say FAILED "$failed step(s)"
fi
exit $((failed > 0))
