#!/bin/bash
# exported_symbols.sh sees a variable of two sizes, and a flag that is exported.
set -euo pipefail
script=$1 clash=$2 library=$3
fail() { echo "FAILED: $1"; exit 1; }

if output=$("$script" "$clash" 2>&1); then fail "no clash: $output"; fi
grep -Eq "FLAGS_clash has (4|32) bytes in libclash_(4|32).so and (4|32)" \
  <<<"$output" || fail "$output"
if output=$("$script" "walled:$library" "$clash" 2>&1); then
  fail "no flag: $output"
fi
grep -q "libclash_4.so exports the flag FLAGS_clash" <<<"$output" ||
  fail "$output"
