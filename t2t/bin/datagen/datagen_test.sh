#!/bin/bash
# Exit codes and messages of t2t-datagen.
set -u
datagen=$PWD/$1
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/datagen.XXXXXX")
cd "$work" || exit 1
failures=0

# expect CODE TEXT ARGUMENT...: the exit code, and a text in the output.
expect() {
  local code=$1 text=$2
  shift 2
  "$datagen" "$@" >out 2>&1
  local got=$?
  if [[ $got != "$code" ]] || ! grep -qF -- "$text" out; then
    echo "FAIL: t2t-datagen $*: exit code $got (expected $code), and:"
    cat out
    failures=$((failures + 1))
  fi
}

expect 0 "translate_numbers_ende" --registry_help
expect 0 "example:" --help
expect 0 "algorithmic_sort_problem" --problem='algorithmic_*' --only_list
expect 2 "did you mean" --problem=tiny_algos --data_dir=data
expect 2 "--problem is missing" --data_dir=data
expect 2 "--data_dir is missing" --problem=tiny_algo
expect 2 "did you mean" --problm=tiny_algo
expect 2 "takes no --train_src" --problem=tiny_algo --data_dir=data \
  --train_src=a --train_tgt=b
expect 2 "takes no --vocab" --problem=tiny_algo --data_dir=data --vocab=a
expect 2 "--max_cases" --problem=tiny_algo --data_dir=data --max_cases=-1
expect 2 "go together" --problem=tiny_algo --data_dir=data --task_id_start=0
expect 4 "train-images-idx3-ubyte" --problem=image_mnist --data_dir=data \
  --tmp_dir=tmp
[[ -e data ]] && { echo "FAIL: data was made"; failures=$((failures + 1)); }

touch file
expect 5 "can't make the folder" --problem=tiny_algo --data_dir=file/data
expect 4 "x is not there" --problem=tiny_algo --data_dir=data --t2t_usr_dir=x
expect 0 "done in" --problem=tiny_algo --data_dir=data
expect 0 "already there" --problem=tiny_algo_rev --data_dir=data
expect 2 "--overwrite" --problem=tiny_algo --data_dir=data --random_seed=1
expect 2 "there is no task 2" --problem=tiny_algo --data_dir=data --task_id=2

# Shard by shard is the same as all at once.
"$datagen" --problem=tiny_algo --data_dir=tasks --task_id_start=0 \
  --task_id_end=2 >out 2>&1 || cat out
diff -r data tasks || failures=$((failures + 1))

printf 'one\ntwo\n' >a
printf 'eins\n' >b
expect 3 "b has 1 line" --problem=text2text_tmpdir --data_dir=text \
  --train_src=a --train_tgt=b --dev_src=a --dev_tgt=a
[[ -e text ]] && { echo "FAIL: text was made"; failures=$((failures + 1)); }
expect 0 "2 examples" --problem=text2text_tmpdir --data_dir=text \
  --train_src=a --train_tgt=a --dev_src=b --dev_tgt=b --num_shards=2

# Text out of pipes, which can be read once, is as out of files.
expect 0 "2 examples" --problem=text2text_tmpdir --data_dir=piped \
  --tmp_dir=tmp --train_src=<(cat a) --train_tgt=<(gzip <a) \
  --dev_src=<(cat b) --dev_tgt=b --num_shards=2
diff -r text piped || { echo "FAIL: pipes"; failures=$((failures + 1)); }

"$datagen" --registry_help >/dev/full 2>out
[[ $? == 5 ]] || { echo "FAIL: /dev/full"; cat out; failures=$((failures + 1)); }

# No room to write: an error, and no file left.
(
  ulimit -f 1
  trap '' XFSZ
  "$datagen" --problem=tiny_algo --data_dir=small >out 2>&1
  [[ $? == 5 ]] || { cat out; exit 1; }
) || { echo "FAIL: limited file size"; failures=$((failures + 1)); }
if ls small | grep -qE -- '-of-|tmp'; then
  echo "FAIL: files left over:"; ls small
  failures=$((failures + 1))
fi

rm -rf "$work"
exit $((failures > 0))
