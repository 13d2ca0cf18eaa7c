"""Writes tests/golden/modality/functions.json: T2T's modalities, run.

usage: PYTHONPATH=<tensor2tensor checkout> python modality_functions.py OUT

Of each modality its bottoms, top and loss with the variables they made (random
values). Features are given T2T's four dimensions.
"""

import json
import sys

import numpy as np
import tensorflow.compat.v1 as tf

from modality_t2t import tensor
from tensor2tensor.layers import common_hparams
from tensor2tensor.layers import modalities

HIDDEN = 4


def four(array):
  array = np.array(array)
  while array.ndim < 4:
    array = array[..., None]
  return array


def run(modality, x, body, vocab, changes, train=True, explicit=None,
        targets=None, channels=1, loss=True):
  """The case, as a dictionary for JSON. x: for both bottoms."""
  tf.reset_default_graph()
  hparams = common_hparams.basic_params1()
  hparams.hidden_size = HIDDEN
  hparams.add_hparam("mode", tf.estimator.ModeKeys.TRAIN
                     if train else tf.estimator.ModeKeys.EVAL)
  hparams.initializer = "uniform_unit_scaling"
  for key, value in changes.items():
    hparams.set_hparam(key, value)
  if not train:
    hparams.label_smoothing = 0.0
  hparams.add_hparam("problem", type("P", (), {"num_channels": channels})())
  size = vocab + (-vocab) % hparams.vocab_divisor
  name = modalities.get_name(modality)(hparams, size)
  targets = x if targets is None else targets
  weights_fn = modalities.get_weights_fn(modality)
  if explicit is not None:
    own = weights_fn
    weights_fn = lambda labels: own(labels) * four(explicit)
  numbers = tf.float32 if np.array(x).dtype.kind == "f" else tf.int32
  wanted = tf.float32 if np.array(targets).dtype.kind == "f" else tf.int32
  with tf.variable_scope(name):
    bottom = modalities.get_bottom(modality)(
        tf.constant(four(x), numbers), hparams, size)
  with tf.variable_scope(name):
    targets_bottom = modalities.get_targets_bottom(modality)(
        tf.constant(four(x), numbers), hparams, size)
  with tf.variable_scope(name):
    top = modalities.get_top(modality)(
        tf.constant(body, tf.float32), None, hparams, size)
  outputs = {"bottom": bottom, "targets_bottom": targets_bottom, "top": top}
  if loss:
    numerator, denominator = modalities.get_loss(modality)(
        top, tf.constant(four(targets), wanted), hparams, size, weights_fn)
    outputs["numerator"] = numerator
    outputs["denominator"] = denominator
  variables = tf.global_variables()
  rng = np.random.RandomState(5)
  values = {
      v.name: np.round(0.5 * rng.randn(*v.shape.as_list()), 3)
      for v in variables
  }
  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for v in variables:
      v.load(values[v.name], session)
    outputs = session.run(outputs)
  return {
      "modality": modality,
      "x": tensor(np.array(x)),
      "targets": tensor(np.array(targets)),
      "body": tensor(np.array(body)),
      "vocab_size": vocab,
      "changes": changes,
      "train": train,
      "weights": None if explicit is None else tensor(np.array(explicit)),
      "channels": channels,
      "variables": {v.name[:-2]: tensor(values[v.name]) for v in variables},
      "outputs": {k: tensor(np.array(v)) for k, v in outputs.items()},
  }


def main():
  rng = np.random.RandomState(2)
  m = modalities.ModalityType
  ids = [[3, 5, 1, 0], [2, 0, 4, 1]]
  body = np.round(rng.randn(2, 4, 1, HIDDEN), 3)
  weights = [[1.0, 0.5, 0.0, 1.0], [0.25, 1.0, 1.0, 2.0]]
  cases = [
      run(m.SYMBOL, ids, body, 7, {}),
      run(m.SYMBOL, ids, body, 7, {}, train=False),
      run(m.SYMBOL, ids, body, 7, {}, explicit=weights),
      run(m.SYMBOL, ids, body, 7, {
          "shared_embedding_and_softmax_weights": True,
          "vocab_divisor": 4,
          "label_smoothing": 0.3,
      }),
      run(m.SYMBOL, ids, body, 7, {
          "shared_embedding": True,
          "multiply_embedding_mode": "none",
      }),
      run(m.SYMBOL_WEIGHTS_ALL, ids, body, 7, {}),
      run(m.SYMBOL_ONE_HOT, ids, np.round(rng.randn(2, 4, 1, 7), 3), 7, {},
          loss=False),
      run(m.IDENTITY_SYMBOL, ids, np.round(rng.randn(2, 4, 1, 1, 7), 3), 7,
          {}),
      run(m.CLASS_LABEL, [[2], [0]], body, 3, {}),
      run(m.CLASS_LABEL, [[2], [0]], body, 3, {
          "multiply_embedding_mode": "none"
      }, train=False),
      run(m.MULTI_LABEL, [[2, 1, 0], [0, 0, 0]], body, 3, {}),
      run(m.IMAGE, rng.randint(0, 6, (2, 2, 3, 2)),
          np.round(rng.randn(2, 2, 3, HIDDEN), 3), 6, {}, channels=2),
      run(m.IMAGE_CHANNEL_BOTTOM_IDENTITY, rng.randint(0, 256, (2, 2, 3, 3)),
          np.round(rng.randn(2, 2, 3, 3, 6), 3), 6, {}, channels=3,
          targets=rng.randint(0, 6, (2, 2, 3, 3))),
  ]
  real = np.round(rng.randn(2, 4, 1, 2), 3)
  for name in [m.REAL_L2_LOSS, m.REAL_LOG_POISSON_LOSS]:
    cases.append(run(name, real, body, 2, {}))
  cases.append(run(m.GENERIC_L2_LOSS, real, np.round(rng.randn(2, 4, 1, 2), 3),
                   2, {}))
  one_hot = np.eye(3)[[2, 0]].reshape(2, 1, 1, 3)
  for name in [m.SOFTMAX_AVERAGE_POOLING_CLASS_LABEL,
               m.SOFTMAX_LAST_TIMESTEP_CLASS_LABEL,
               m.SOFTMAX_MAX_POOLING_CLASS_LABEL,
               m.SIGMOID_MAX_POOLING_CLASS_LABEL]:
    cases.append(run(name, [[2], [0]], body, 3, {}, targets=one_hot))
  with open(sys.argv[1], "w") as out:
    json.dump({"cases": cases}, out, sort_keys=True)
    out.write("\n")


if __name__ == "__main__":
  main()
