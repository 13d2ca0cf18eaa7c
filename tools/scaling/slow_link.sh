#!/bin/bash
# Two machines with a slow cable between them, on this one: two network
# namespaces, joined by a pair of virtual cards that let through so much and no
# more. Runs one command on each; what is sent costs this machine's cores no more
# than over loopback, but takes as long as the cable says.
#
# usage: tools/scaling/slow_link.sh RATE COMMAND...      (RATE as for tc: 1gbit)
# In COMMAND, @RANK@ is 0 and 1, @FIRST@ the address of the first machine. Ends
# with the exit code of the one that failed. Needs the programs ip, tc, unshare
# and nsenter, and a kernel with veth and tbf.
set -u
if [[ $# -lt 2 ]]; then
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
if [[ ${T2T_SLOW_LINK:-} != inside ]]; then
  # As root of a user namespace of our own: needs no rights.
  T2T_SLOW_LINK=inside exec unshare --user --map-root-user --net "$0" "$@"
fi
rate=$1
shift
PATH=$PATH:/usr/sbin:/sbin
unshare --net sleep infinity &
other=$!
trap 'kill "$other"' EXIT
# Until it is in its own namespace.
own=$(readlink /proc/self/ns/net)
while [[ $(readlink "/proc/$other/ns/net") == "$own" ]]; do sleep 0.01; done

on_other() { nsenter --net="/proc/$other/ns/net" -- "$@"; }
set -e
ip link add cable0 type veth peer name cable1 netns "$other"
ip addr add 10.78.0.1/24 dev cable0
on_other ip addr add 10.78.0.2/24 dev cable1
# What waits at the cable's end is as much as it takes in 0.4 s.
tc qdisc add dev cable0 root tbf rate "$rate" burst 256kb latency 400ms
on_other tc qdisc add dev cable1 root tbf rate "$rate" burst 256kb latency 400ms
ip link set lo up
on_other ip link set lo up
ip link set cable0 up
on_other ip link set cable1 up
set +e

place() {
  local rank=$1 word
  shift
  command=()
  for word in "$@"; do
    word=${word//@RANK@/$rank}
    command+=("${word//@FIRST@/10.78.0.1}")
  done
}
place 1 "$@"
on_other "${command[@]}" &
second=$!
place 0 "$@"
"${command[@]}"
code=$?
wait "$second"
second_code=$?
exit $((code != 0 ? code : second_code))
