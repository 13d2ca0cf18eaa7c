#!/bin/bash
# Installs what is missing, builds and runs every test, and closes with the
# line "N passed, N failed" (test cases). Exits non-zero where one failed.
#
# usage: scripts/test.sh [Bazel options] [targets, default //...]
#   e.g. scripts/test.sh --config=asan //t2t/base/... //t2t/text/...
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

options=() targets=()
for argument in "$@"; do
  case $argument in
    -h | --help)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    //* | -//*) targets+=("$argument") ;;
    *) options+=("$argument") ;;
  esac
done
if [[ ${#targets[@]} -eq 0 ]]; then targets=(//...); fi

"$REPO/scripts/install_deps.sh" --mpi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# With --keep_going one target that does not build hides no other's result.
# Test processes run their own threads, so one test per two cores at a time.
code=0
bz test --jobs="$(build_jobs)" --keep_going --test_summary=short --color=no --curses=no \
  --local_test_jobs=$((($(nproc) + 1) / 2)) \
  "${options[@]}" -- "${targets[@]}" 2>&1 | tee "$log" || code=$?
logs=$(bz info "${options[@]}" bazel-testlogs 2>/dev/null)

# Bazel ends with one line a target ("//t2t/base:base_test PASSED in 0.1s");
# the number of cases in a target stands in its test.xml, which GoogleTest
# writes.
passed=0 failed=0
while read -r target status; do
  folder=${target#//}
  folder=$logs/${folder/:/\/}
  counts=$(find "$folder/" -name test.xml -exec cat {} + 2>/dev/null |
    awk '
      function number(name) {
        if (!match($0, name "=\"[0-9]+\"")) return 0
        return substr($0, RSTART + length(name) + 2) + 0
      }
      /<testsuites/ {
        top = number(" tests")
        tests += top
        bad += number(" failures") + number(" errors")
      }
      /<testsuite / && !top {
        tests += number(" tests")
        bad += number(" failures") + number(" errors")
      }
      END { print tests + 0, bad + 0 }')
  read -r tests bad <<<"$counts"
  if [[ $status == *PASSED* || $status == FLAKY* ]]; then
    ((passed += tests > 0 ? tests : 1)) || true
  elif [[ $status == FAILED\ in* ]]; then
    # A test that crashed has no counts of its own: that is one failure.
    ((failed += bad > 0 ? bad : 1)) || true
    ((passed += bad > 0 && tests > bad ? tests - bad : 0)) || true
  else
    ((failed += 1)) || true
  fi
done < <(sed -nE 's/^(\/\/[^ ]+) +((\(cached\) )?(PASSED|FLAKY|FAILED|TIMEOUT|NO STATUS|REMOTE FAILURE|INCOMPLETE).*)$/\1 \2/p' "$log")

if [[ $code -ne 0 && $failed -eq 0 ]]; then failed=1; fi
# CI's machine must not be left with a server on it.
if [[ ${CI:-} == true ]]; then bz shutdown >/dev/null 2>&1 || true; fi
say ""
say "$passed passed, $failed failed"
exit "$code"
