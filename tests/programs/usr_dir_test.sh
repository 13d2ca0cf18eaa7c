#!/bin/bash
# --t2t_usr_dir: the example's problem, model, modality and set are trained and
# decoded with, and its metric is computed; what is compiled is kept; and what can be wrong with such a
# folder is said. Arguments: datagen, trainer, decoder, a folder with the
# example.
set -euo pipefail
datagen=$PWD/$1 trainer=$PWD/$2 decoder=$PWD/$3
example=$TEST_TMPDIR/usr_dir
cp -rL "$4" "$example"
cd "$TEST_TMPDIR"
export XDG_CACHE_HOME=$TEST_TMPDIR/cache
if ! command -v "${CXX:-g++}" >/dev/null; then
  echo "no compiler here: nothing is checked"
  exit 0
fi
fail() { echo "FAILED: $1"; exit 1; }

# expect CODE TEXT PROGRAM ARGUMENT...
expect() {
  local want=$1 text=$2 code=0
  shift 2
  output=$("$@" 2>&1) || code=$?
  [[ $code -eq $want && $output == *"$text"* ]] ||
    fail "exit $code, not $want with '$text': $* : $output"
}

expect 0 "compiled in" "$datagen" --t2t_usr_dir="$example" \
  --problem=next_letter --data_dir=data
[[ $(stat -c %a cache/t2t/plugins) == 700 ]] || fail "the cache is not private"
# Next time it is taken as it is.
expect 0 "next_letter" "$trainer" --t2t_usr_dir="$example" --registry_help
[[ $output == *"position_mlp"* ]] || fail "no position_mlp: $output"
[[ $output != *compil* ]] || fail "compiled again: $output"

expect 0 "" "$trainer" --t2t_usr_dir="$example" --problem=next_letter \
  --model=position_mlp --hparams_set=position_mlp_tiny --data_dir=data \
  --output_dir=train --train_steps=300 --schedule=train --threads=1
printf 'hello\nzebra\n' >in
expect 0 "" "$decoder" --t2t_usr_dir="$example" --data_dir=data \
  --output_dir=train --decode_from_file=in --decode_to_file=out \
  --decode_hparams=beam_size=1,extra_length=0
[[ $(cat out) == $'ifmmp\nafcsb' ]] || fail "decoded $(cat out)"
expect 0 "first_letter 1.0" "$trainer" --t2t_usr_dir="$example" \
  --problem=next_letter --model=position_mlp --hparams_set=position_mlp_tiny \
  --data_dir=data --output_dir=train --schedule=evaluate --threads=1

# Wrong folders. What they need is compiled fast: no class of LibTorch's.
folder() {
  rm -rf "$1"
  mkdir "$1"
  cat >"$1/it.cc"
}
list() { expect "$2" "$3" "$datagen" --t2t_usr_dir="$1" --registry_help; }
list nowhere 4 "nowhere is not there"
mkdir -p empty
list empty 4 "has no .cc file"
folder broken <<<'#include "t2t/problem/user_plugin.h"
T2T_USER_PLUGIN(registries) { no_such_name; }'
list broken 2 "no_such_name"
[[ $output == *"does not compile"* ]] || fail "$output"
folder silent <<<'int nothing_registered;'
list silent 2 "has no T2T_USER_PLUGIN"
taken='#include "t2t/problem/user_plugin.h"
T2T_USER_PLUGIN(registries) {
  registries.hparams_sets.Add("transformer_base", [] { return t2t::HParams(); });
}'
folder taken <<<"$taken"
list taken 2 "'transformer_base' is registered twice: at hparams/all_hparams.cc"
[[ $output == *"/taken/it.cc:3"* ]] || fail "$output"

# A library is taken, too, but not one for other programs.
# shellcheck disable=SC2012
library=$(ls -t cache/t2t/plugins/*.so | head -n 1)
cp "$library" made.so
list made.so 2 "is registered twice"
sed -i 's/[0-9a-f]\{40\}-[0-9a-f]\{40\}/0000000000000000000000000000000000000000-0000000000000000000000000000000000000000/' made.so
list made.so 2 "was compiled for other programs"
