"""Rewrites what in tests/golden/metrics/ depends on Unicode's version.

usage: python tools/golden/metrics_unicode.py tests/golden/metrics
Needs unicodedata2==15.0.0 regex==2023.6.3 sacrebleu==2.3.1: ICU 72's Unicode,
that of Python 3.12. metrics.py, which asks T2T itself, needs a Python that
TensorFlow 2.15 runs on, whose Unicode is 14. So T2T's tokenizer and score stand
here again; they are checked against what T2T gave, with Unicode 14.
"""

import collections
import json
import math
import os
import re
import sys
import unicodedata

import numpy as np
from sacrebleu.metrics import BLEU
import unicodedata2


def fnv(text):
  """FNV-1a, 64 bits."""
  value = 0xCBF29CE484222325
  for byte in text.encode("utf-8"):
    value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
  return "%016x" % value


def t2t_tokenizer(database):
  """bleu_hook.bleu_tokenize, with the categories of a Unicode database."""
  def chars(*categories):
    return "".join(chr(c) for c in range(0x110000)
                   if database.category(chr(c)).startswith(categories))
  digits = chars("Nd")
  punctuation = chars("P")
  before = re.compile("([^%s])([%s])" % (digits, punctuation))
  after = re.compile("([%s])([^%s])" % (punctuation, digits))
  symbol = re.compile("([%s])" % chars("S"))

  def tokenize(text):
    text = before.sub(r"\1 \2 ", text)
    text = after.sub(r" \1 \2", text)
    return symbol.sub(r" \1 ", text).split()
  return tokenize


def bleu(references, hypotheses):
  """bleu_hook.compute_bleu, in percent."""
  matches, possible = [0] * 4, [0] * 4
  lengths = [0, 0]
  for reference, hypothesis in zip(references, hypotheses):
    lengths[0] += len(reference)
    lengths[1] += len(hypothesis)
    for n in range(4):
      grams = [collections.Counter(
          tuple(words[i:i + n + 1]) for i in range(len(words) - n))
               for words in (reference, hypothesis)]
      matches[n] += sum((grams[0] & grams[1]).values())
      possible[n] += sum(grams[1].values())
  smooth, total = 1.0, 0.0
  for n in range(4):
    if possible[n] == 0:
      continue
    if matches[n] == 0:
      smooth *= 2
    total += math.log((matches[n] or 1 / smooth) / possible[n])
  if not lengths[1]:
    return 0.0
  penalty = math.exp(min(0, 1 - lengths[0] / lengths[1]))
  return 100 * float(np.float32(math.exp(total / 4) * penalty))


def t2t_scores(corpus, tokenize):
  def score(change):
    rows = [[tokenize(change(line)) for line in corpus[name]]
            for name in ("first", "hypotheses")]
    return bleu(*rows)
  return {"cased": score(lambda text: text), "uncased": score(str.lower)}


def all_code_points(tokenize):
  """As metrics.py has it."""
  codes = [chr(c) for c in range(0xE0200)
           if not 0xD800 <= c < 0xE000 and not 0x32000 <= c < 0xE0000]
  return fnv("\n".join("|".join(tokenize(
      "a%sb 1%s2 %s%s a%s 1%sΣ%s" % (c, c, c, c, c, c, c))) for c in codes))


def main():
  folder = sys.argv[1]
  old, new = t2t_tokenizer(unicodedata), t2t_tokenizer(unicodedata2)
  assert unicodedata.unidata_version == "14.0.0"
  path = os.path.join(folder, "code_points.json")
  with open(path, encoding="utf-8") as f:
    found = json.load(f)
  print("T2T's tokenizer:", all_code_points(old))
  intl = BLEU(tokenize="intl").tokenizer
  found["t2t"] = all_code_points(new)
  found["intl"] = all_code_points(lambda text: intl(text.rstrip()).split())
  with open(path, "w", encoding="utf-8") as f:
    json.dump(found, f, separators=(",", ":"))

  path = os.path.join(folder, "corpora.json")
  with open(path, encoding="utf-8") as f:
    text = f.read()
  for corpus in json.loads(text)["corpora"]:
    scores = t2t_scores(corpus, old)
    changed = t2t_scores(corpus, new)
    for name, was in corpus["t2t"].items():
      known = min(abs(was - scores[name]), abs(was - changed[name]))
      assert known < 1e-5, (corpus["name"], name, was, scores[name])
      if abs(was - changed[name]) > 1e-5:
        print(corpus["name"], name, was, changed[name])
        text = text.replace(repr(was), repr(changed[name]))
  with open(path, "w", encoding="utf-8") as f:
    f.write(text)


if __name__ == "__main__":
  main()
