#!/bin/bash
# Programs in a folder of their own, as scripts/install.sh and the image put
# them: they find their libraries, LibTorch and plug-ins in ../lib.
set -euo pipefail
datagen=$1 trainer=$2 base=$3 half=$4 plugin=$5 torch=$(dirname "$(realpath "$6")")
model=$7
fail() { echo "FAILED: $1"; exit 1; }
[[ -z ${LD_LIBRARY_PATH:-} ]] || unset LD_LIBRARY_PATH

home=$TEST_TMPDIR/installed
mkdir -p "$home/bin" "$home/lib"
cp -L "$datagen" "$trainer" "$home/bin/"
cp -L "$base" "$(dirname "$base")/libt2t_datagen.so" "$home/lib/"
chmod u+w "$home"/*/*
model=$PWD/$model half=$PWD/$half plugin=$PWD/$plugin
cd "$TEST_TMPDIR"

# What needs no LibTorch is answered without it.
[[ $("$home/bin/t2t-trainer" --help) == *--output_dir* ]] || fail "--help"

seq 1 200 | sed 's/.*/on & on/' >text
generate() {
  "$home/bin/t2t-datagen" --problem=text2text_tmpdir --data_dir="$1" \
    --tmp_dir=tmp --vocab="$model" --train_src=text --train_tgt=text \
    --dev_src=text --dev_tgt=text --num_shards=1 2>&1
}
code=0
output=$(generate lacking) || code=$?
[[ $code -eq 4 && $output == *libt2t_sentencepiece.so* ]] ||
  fail "without the plug-in: $code, $output"
cp -L "$plugin" "$home/lib/"
output=$(generate data) || fail "with the plug-in: $output"

try() {
  "$home/bin/t2t-trainer" --problem=text2text_tmpdir --model=transformer \
    --hparams_set=transformer_tiny --data_dir=data --dry_run 2>&1
}
code=0
output=$(try) || code=$?
[[ $code -eq 4 && $output == *libt2t_torch.so* ]] ||
  fail "without libt2t_torch.so: $code, $output"
cp -L "$half" "$torch"/*.so* "$home/lib/"
output=$(try) || fail "a dry run: $output"
[[ $output == *"all of it fits together"* ]] || fail "$output"
