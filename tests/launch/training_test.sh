#!/bin/bash
# Makes data and trains by the manifests of every backend, run here; each
# training is killed once on the way, and all end with the same weights.
set -euo pipefail
launch=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$launch" init app
cd app
"$launch" generate datagen --problem=translate_numbers_ende --cpu=1 \
  --datagen_args=--max_cases=2000
"$launch" generate train --problem=translate_numbers_ende --cpu=1 \
  --hparams_set=transformer_tiny --hparams=batch_size=256 \
  --schedule=train --train_steps=40 --local_eval_frequency=10
"$launch" run datagen --local --timeout=100 >"$work/log" 2>&1 ||
  { cat "$work/log"; exit 1; }

# weights BACKEND KILLS: trains, prints the checksum.
weights() {
  "$launch" run train --local --backend="$1" --chaos="$2" \
    --chaos_seconds=0.6 --timeout=100 --output_dir="/t2t/train/$1-$2" \
    >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
  grep -q "$2 killed on purpose" "$work/log" || { cat "$work/log" >&2; return 1; }
  sha256sum <".local/t2t/train/$1-$2/model.ckpt-40.safetensors"
}

expected=$(weights job 0)
for backend in job jobset trainjob pytorchjob tfjob mpijob; do
  actual=$(weights "$backend" 1)
  if [[ $actual != "$expected" ]]; then
    echo "$backend: other weights after a kill"
    exit 1
  fi
  echo "$backend: killed, went on, the same weights"
done
