"""Writes tests/golden/metrics/: corpora and their scores, T2T's and sacreBLEU's.

usage: PYTHONPATH=<folder of tensor2tensor> python tools/golden/metrics.py <out>
It takes a minute, most of it for code_points.json; a second argument
(corpora, ids, code_points) makes that file alone.
"""

import json
import os
import random
import sys
import tempfile
import types

import numpy as np
import tensorflow as tf

# T2T imports these for things that aren't used here.
for name in ("tensorflow_addons", "gin", "gin.tf", "tf_slim", "gym", "bz2file",
             "scipy", "scipy.signal", "tensorflow_probability",
             "tensorflow_gan"):
  sys.modules.setdefault(name, types.ModuleType(name))
sys.modules["scipy"].signal = sys.modules["scipy.signal"]

import sacrebleu
from sacrebleu.metrics import BLEU
from sacrebleu.metrics import CHRF
from tensor2tensor.utils import bleu_hook
from tensor2tensor.utils import rouge

WORDS = {
    "english": ("the a dog man two young women is are running (playing) "
                "\"quoted\" ball, in on front of street. U.S. 3.14 1,000 "
                "state-of-the-art don't &amp; &quot; it's 50% $20 e.g. "
                "<skipped> A-B 7-8 9- -9 [x] {y} `z` ~ ^ | _ \\ / # @ 2016."),
    "german": ("Ein Mann läuft über die Straße. Zwei Frauen, „zitiert“ "
               "Österreich ÄPFEL GROẞ straße 1.000,50 € – — … Müller-Lüdenscheidt "
               "z.B. d'Arc 'n §5 »so« ‚halb‘"),
    "greek_turkish": ("ΟΔΥΣΣΕΥΣ Σ ΑΣ. ΣΑΣ Ἀθῆναι ΜΈΓΑΣ, İstanbul ISPARTA "
                      "ığdır DİYARBAKIR; «Τι;» ΆΣ́Α Σ' ΑΣ'Σ 12·5"),
    "russian": ("Два МОЛОДЫХ человека, играют; в мяч. «Привет» — сказал он… "
                "№5 1,5 ₽100 Ёлка что-то т.е."),
    "chinese": ("一个 男人 在 街上 跑步。 你好， 世界！ 《书》 ２０２０年 100元 "
                "“引用” — ABC 、 （笑） 𠀀 ㍿ ⼀ ✓ ≤ 3.5％"),
    "hindi_arabic": ("एक आदमी दौड़ रहा है। ०१२ १.५ رجل يركض، في الشارع؟ ٣٫٥ "
                     "١٢٣ ¿qué? ¡sí! ½ x² ⅷ ①② ๑๒ ไทย། ༼ᠠ᠂"),
    "symbols": ("+ += == -> → ∑ ∞ © ® ™ ° € £ ¥ 😀 👍🏽 👩‍👩‍👧 🇩🇪 ♥ ★ ￥ ＋ "
                "\u00ad a\u0301 \u200b \u2028x \ufeff x\u00a0y \u3000 \u1680 "
                "a.b,c 1.2.3 1,a a,1 .5 5. ... ,,, a.. ..a 1..2 !?! (((a))) "
                "🄰 🪿 🫨 \u1b7d \u1fbc5 \U0001f6dc \U00011f43 \U00010ed0"),
}


def noisy(words, rng):
  """A worse copy of a sentence."""
  out = []
  for word in words:
    dice = rng.random()
    if dice < 0.08:
      continue
    if dice < 0.14:
      out.append(word.upper())
    elif dice < 0.2:
      out.append(word.lower())
    elif dice < 0.26 and out:
      out[-1] += word
    elif dice < 0.3:
      out.extend([word, word])
    elif dice < 0.34:
      out.insert(rng.randrange(len(out) + 1), word)
    else:
      out.append(word)
  return out


