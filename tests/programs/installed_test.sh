#!/bin/bash
# Programs in a folder of their own, as scripts/install.sh and the image put
# them: they find LibTorch in ../lib and plug-ins beside themselves.
set -euo pipefail
datagen=$1 trainer=$2 plugin=$3 torch=$(dirname "$(realpath "$4")") model=$5
fail() { echo "FAILED: $1"; exit 1; }
[[ -z ${LD_LIBRARY_PATH:-} ]] || unset LD_LIBRARY_PATH

home=$TEST_TMPDIR/installed
mkdir -p "$home/bin"
ln -s "$torch" "$home/lib"
cp -L "$datagen" "$trainer" "$home/bin/"
chmod u+w "$home"/bin/*
cd "$TEST_TMPDIR"

[[ $("$home/bin/t2t-trainer" --help) == *--output_dir* ]] || fail "trainer"

seq 1 200 | sed 's/.*/on & on/' >text
generate() {
  "$home/bin/t2t-datagen" --problem=text2text_tmpdir --data_dir="$1" \
    --tmp_dir=tmp --vocab="$OLDPWD/$model" --train_src=text --train_tgt=text \
    --dev_src=text --dev_tgt=text --num_shards=1 2>&1
}
code=0
output=$(generate lacking) || code=$?
[[ $code -eq 4 && $output == *libt2t_sentencepiece.so* ]] ||
  fail "without the plug-in: $code, $output"
cp -L "$OLDPWD/$plugin" "$home/bin/"
output=$(generate data) || fail "with the plug-in: $output"
