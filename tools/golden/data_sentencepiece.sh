#!/bin/bash
# Trains the small SentencePiece models of tests/golden/data and writes what
# spm_encode makes of a few lines (Debian's package sentencepiece).
#
#   tools/golden/data_sentencepiece.sh tests/golden/data
set -euo pipefail
cd "$1"
common=(--input=corpus_en.txt --vocab_size=100 --character_coverage=1
        --normalization_rule_name=identity --minloglevel=2)
spm_train "${common[@]}" --model_prefix=spm_t2t \
  --pad_id=0 --eos_id=1 --unk_id=2 --bos_id=-1
spm_train "${common[@]}" --model_prefix=spm_default --model_type=bpe
rm -f spm_t2t.vocab spm_default.vocab
printf '%s\n' "the small house walks." "stone river!" "a" > spm_lines.txt
for model in spm_t2t spm_default; do
  spm_encode --model=$model.model --output_format=id < spm_lines.txt \
    > $model.ids
done