def corpus(name, lines):
  """Hypotheses and two lists of references."""
  rng = random.Random(name)
  words = WORDS[name].split(" ")
  hypotheses, first, second = [], [], []
  for _ in range(lines):
    sentence = [rng.choice(words) for _ in range(rng.randint(0, 16))]
    if rng.random() < 0.5:
      sentence.append(rng.choice([".", "!", "?", "。", ""]))
    first.append(" ".join(sentence))
    second.append(" ".join(noisy(sentence, rng)))
    hypotheses.append(" ".join(noisy(sentence, rng)) if rng.random() > 0.1
                      else " ".join(sentence))
  return hypotheses, first, second


def t2t_scores(hypotheses, references):
  """BLEU_cased and BLEU_uncased through files, as t2t-bleu does."""
  with tempfile.TemporaryDirectory() as folder:
    paths = []
    for i, lines in enumerate((hypotheses, references)):
      paths.append(os.path.join(folder, str(i)))
      with open(paths[-1], "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return {
        "cased": 100 * float(bleu_hook.bleu_wrapper(
            paths[1], paths[0], case_sensitive=True)),
        "uncased": 100 * float(bleu_hook.bleu_wrapper(
            paths[1], paths[0], case_sensitive=False)),
    }


def report(metric, hypotheses, references):
  score = metric.corpus_score(hypotheses, references)
  signature = metric.get_signature().format()
  found = {"score": score.score, "text": score.format(2, False, signature)}
  if isinstance(metric, CHRF) or signature.find("tok:13a") > 0:
    found["json"] = score.format(1, False, signature, True)
  return found


def sacre_scores(hypotheses, first, second):
  """By settings."""
  # As sacreBLEU's program reads files.
  hypotheses, first, second = (
      [line.rstrip() for line in lines]
      for lines in (hypotheses, first, second))
  found = []
  for references in ([first], [first, second]):
    for tokenizer in ("13a", "intl", "zh", "char", "none"):
      for lowercase in (False, True):
        found.append(dict(
            metric="bleu", references=len(references), tokenizer=tokenizer,
            lowercase=lowercase, smooth="exp",
            **report(BLEU(tokenize=tokenizer, lowercase=lowercase),
                     hypotheses, references)))
    for smooth in ("floor", "add-k", "none"):
      found.append(dict(
          metric="bleu", references=len(references), tokenizer="13a",
          lowercase=False, smooth=smooth,
          **report(BLEU(smooth_method=smooth), hypotheses, references)))
    for word_order in (0, 1, 2):
      for lowercase in (False, True):
        found.append(dict(
            metric="chrf", references=len(references), word_order=word_order,
            lowercase=lowercase, whitespace=word_order == 1,
            **report(CHRF(word_order=word_order, lowercase=lowercase,
                          whitespace=word_order == 1),
                     hypotheses, references)))
  return found


def fnv(text):
  """FNV-1a, 64 bits."""
  value = 0xCBF29CE484222325
  for byte in text.encode("utf-8"):
    value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
  return "%016x" % value


def all_code_points():
  """A hash of what each tokenizer makes of every code point in contexts."""
  codes = [chr(c) for c in range(0xE0200)
           if not 0xD800 <= c < 0xE000 and not 0x32000 <= c < 0xE0000]
  texts = []
  for c in codes:
    texts.append("a%sb 1%s2 %s%s a%s 1%sΣ%s" % (c, c, c, c, c, c, c))
  tokenizers = {name: BLEU(tokenize=name).tokenizer
                for name in ("13a", "intl", "zh", "char", "none")}
  found = {}
  for name, tokenizer in tokenizers.items():
    found[name] = fnv("\n".join(
        "|".join(tokenizer(t.rstrip()).split()) for t in texts))
  found["t2t"] = fnv("\n".join(
      "|".join(bleu_hook.bleu_tokenize(t)) for t in texts))
  found["lower"] = fnv("\n".join(t.lower() for t in texts))
  return found


