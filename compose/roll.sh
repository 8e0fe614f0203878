#!/bin/bash
# Replaces the replicas of a workload one by one, sidecar and application, without losing a request:
#
#   compose/roll.sh product        product and product-2 of compose/product.yaml, from the images as they are now
#
#   callers told ─► requests under way end ─► replaced ─► ready ─► callers told ─► the next
#
# A replica that does not run is started for the time of the roll, so that there are always others.
set -euo pipefail
service=${1:?name the workload: compose/roll.sh product}

compose() { docker compose --profile replicas "$@" </dev/null; }
shopmesh() { compose exec -T control-plane shopmesh "$@"; }
instance() { compose config --format json "$1-sidecar" | grep -o '"INSTANCE": "[^"]*"' | head -n 1 | cut -d'"' -f4; }
runs() { [ -n "$(compose ps --status running --quiet "$1")" ]; }

mapfile -t replicas < <(compose config --services | grep -Ex "$service(-[0-9]+)?" | sort)
[ ${#replicas[@]} -gt 1 ] || {
  echo "roll: there is no second $service: write $service-2 in compose/, as product-2 in compose/product.yaml" >&2
  exit 1
}

borrowed=()
for replica in "${replicas[@]}"; do
  runs "$replica" || borrowed+=("$replica")
done
[ ${#borrowed[@]} -eq 0 ] || compose up -d --no-recreate "${borrowed[@]}"
for replica in "${replicas[@]}"; do
  shopmesh wait "$(instance "$replica")"
done

for replica in "${replicas[@]}"; do
  case " ${borrowed[*]-} " in *" $replica "*) continue ;; esac
  compose exec -T "$replica-sidecar" bash /etc/shopmesh/sidecar.sh drain
  shopmesh wait --gone "$(instance "$replica")"
  compose up -d --no-deps --force-recreate "$replica-sidecar" "$replica"
  shopmesh wait "$(instance "$replica")"
done

for replica in "${borrowed[@]}"; do
  compose stop "$replica"
  shopmesh wait --gone "$(instance "$replica")"
  compose rm --force --stop "$replica" "$replica-sidecar" "$replica-net"
done
