#!/bin/bash
# Measures speed: every Google Benchmark target, and whole jobs (data, training,
# decoding). Writes docs/benchmarks.md with the machine it was measured on.
#
# usage: scripts/bench.sh [--quick] [--isa=baseline|avx2|avx512]
#
# --quick: short runs, to see that it works; docs/benchmarks.md is left alone.
# --isa: as on a machine with nothing better, for our kernels (T2T_MAX_ISA) and
# LibTorch's; docs/benchmarks.md is left alone. The kernels' own benchmark has
# every instruction set of the machine in any case.
# Two peers in tools/bench are measured where they can run (nothing is installed
# for them): T2T_PEER_PYTHON names a Python that has PyTorch, T2T_PYTHON one that
# has TensorFlow, T2T_SOURCE a checkout of Tensor2Tensor.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

quick='' isa='' min_time=0.5 steps=120
for argument in "$@"; do
  case $argument in
    --quick) quick=yes min_time=0.05 steps=20 ;;
    --isa=baseline | --isa=avx2 | --isa=avx512) isa=${argument#*=} ;;
    *)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      [[ $argument == -h || $argument == --help ]] && exit 0
      exit 2
      ;;
  esac
done
if [[ -n $isa ]]; then
  export T2T_MAX_ISA=$isa
  case $isa in
    baseline) export ATEN_CPU_CAPABILITY=default MKL_ENABLE_INSTRUCTIONS=SSE4_2 \
      ONEDNN_MAX_CPU_ISA=SSE41 ;;
    avx2) export ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
      ONEDNN_MAX_CPU_ISA=AVX2 ;;
  esac
fi

"$REPO/scripts/install_deps.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
report=$work/benchmarks.md

mapfile -t targets < <(bz query --noshow_progress \
  'filter("_benchmark$", kind("cc_(binary|test)", //t2t/... + //models/...))' 2>/dev/null |
  sort)
say "Building"
mapfile -t programs < <(sed -n 's/.*("[a-z_]*", "\(t2t-[a-z-]*\)").*/\1/p' \
  "$REPO/BUILD.bazel")
bz build --jobs="$(build_jobs)" --noshow_progress "${programs[@]/#///:}" \
  "${targets[@]}" >"$work/build.log" 2>&1 ||
  { cat "$work/build.log" && die "the build failed"; }
bin=$(bz info bazel-bin 2>/dev/null)

{
  echo "# Benchmarks"
  echo
  echo "Written by \`scripts/bench.sh\`; run it again to measure your machine."
  echo
  echo "- processor: $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores"
  echo "- memory: $(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo)"
  echo "- system: $(. /etc/os-release && echo "$PRETTY_NAME"), $(g++ --version | head -n 1)"
  [[ -z $isa ]] || echo "- as on a machine with nothing better than $isa"
  echo "- LibTorch: $(sed -n 's/^torch==\([^ ]*\).*/\1/p' "$REPO/.deps/libtorch/stamp"), CPU"
  echo "- commit: $(git -C "$REPO" rev-parse --short HEAD 2>/dev/null || echo none), $(date -u +%F)"
} >"$report"

# --- whole jobs

seconds() { date +%s.%N; }
elapsed() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", b - a }'; }
row() { printf '| %s | %s |\n' "$1" "$2" >>"$report"; }

printf '\n## Whole jobs\n\n| job | figure |\n|---|---|\n' >>"$report"
problem=translate_numbers_ende
say "Whole job: data"
begin=$(seconds)
"$bin/t2t/bin/datagen/t2t-datagen" --problem=$problem --data_dir="$work/data" \
  --tmp_dir="$work/tmp" >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
row "\`t2t-datagen\`, $problem (60,000 lines)" \
  "$(elapsed "$begin" "$(seconds)") s"

# train SET STEPS: the last progress line's tokens a second.
train() {
  say "Whole job: training, $1, $2 steps" >&2
  "$bin/t2t/bin/trainer/t2t-trainer" --problem=$problem --model=transformer \
    --hparams_set="$1" --data_dir="$work/data" --output_dir="$work/$1" \
    --schedule=train --train_steps="$2" --log_step_count_steps="$(($2 / 2))" \
    --hparams=learning_rate_schedule=constant,learning_rate_constant=0.001 \
    >"$work/log" 2>&1 || { cat "$work/log" >&2 && exit 1; }
  tr '\r' '\n' <"$work/log" |
    sed -n 's/.*  \([0-9,]*\) tokens\/s.*/\1/p' | tail -n 1
}
for set in transformer_numbers transformer_multi30k; do
  tokens=$(train "$set" "$steps")
  row "\`t2t-trainer\`, $set, batches of the set's own size" \
    "$tokens target tokens/s"
done

say "Whole job: decoding"
for beam in 1 4; do
  begin=$(seconds)
  "$bin/t2t/bin/decoder/t2t-decoder" --problem=$problem --model=transformer \
    --hparams_set=transformer_numbers --data_dir="$work/data" \
    --output_dir="$work/transformer_numbers" \
    --decode_hparams="beam_size=$beam" \
    --decode_from_file="$work/data/$problem.test.en" \
    --decode_to_file="$work/out.$beam" >"$work/log" 2>&1 ||
    { cat "$work/log" && exit 1; }
  row "\`t2t-decoder\`, 500 lines, beam $beam, start included" \
    "$(elapsed "$begin" "$(seconds)") s"
done

# peer NAME PYTHON PROGRAM: a row, measured where PYTHON has what it needs.
peer() {
  say "Peer: $1"
  local figure='not measured: see tools/bench'
  # Python's OpenMP threads are to wait as ours do.
  if GOMP_SPINCOUNT=5000 "$2" "$REPO/tools/bench/$3" "$((steps / 2))" >"$work/peer" \
    2>"$work/peer.log"; then
    figure=$(tail -n 1 "$work/peer")
  fi
  row "peer, a training step as BM_TrainStep/base below: $1" "$figure"
}
peer "torch.nn.Transformer in Python" "${T2T_PEER_PYTHON:-python3}" \
  peer_transformer.py
PYTHONPATH=${T2T_SOURCE:-}:$REPO/tools/golden/model \
  peer "T2T itself under TensorFlow" "${T2T_PYTHON:-python3}" peer_t2t.py

# --- start

say "Starting and answering"
{
  printf '\n## Starting and answering, without work\n\n'
  "$REPO/tools/bench/start_times.sh" "$bin/t2t/bin"
} >>"$report"

# --- units

for target in "${targets[@]}"; do
  say "$target"
  path=${target#//}
  {
    # shellcheck disable=SC2016
    printf '\n## `%s`\n\n```\n' "$target"
    "$bin/${path/:/\/}" --benchmark_min_time=$min_time --benchmark_color=false \
      2>/dev/null
    printf '```\n'
  } >>"$report"
done

if [[ -n $quick || -n $isa ]]; then
  cat "$report"
else
  # What was written by hand stays.
  { echo && sed -n '/^<!-- by hand -->$/,$p' "$REPO/docs/benchmarks.md"; } \
    >>"$report"
  cp "$report" "$REPO/docs/benchmarks.md"
  say "Written: docs/benchmarks.md"
fi
