#!/bin/sh
# Redirects the TCP traffic of a network namespace into its Envoy, as App Mesh's proxy-init did.
#
#   redirect once    sets the rules and ends (an init container)
#   redirect wait    sets the rules, gives up every right, and waits: whoever shares the namespace lives by it
#   redirect ready   whether `wait` has set the rules
#
# Needs NET_ADMIN, and for `wait` SETUID and SETGID to give it up. The variables are App Mesh's, lists are commas':
#   APPMESH_START_ENABLED          1    0: no rules at all
#   APPMESH_IGNORE_UID          1337    the user that Envoy runs as; what it sends is not redirected again
#   APPMESH_IGNORE_GID                  the same by group
#   APPMESH_ENVOY_INGRESS_PORT 15000
#   APPMESH_ENVOY_EGRESS_PORT  15001
#   APPMESH_APP_PORTS                   the application's ports; what comes for them goes to Envoy
#   APPMESH_EGRESS_IGNORED_IP  169.254.169.254    addresses and networks that are called directly, IPv4 and IPv6
#   APPMESH_EGRESS_IGNORED_PORTS  22    ports that are called directly
#   APPMESH_ENABLE_IPV6            1    0: only IPv4
set -euf

TELEMETRY_PORTS=4317,4318,2000  # OTLP and the X-Ray daemon: telemetry is not mesh traffic
NOBODY=65534
READY=/run/redirected

fail() { echo "redirect: $*" >&2; exit 1; }

numbers() {  # numbers VARIABLE VALUE: stops at anything but numbers and commas, which would become part of a rule
  case $2 in *[!0-9,]*) fail "$1='$2' is not a list of numbers such as 80,443; correct it" ;; esac
}

ports() {  # ports VARIABLE VALUE: the same for a list of ports
  numbers "$1" "$2"
  for port in $(words "$2"); do
    case $port in ??????*) port=0 ;; esac
    [ "$port" -ge 1 ] && [ "$port" -le 65535 ] || fail "$1='$2' has a number that is not a port from 1 to 65535; correct it"
  done
}

words() { (IFS=,; echo $1); }  # a list of commas as words

# rules PROGRAM LOOPBACK ADDRESSES: in chains of our own, so that those of others (Docker's DNS) stay as they are.
rules() {
  nat="$1 -w 5 -t nat"
  for chain in APPMESH_INGRESS APPMESH_EGRESS; do
    $nat -N $chain 2>/dev/null || $nat -F $chain
  done

  # A rule for each port: the match for several takes at most fifteen.
  for port in $(words "$app_ports"); do
    $nat -A APPMESH_INGRESS -p tcp --dport "$port" -j REDIRECT --to-ports "$ingress_port"
  done

  [ -z "$uid" ] || $nat -A APPMESH_EGRESS -m owner --uid-owner "$uid" -j RETURN
  [ -z "$gid" ] || $nat -A APPMESH_EGRESS -m owner --gid-owner "$gid" -j RETURN
  for port in $(words "$TELEMETRY_PORTS,$ignored_ports"); do
    $nat -A APPMESH_EGRESS -p tcp --dport "$port" -j RETURN
  done
  for address in $2 $3; do
    $nat -A APPMESH_EGRESS -d "$address" -j RETURN
  done
  $nat -A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports "$egress_port"

  # Local to local is nobody's business: a call to one's own address goes straight to the application.
  hook "$nat" PREROUTING -p tcp -m addrtype ! --src-type LOCAL -j APPMESH_INGRESS
  hook "$nat" OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS
}

hook() {
  nat=$1; shift
  $nat -C "$@" 2>/dev/null || $nat -A "$@"
}

of_family() {  # of_family 4|6: the ignored addresses of that family
  for address in $(words "$ignored_addresses"); do
    case $address in
      *:*) [ "$1" = 4 ] || echo "$address" ;;
      *) [ "$1" = 6 ] || echo "$address" ;;
    esac
  done
}

redirect() {
  uid=${APPMESH_IGNORE_UID-1337}
  gid=${APPMESH_IGNORE_GID-}
  ingress_port=${APPMESH_ENVOY_INGRESS_PORT:-15000}
  egress_port=${APPMESH_ENVOY_EGRESS_PORT:-15001}
  app_ports=${APPMESH_APP_PORTS-}
  ignored_addresses=${APPMESH_EGRESS_IGNORED_IP-169.254.169.254}
  ignored_ports=${APPMESH_EGRESS_IGNORED_PORTS-22}
  numbers APPMESH_IGNORE_UID "$uid"
  numbers APPMESH_IGNORE_GID "$gid"
  ports APPMESH_ENVOY_INGRESS_PORT "$ingress_port"
  ports APPMESH_ENVOY_EGRESS_PORT "$egress_port"
  ports APPMESH_APP_PORTS "$app_ports"
  ports APPMESH_EGRESS_IGNORED_PORTS "$ignored_ports"
  [ -n "$uid$gid" ] || fail 'APPMESH_IGNORE_UID and APPMESH_IGNORE_GID are both empty: Envoy would be redirected to itself'

  rules iptables 127.0.0.0/8 "$(of_family 4)"
  if [ "${APPMESH_ENABLE_IPV6:-1}" != 0 ] && read -r _ 2>/dev/null </proc/net/if_inet6; then
    rules ip6tables ::1/128 "$(of_family 6)"
  fi
}

case ${1:-} in
  ready) [ -e $READY ]; exit ;;
  once | wait) ;;
  *) fail "'${1:-}' is not once, wait or ready" ;;
esac
[ "${APPMESH_START_ENABLED:-1}" = 0 ] || redirect
[ "$1" = wait ] || exit 0
: >$READY
exec setpriv --reuid $NOBODY --regid $NOBODY --clear-groups --inh-caps=-all --no-new-privs \
  sh -c 'trap "exit 0" TERM INT; sleep infinity & wait'
