#!/bin/bash
# Eight tasks of one problem at once, each in a pid namespace of its own (where
# every pid is 1), as the containers of a Job: they make the shards that one
# process makes, and where one is killed the others go on.
# T2T_RUNS=20: so many times.
set -u
datagen=$PWD/$1
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/tasks.XXXXXX")
cd "$work" || exit 1
failures=0
tasks=8

fail() { echo "FAIL: $*"; failures=$((failures + 1)); }

namespace=(unshare --pid --fork --mount-proc --kill-child)
if ! "${namespace[@]}" true 2>/dev/null; then
  namespace=(unshare --user --map-root-user --pid --fork --mount-proc
    --kill-child)
  if ! "${namespace[@]}" true 2>/dev/null; then
    echo "note: no pid namespaces here, so the tasks are plain processes"
    namespace=()
  fi
fi

# Text to download, one word in ten of them new.
export T2T_MULTI30K_URL="file://$work/mirror"
mkdir mirror
for set in train val test_2016_flickr; do
  for language in en de; do
    awk -v seed="$set$language" -v lines="$([[ $set == train ]] &&
      echo 2000 || echo 50)" 'BEGIN {
        srand(length(seed))
        for (i = 0; i < lines; i++) {
          line = ""
          for (w = 0; w < 10; w++) {
            word = int(rand() * 400)
            if (rand() < 0.1) word = word * 7919 + i
            line = line (w ? " " : "") "w" word
          }
          print line " ."
        }
      }' | gzip >"mirror/$set.$language.gz"
  done
done

# generate RUN ARGUMENT...
generate() {
  local run=$1
  shift
  "$datagen" --problem=translate_ende_multi30k --data_dir="$run/data" \
    --tmp_dir="$run/raw" --num_shards=6 --num_concurrent_processes=1 "$@"
}

# task RUN NUMBER
task() {
  exec ${namespace[@]+"${namespace[@]}"} "$datagen" \
    --problem=translate_ende_multi30k --data_dir="$1/data" \
    --tmp_dir="$1/raw" --num_shards=6 --num_concurrent_processes=1 \
    --task_id="$2" >"$1/log.$2" 2>&1
}

mkdir one
generate one >one/log 2>&1 || { cat one/log; exit 1; }

for ((run = 0; run < ${T2T_RUNS:-1}; ++run)); do
  # All go on to the end.
  mkdir all
  pids=()
  for ((i = 0; i < tasks; ++i)); do
    task all $i &
    pids+=($!)
  done
  for ((i = 0; i < tasks; ++i)); do
    wait "${pids[i]}" || { fail "task $i of run $run: $?"; cat "all/log.$i"; }
  done
  diff -r one/data all/data || fail "run $run made other data"
  diff -r one/raw all/raw || fail "run $run downloaded other text"

  # One is killed at a random moment, then done again.
  mkdir killed
  victim=$((RANDOM % tasks))
  pids=()
  for ((i = 0; i < tasks; ++i)); do
    task killed $i &
    pids+=($!)
  done
  sleep "0.$((RANDOM % 10))"
  kill -KILL "${pids[victim]}" 2>/dev/null
  for ((i = 0; i < tasks; ++i)); do
    wait "${pids[i]}" 2>/dev/null || [[ $i == "$victim" ]] ||
      { fail "task $i, not killed, of run $run: $?"; cat "killed/log.$i"; }
  done
  (task killed "$victim") || { fail "again: $?"; cat "killed/log.$victim"; }
  # A temporary of the killed one may be left where it downloaded.
  for name in killed/raw/*.tmp-*; do [[ -e $name ]] && rm "$name"; done
  diff -r one/data killed/data || fail "run $run made other data after a kill"
  rm -rf all killed
done

cd / && rm -rf "$work"
exit $((failures > 0))
