#!/bin/bash
# Makes data and trains by the manifests of every backend, run here, with one
# Pod and with two; each training is killed once on the way, and all end with
# the same weights. Then a sweep and a pipeline, with the real programs; the
# pipeline again with kills on the way, to the same model.
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

# quietly COMMAND...: its output only where it fails.
quietly() {
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
}

quietly "$launch" run datagen --local --timeout=100

# weights WORKERS BACKEND KILLS: trains, prints the checksum.
weights() {
  local out=$2-$1-$3
  quietly "$launch" run train --local --backend="$2" --workers="$1" \
    --trainer_args=--deterministic --chaos="$3" --chaos_seconds=0.6 \
    --timeout=100 --output_dir="/t2t/train/$out"
  grep -q "$3 killed on purpose" "$work/log" || { cat "$work/log" >&2; return 1; }
  sha256sum <".local/t2t/train/$out/model.ckpt-40.safetensors"
}

# same WORKERS BACKEND...
same() {
  local workers=$1 expected actual backend
  shift
  expected=$(weights "$workers" job 0)
  for backend; do
    actual=$(weights "$workers" "$backend" 1)
    if [[ $actual != "$expected" ]]; then
      echo "$workers workers, $backend: other weights after a kill"
      exit 1
    fi
    echo "$workers workers, $backend: killed, went on, the same weights"
  done
}
same 1 job jobset trainjob pytorchjob tfjob mpijob
same 2 job jobset trainjob pytorchjob tfjob mpijob

# A sweep of four trials; it says which is the best.
"$launch" generate train small --problem=translate_numbers_ende --cpu=1 \
  --hparams_set=transformer_tiny --hparams=batch_size=256 \
  --train_steps=10 --local_eval_frequency=10 --trainer_args=--eval_steps=2
quietly "$launch" sweep small --grid='learning_rate=0.1|0.3,num_heads=2|4' \
  --local --chaos=1 --chaos_seconds=0.3 --timeout=100
[[ $(grep -c '^\(best:\)\? *loss [0-9.]* *app-small-sweep-[0-3] ' "$work/log") \
  == 4 ]] || { cat "$work/log"; exit 1; }
grep '^best:' "$work/log"
for trial in 0 1 2 3; do
  [[ -s .local/t2t/sweep/$trial/model.ckpt-10.safetensors ]]
done

# A pipeline: data, two trainings, their scores, the better one to the servers.
# (The dev text that is its default takes longer to decode.)
texts() {
  mkdir -p "$1/t2t/decode"
  printf 'twenty-three\nseven\n' >"$1/t2t/decode/source.txt"
  printf 'dreiundzwanzig\nsieben\n' >"$1/t2t/decode/reference.txt"
}
texts .local
"$launch" generate pipeline --train=train,small --cpu=1 \
  --source=/t2t/decode/source.txt --reference=/t2t/decode/reference.txt
for name in train small; do
  "$launch" param set -- $name trainer_args --deterministic,--eval_steps=2
done
quietly "$launch" pipeline run --local --timeout=200
deployed=.local/t2t/export/t2t
[[ -s $deployed/1/model.safetensors && -s $deployed/1/bleu.txt ]] ||
  { ls -R .local/t2t/export; cat "$work/log"; exit 1; }
grep -o 'BLEU .* beats .*' "$work/log"
# Again: nothing is better, so nothing is deployed.
quietly "$launch" pipeline run --local --timeout=200
grep -q 'the servers stay as they are' "$work/log"
[[ ! -e $deployed/2 ]]
# From nothing, with kills on the way.
texts killed
quietly "$launch" pipeline run --local --local_dir=killed --chaos=3 \
  --chaos_seconds=0.2 --timeout=200
grep -q '3 killed on purpose' "$work/log" || { cat "$work/log"; exit 1; }
grep 'chaos: ' "$work/log"
for file in bleu.txt model.safetensors; do
  cmp "$deployed/1/$file" "killed/t2t/export/t2t/1/$file" ||
    { cat "$work/log"; exit 1; }
done
[[ ! -e killed/t2t/export/t2t/2 ]]
