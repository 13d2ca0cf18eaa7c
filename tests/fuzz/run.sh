#!/bin/bash
# Fuzzes one target with libFuzzer and AddressSanitizer.
#
#   tests/fuzz/run.sh NAME SECONDS [libFuzzer's flags]
#
# NAME: tfrecord, example, vocabulary, sentencepiece, hparams, image, json,
# safetensors, bundle, http, serving_proto, or all (then SECONDS each). Needs
# clang and its runtime (Debian: clang, libclang-rt-14-dev).
# Starts from tests/fuzz/corpus/NAME; what it finds besides goes to
# ${T2T_FUZZ_DIR:-/tmp/t2t-fuzz}/NAME. A crash is written there and is the exit
# status. BAZEL names another bazel (a command with options).
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,12s/^# \{0,1\}//p' "$0"
  exit 2
fi
name=$1
seconds=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
if [[ $name == all ]]; then
  for corpus in tests/fuzz/corpus/*/; do
    "$root/tests/fuzz/run.sh" "$(basename "$corpus")" "$seconds" "$@"
  done
  exit 0
fi
if [[ ! -f tests/fuzz/${name}_fuzz.cc ]]; then
  echo "run.sh: there is no tests/fuzz/${name}_fuzz.cc" >&2
  exit 2
fi
found=${T2T_FUZZ_DIR:-/tmp/t2t-fuzz}/$name
mkdir -p "$found"
# A suffix of its own keeps the ordinary build's outputs.
exec ${BAZEL:-bazel} run --config=fuzz --platform_suffix=-fuzz \
  "//tests/fuzz:${name}_fuzz" -- \
  -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
  -print_final_stats=1 -artifact_prefix="$found/" "$@" \
  "$found" "$root/tests/fuzz/corpus/$name"
