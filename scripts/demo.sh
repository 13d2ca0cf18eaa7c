#!/bin/bash
# From nothing to a translator in one command: installs what is missing,
# builds, makes data, trains a small Transformer that translates English number
# names to German, translates numbers that it never saw, and scores the result.
# Downloads no data; once built, training takes about two minutes on two cores.
#
# usage: scripts/demo.sh
#
#   T2T_DEMO_DIR    where the work goes (default: /tmp/t2t_demo); the next run
#                   starts it anew
#   T2T_DEMO_STEPS  training steps (default: 1700)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  '') ;;
  *)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    [[ $1 == -h || $1 == --help ]] && exit 0
    exit 2
    ;;
esac

DIR=${T2T_DEMO_DIR:-/tmp/t2t_demo}
STEPS=${T2T_DEMO_STEPS:-1700}
PROBLEM=translate_numbers_ende
WANTED_BLEU=95
MARK=.t2t_demo

# step NUMBER TITLE
step() {
  printf '\n%s[%s/6] %s%s\n' "$BOLD" "$1" "$2" "$PLAIN"
  STARTED=$SECONDS
}
took() { printf '%s      %d s%s\n' "$DIM" $((SECONDS - STARTED)) "$PLAIN"; }
# Shows a command as one would type it, and runs it.
run() {
  local name=$1
  shift
  printf '%s$ t2t-%s %s%s\n' "$DIM" "$name" "$*" "$PLAIN"
  "$BIN/$name/t2t-$name" "$@"
}

# A folder that was there before is not ours to empty.
if [[ -d $DIR && -n $(ls -A "$DIR") && ! -e $DIR/$MARK ]]; then
  die "$DIR is there already and was not made by this script" \
    "set T2T_DEMO_DIR to a folder that is empty or not there"
fi

step 1 "Installing what the build needs"
"$REPO/scripts/install_deps.sh"
took

step 2 "Building (some minutes the first time)"
bz build --jobs="$(build_jobs)" --noshow_progress \
  //:t2t-datagen //:t2t-trainer //:t2t-decoder //:t2t-bleu 2>&1 |
  grep -vE '^(INFO|Loading|Analyzing|Starting|Target|  bazel-bin)' || true
[[ ${PIPESTATUS[0]} -eq 0 ]] || die "the build failed" "see the lines above"
BIN=$(bz info bazel-bin 2>/dev/null)/t2t/bin
took

rm -rf "$DIR"
mkdir -p "$DIR/decoded"
touch "$DIR/$MARK"

step 3 "Making data: number names, English to German"
run datagen --problem=$PROBLEM --data_dir="$DIR/data" --tmp_dir="$DIR/tmp"
took

step 4 "Training a small Transformer, $STEPS steps"
run trainer --problem=$PROBLEM --model=transformer \
  --hparams_set=transformer_numbers --data_dir="$DIR/data" \
  --output_dir="$DIR/train" --train_steps="$STEPS" --schedule=train
took

step 5 "Translating 500 lines of numbers that it never saw"
test_en=$DIR/data/$PROBLEM.test.en
test_de=$DIR/data/$PROBLEM.test.de
run decoder --problem=$PROBLEM --model=transformer \
  --hparams_set=transformer_numbers --data_dir="$DIR/data" \
  --output_dir="$DIR/train" --decode_hparams="beam_size=4,alpha=0.6" \
  --decode_from_file="$test_en" --decode_to_file="$DIR/decoded/test.de"
took

step 6 "Scoring"
run bleu --translation="$DIR/decoded/test.de" --reference="$test_de" |
  tee "$DIR/decoded/bleu.txt"
bleu=$(awk '/BLEU_cased/ { print $NF }' "$DIR/decoded/bleu.txt")
right=$(paste -d '\n' "$DIR/decoded/test.de" "$test_de" |
  awk 'NR % 2 { said = $0; next } said == $0 { n++ } END { print n + 0 }')

printf '\n%sA few of them%s\n' "$BOLD" "$PLAIN"
for line in 3 57 111 200 321 444; do
  said=$(sed -n "${line}p" "$DIR/decoded/test.de")
  mark="$GREEN=$PLAIN"
  if [[ $said != "$(sed -n "${line}p" "$test_de")" ]]; then
    mark="$RED~$PLAIN"
  fi
  printf '  en  %s\n  de%s %s\n\n' "$(sed -n "${line}p" "$test_en")" "$mark" \
    "$said"
done

printf '%s%s of %s lines are right to the letter; BLEU %s; %d s in all.%s\n' \
  "$BOLD" "$right" "$(wc -l <"$test_de")" "$bleu" "$SECONDS" "$PLAIN"
awk -v bleu="$bleu" -v wanted=$WANTED_BLEU \
  'BEGIN { exit !(bleu + 0 > wanted) }' ||
  die "BLEU $bleu is not over $WANTED_BLEU" \
    "with T2T_DEMO_STEPS at its default it should be: please report it"

cat <<END

Now try your own numbers:

  $BIN/decoder/t2t-decoder --output_dir=$DIR/train --data_dir=$DIR/data --decode_interactive

and then README.md, for real text and for your own.
END
