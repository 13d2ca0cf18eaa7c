#!/bin/bash
# What t2t-bleu prints, writes and returns.
set -u
bleu=t2t/bin/bleu/t2t-bleu
dir=$TEST_TMPDIR/bleu
mkdir -p "$dir"
cd "$dir" || exit 1
bleu=$OLDPWD/$bleu
failed=0

# expect <exit code> <text that must be in the output> <arguments>
expect() {
  local code=$1 text=$2
  shift 2
  local out got
  out=$("$bleu" "$@" 2>&1)
  got=$?
  if [[ $got != "$code" || $out != *"$text"* ]]; then
    echo "t2t-bleu $*: exit code $got (expected $code), output:"
    echo "$out"
    echo "expected in it: $text"
    failed=1
  fi
}

printf 'The dog runs in the park.\nA man reads a book.\n' > ref
printf 'the dog runs in a park.\nA man reads a book.\n' > out
printf 'one line\n' > short

expect 0 'BLEU_uncased =  73.24' --translation=out --reference=ref
expect 0 'BLEU_cased =  63.23' --translation=out --reference=ref
expect 0 'BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:' \
  --translation=out --reference=ref --tokenize=13a
expect 0 'nrefs:2|case:lc' --translation=out --reference=ref,out \
  --tokenize=intl -lc
expect 0 'chrF2++|nrefs:1' --translation=out --reference=ref --chrf \
  --chrf_word_order=2
expect 0 '"name": "BLEU"' --translation=out --reference=ref --tokenize=none \
  --json
expect 3 'short has 1 line, ref has 2' --translation=short --reference=ref
expect 4 'nothing' --translation=nothing --reference=ref
expect 2 'one of 13a' --translation=out --reference=ref --tokenize=14a
expect 2 'cased, uncased or both' --translation=out --reference=ref \
  --bleu_variant=x
expect 2 'not both' --translation=out --translations_dir=. --reference=ref
expect 2 'reference is missing' --translation=out
expect 2 'did you mean' --translatoin=out --reference=ref

mkdir all
cp ref all/out-200
cp out all/out-100
cp out all/other
expect 0 'out-200:  BLEU_cased_x = 100.00' --translations_dir=all \
  --reference=ref --event_dir=events --tag_suffix=_x
[[ $(cat events/last_evaluated_step.txt) == 200 ]] || failed=1
grep -q BLEU_uncased_x events/events.out.tfevents.* || failed=1
expect 0 '{"step": 100, "file": "all/out-100", "BLEU_13a"' \
  --translations_dir=all --reference=ref --tokenize=13a --json
# Goes on where it stopped.
cp out all/out-300
out=$("$bleu" --translations_dir=all --reference=ref --event_dir=events)
[[ $out == *out-300* && $out != *out-100* ]] || failed=1
expect 0 'no translation in all' --translations_dir=all --reference=ref \
  --min_steps=1000
expect 4 'is not there' --translations_dir=none --reference=ref
exit $failed