def id_metrics():
  """T2T's metrics over rows of ids."""
  tf.compat.v1.disable_eager_execution()
  from tensor2tensor.utils import metrics
  found = []
  for seed, size in ((1, 6), (2, 40), (3, 3)):
    rng = np.random.RandomState(seed)
    labels = rng.randint(1, size, (5, 12))
    for row, length in zip(labels, rng.randint(1, 13, 5)):
      row[length:] = 0
    predictions = np.where(rng.rand(5, 12) < 0.4,
                           rng.randint(0, size, (5, 12)), labels)
    tokens = ["<pad>_"] + ["<EOS>"] + [
        rng.choice(["a", "b_", "_c", "dd"]) for _ in range(size)]
    letters = rng.randint(96, 102, (5, 12)) + 2
    letters[rng.rand(5, 12) < 0.3] = 32 + 2
    letters[:, 9:] = 0
    guesses = np.where(rng.rand(5, 12) < 0.2, 99, letters)

    def logits(ids, depth):
      return tf.one_hot(ids, depth)[:, :, None, None, :]
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
      shaped = tf.constant(labels[:, :, None, None], tf.int32)
      edit = metrics.sequence_edit_distance(logits(predictions, size), shaped)
      prefix = metrics.prefix_accuracy(logits(predictions, size)[:, :, 0],
                                       shaped)
      wer_tokens = metrics.word_error_rate(
          logits(predictions, size), shaped, lookup=tf.constant(tokens))
      wer_letters = metrics.word_error_rate(
          logits(guesses, 256),
          tf.constant(letters[:, :, None, None], tf.int32))
      try:
        values = session.run([edit, prefix, wer_tokens])
      except tf.errors.OpError as error:
        raise SystemExit(error)
      try:
        by_letters = [float(v) for v in session.run(wer_letters)]
      except (tf.errors.OpError, TypeError):
        by_letters = None
    found.append({
        "labels": labels.tolist(), "predictions": predictions.tolist(),
        "tokens": tokens, "letters": letters.tolist(),
        "guesses": guesses.tolist(),
        "bleu": float(bleu_hook.compute_bleu(labels.tolist(),
                                             predictions.tolist())),
        "bleu_2_no_bp": float(bleu_hook.compute_bleu(
            labels.tolist(), [p[:7] for p in predictions.tolist()],
            max_order=2, use_bp=False)),
        "rouge_l": float(rouge.rouge_l_sentence_level(predictions, labels)),
        "rouge_2": float(rouge.rouge_n(predictions, labels)),
        "edit_distance": [float(v) for v in values[0]],
        "prefix_accuracy": float(values[1][0]),
        "wer_tokens": [float(v) for v in values[2]],
        "wer_letters": by_letters,
    })
  return found


def corpora():
  """All corpora with their scores."""
  found = []
  for name in sorted(WORDS):
    hypotheses, first, second = corpus(name, 25)
    found.append({
        "name": name, "hypotheses": hypotheses, "first": first,
        "second": second, "t2t": t2t_scores(hypotheses, first),
        "sacrebleu": sacre_scores(hypotheses, first, second)})
  # Nothing right; too short for an order; empty hypotheses.
  for name, hypotheses, first in (
      ("nothing", ["x y z"], ["a b c"]),
      ("short", ["a b", "c"], ["a b", "c d"]),
      ("empty", ["", ""], ["a", "b c"]),
      ("empty reference", ["a"], [""])):
    found.append({
        "name": name, "hypotheses": hypotheses, "first": first,
        "second": first, "t2t": t2t_scores(hypotheses, first),
        "sacrebleu": sacre_scores(hypotheses, first, first)})
  return {"corpora": found}


def main():
  assert sacrebleu.__version__ == "2.6.0"
  out = sys.argv[1]
  for name, make in (("corpora", corpora), ("ids", id_metrics),
                     ("code_points", all_code_points)):
    if len(sys.argv) > 2 and name not in sys.argv[2:]:
      continue
    with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as f:
      json.dump(make(), f, ensure_ascii=False, separators=(",", ":"))
      f.write("\n")


if __name__ == "__main__":
  main()
