#!/bin/bash
# How long programs take to answer without working: help, names, mistakes. The
# median of several runs each, over that of an empty process. Prints a table.
#
# usage: tools/bench/start_times.sh FOLDER [RUNS, default 21]
#   FOLDER has the programs, or Bazel's folders of them (bazel-bin/t2t/bin).
set -euo pipefail
folder=$1 runs=${2:-21}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# median COMMAND ...: of the milliseconds it takes, whatever it returns.
median() {
  local i start end
  for ((i = 0; i < runs; ++i)); do
    start=${EPOCHREALTIME/./}
    "$@" >"$work/out" 2>&1 || true
    end=${EPOCHREALTIME/./}
    echo $((end - start))
  done | sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] / 1000 }'
}

find_program() { find -L "$folder" -maxdepth 2 -type f -name "$1" | head -n 1; }

empty=$(median /bin/true)
row() {
  local what=$1 time
  shift
  time=$(median "$@")
  awk -v what="$what" -v time="$time" -v empty="$empty" 'BEGIN {
    printf "| %s | %.1f | %.1f |\n", what, time, time - empty }'
}

echo "| start | ms | over an empty process ($empty ms) |"
echo "|---|---|---|"
for name in avg-all bleu datagen decoder eval exporter import launch \
  model-server query-server trainer translate-all; do
  program=$(find_program "t2t-$name")
  [[ -n $program ]] || { echo "no t2t-$name in $folder" >&2; exit 4; }
  row "\`t2t-$name --help\`" "$program" --help
  row "\`t2t-$name --problm=x\`" "$program" --problm=x
done
trainer=$(find_program t2t-trainer)
decoder=$(find_program t2t-decoder)
datagen=$(find_program t2t-datagen)
run=(--problem=translate_ende_wmt32k --model=transformer
  --hparams_set=transformer_base --data_dir="$work/nowhere"
  --output_dir="$work/out_dir")
row "\`t2t-trainer --registry_help\`" "$trainer" --registry_help
row "\`t2t-trainer --print_hparams\`" "$trainer" "${run[2]}" --print_hparams
row "\`t2t-datagen --registry_help\`" "$datagen" --registry_help
row "\`t2t-trainer\`, no such problem" "$trainer" "${run[@]}" --problem=translate_endee
row "\`t2t-trainer\`, no such model" "$trainer" "${run[@]}" --model=transfomer
row "\`t2t-trainer\`, no such set" "$trainer" "${run[@]}" --hparams_set=transformer_bas
row "\`t2t-trainer\`, no such hparam" "$trainer" "${run[@]}" --hparams=hiden_size=3
row "\`t2t-trainer\`, no data_dir" "$trainer" "${run[@]}"
row "\`t2t-decoder\`, no such model" "$decoder" "${run[@]}" --model=transfomer
row "\`t2t-decoder\`, no data_dir" "$decoder" "${run[@]}"
