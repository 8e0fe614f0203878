#!/bin/bash
# How a sidecar starts, tells whether it is ready, and stops: nothing is assumed in its image but Envoy and bash.
#
#   sidecar.sh run     Envoy, until SIGTERM; then it drains first
#   sidecar.sh ready   whether Envoy is configured, and not about to stop
#   sidecar.sh drain   asks callers to stay away, and waits until nothing is under way
#   sidecar.sh resume  takes that back
#
# VIRTUAL_NODE, VERSION, INSTANCE and MESH say who it is; READINESS is a JSON object's inside: ports of the application and the
# path that answers 200 there. Callers are sent to it while both that and Envoy's own readiness hold.
set -uo pipefail
ADMIN=9901 READY=15021
TOLD_SECONDS=2     # two looks and a change, with room: after this no caller sends here any more
DRAIN_SECONDS=20   # longer than the 15 s after which Envoy itself gives a request up

ask() {  # ask METHOD PORT PATH: the whole answer
  { exec 3<>"/dev/tcp/127.0.0.1/$2"; } 2>/dev/null || return
  printf '%s %s HTTP/1.1\r\nhost: sidecar\r\nconnection: close\r\ncontent-length: 0\r\n\r\n' "$1" "$3" >&3
  while IFS= read -r -t 5 line <&3; do printf '%s\n' "$line"; done
  exec 3>&-
}

pause() { read -r -t "$1" <> <(:) || true; }  # no `sleep` is assumed

ready() { [[ $(ask GET $READY /ready) == *' 200 '* ]]; }

drain() {
  ask POST $ADMIN /healthcheck/fail >/dev/null
  pause $TOLD_SECONDS
  local until=$((SECONDS + DRAIN_SECONDS))
  while ((SECONDS < until)) && [[ $(ask GET $ADMIN /clusters) =~ cds_[^$'\n']*::rq_active::[1-9] ]]; do
    pause 0.1
  done
}

address() {  # of the namespace's owner, by the hosts file that it shares
  local name found host
  read -r name </etc/hostname
  while read -r found host _; do
    [[ $host != "$name" || $found == *:* ]] || { printf '%s' "$found"; return; }
  done </etc/hosts
}

run() {
  local metadata envoy
  metadata=$(printf '{"instance": "%s", "address": "%s", "readiness": {%s, "%s": "/ready"}}' \
    "$INSTANCE" "$(address)" "$READINESS" $READY)
  OTEL_RESOURCE_ATTRIBUTES="service.name=$VIRTUAL_NODE,service.version=${VERSION:-}" \
    envoy -c /etc/shopmesh/sidecar.json --disable-hot-restart \
    --service-node "mesh/$MESH/virtualNode/$VIRTUAL_NODE" --service-cluster "$VIRTUAL_NODE" \
    --config-yaml "{\"node\": {\"metadata\": $metadata}}" \
    --concurrency "${ENVOY_CONCURRENCY:-1}" --log-level "${ENVOY_LOG_LEVEL:-warning}" &
  envoy=$!
  trap 'drain; kill $envoy 2>/dev/null' TERM INT
  wait $envoy
  local status=$?
  # The signal ends the first `wait`, not Envoy.
  while kill -0 $envoy 2>/dev/null; do wait $envoy; status=$?; done
  return $status
}

case ${1:-} in
  run | ready | drain) "$1" ;;
  resume) ask POST $ADMIN /healthcheck/ok >/dev/null ;;
  *) echo "sidecar.sh: '${1:-}' is not run, ready, drain or resume" >&2; exit 2 ;;
esac
