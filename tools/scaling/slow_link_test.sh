#!/bin/bash
# tools/scaling/slow_link.sh: two places, their cable, the exit code.
set -eu
script=tools/scaling/slow_link.sh
out=${TEST_TMPDIR:?}/out

code=0
"$script" 8mbit 2> "$out" || code=$?
[[ $code == 2 ]]
grep -q "usage: tools/scaling/slow_link.sh" "$out"

PATH=$PATH:/usr/sbin:/sbin
if ! unshare --user --map-root-user --net bash -c "ip link set lo up &&
  tc qdisc add dev lo root tbf rate 8mbit burst 32kb latency 400ms" \
  > "$out" 2>&1; then
  echo "skipped: no namespaces, or no tc, or no tbf here: $(cat "$out")"
  exit 0
fi
code=0
"$script" 8mbit bash -c "
  exec > $out.@RANK@ 2>&1
  echo first @FIRST@
  ip -o -4 addr show up
  tc qdisc show
  if [[ @RANK@ == 1 ]]; then exit 7; fi" || code=$?
cat "$out".0 "$out".1
[[ $code == 7 ]]
grep -q "first 10.78.0.1" "$out.0"
grep -q "first 10.78.0.1" "$out.1"
grep -q "10.78.0.1/24" "$out.0"
grep -q "10.78.0.2/24" "$out.1"
if grep -q "10.78.0.1/24" "$out.1"; then exit 1; fi
grep -q "tbf.*rate 8Mbit" "$out.0"
grep -q "tbf.*rate 8Mbit" "$out.1"
echo passed
