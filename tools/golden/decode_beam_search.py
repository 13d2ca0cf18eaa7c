"""Writes tests/golden/decode/beam_search.json by running T2T's beam search.

usage: PYTHONPATH=<tensor2tensor checkout> python decode_beam_search.py OUT

The toy model's logits are a hash of (seed, row, step, last id, id), so that
t2t/decode/toy_model.cc can compute the same without a stored table.
"""

import json
import sys
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf

# T2T imports them; the beam search doesn't use them.
for module in ("tensorflow_addons", "tensorflow_probability", "gin", "gin.tf",
               "tf_slim", "tensorflow_hub"):
  sys.modules.setdefault(module, mock.MagicMock())

from tensor2tensor.utils import beam_search

MASK = (1 << 64) - 1


def mix(z):
  z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
  z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
  return z ^ (z >> 31)


def logit(seed, row, step, last, symbol):
  z = seed
  for part in (row, step, last, symbol):
    z = mix((z * 0x9E3779B97F4A7C15 + part + 1) & MASK)
  return np.float32((z >> 40) / float(1 << 24)) * np.float32(8) - np.float32(4)


def run(case):
  rows, vocab, length = case["rows"], case["vocab"], case["decode_length"]
  table = np.zeros((rows, length, vocab, vocab), np.float32)
  for r in range(rows):
    for t in range(length):
      for last in range(vocab):
        for v in range(vocab):
          table[r, t, last, v] = logit(case["seed"], r, t, last, v)
  table[:, :, :, 1] += np.float32(case["eos_bias"])

  with tf.Graph().as_default(), tf.Session() as session:
    constant = tf.constant(table)

    def symbols_to_logits(ids, i, states):
      where = tf.stack(
          [states["row"][:, 0], tf.fill(tf.shape(ids)[:1], i), ids[:, -1]], 1)
      return tf.gather_nd(constant, where), states

    ids, scores, _ = beam_search.beam_search(
        symbols_to_logits, tf.zeros([rows], tf.int32), case["beam_size"],
        length, vocab, case["alpha"],
        states={"row": tf.reshape(tf.range(rows), [rows, 1])},
        stop_early=case["stop_early"])
    ids, scores = session.run([ids, scores])
  case["ids"] = ids[:, :, 1:].tolist()
  case["scores"] = [[float(s) for s in row] for row in scores]
  return case


def main():
  cases = []
  seed = 1
  for beam_size in (2, 4, 7):
    for alpha in (0.0, 0.6, 1.0, 2.0):
      for eos_bias in (-6.0, 0.0, 2.0):
        for stop_early in (True, False):
          cases.append(run({
              "seed": seed, "rows": 3, "vocab": 11, "decode_length": 9,
              "beam_size": beam_size, "alpha": alpha, "eos_bias": eos_bias,
              "stop_early": stop_early}))
          seed += 1
  # Vocabularies smaller than 2 * beam, and an end that is never reached.
  for vocab, beam_size in ((3, 2), (4, 4), (5, 4)):
    for eos_bias in (-40.0, 0.0):
      cases.append(run({
          "seed": seed, "rows": 2, "vocab": vocab, "decode_length": 6,
          "beam_size": beam_size, "alpha": 0.6, "eos_bias": eos_bias,
          "stop_early": False}))
      seed += 1
  with open(sys.argv[1], "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
  main()
