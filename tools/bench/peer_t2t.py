"""A peer for scripts/bench.sh: trains T2T's own transformer, under TensorFlow,
shaped as the hparams set transformer_multi30k, on batches of random symbols as
those of models/transformer_benchmark.cc, and prints symbols (of both sides,
padding not counted) a second.

usage: PYTHONPATH=<T2T's source>:tools/golden/model \\
    python3 tools/bench/peer_t2t.py STEPS
"""

import sys
import time

import numpy as np
import t2t_import
import tensorflow.compat.v1 as tf
from tensor2tensor.data_generators import problem_hparams
from tensor2tensor.utils import registry

VOCAB = 8192
ROWS, LENGTH, SHORTEST = 140, 15, 10

OVERRIDES = (
    "num_hidden_layers=4,hidden_size=128,filter_size=256,num_heads=4,"
    "layer_prepostprocess_dropout=0.3,attention_dropout=0.1,relu_dropout=0.0,"
    "symbol_modality_num_shards=1")


def some_ids():
  ids = np.random.randint(2, VOCAB, (ROWS, LENGTH))
  lengths = np.random.randint(SHORTEST, LENGTH + 1, (ROWS, 1))
  return (ids * (np.arange(LENGTH) < lengths))[:, :, None, None]


def main():
  steps = int(sys.argv[1])
  tf.disable_eager_execution()
  hparams = registry.hparams("transformer_base")
  hparams.parse(OVERRIDES)
  problem = problem_hparams.test_problem_hparams(VOCAB, VOCAB, hparams)
  hparams.problem_hparams = problem
  holders = {
      name: tf.placeholder(tf.int32, [ROWS, LENGTH, 1, 1])
      for name in ("inputs", "targets")
  }
  features = dict(holders, target_space_id=tf.constant(1, dtype=tf.int32))
  model = t2t_import.transformer.Transformer(
      hparams, tf.estimator.ModeKeys.TRAIN, problem)
  _, losses = model(features)
  train = tf.train.AdamOptimizer(1e-3, 0.9, 0.997,
                                 1e-9).minimize(losses["training"])
  warm_up = 5
  symbols = 0
  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for step in range(steps + warm_up):
      if step == warm_up:
        start = time.time()
        symbols = 0
      inputs, targets = some_ids(), some_ids()
      symbols += int(np.sum(inputs != 0) + np.sum(targets != 0))
      session.run(train, {holders["inputs"]: inputs,
                          holders["targets"]: targets})
    rate = symbols / (time.time() - start)
  print("%s symbols/s" % format(int(rate), ","))


main()
