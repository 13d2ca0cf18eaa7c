"""Writes what T2T's area_attention makes of a grid of 3 x 4 memories.

  PYTHONPATH=<T2T's source> python3 tools/golden/model/area_attention.py OUT

The memories are sin(place / 3), the parameters weight() of transformer.py, as
t2t/nn/area_attention_test.cc writes them again.
"""

import json
import sys
import zlib

import numpy as np
import t2t_import
import tensorflow.compat.v1 as tf
from tensor2tensor.layers import area_attention

BATCH, HEIGHT, WIDTH, DEPTH = 1, 3, 4, 6
SIZES = dict(max_area_width=3, max_area_height=2, height=HEIGHT)
KEY_MODES = ("mean", "max", "sample", "concat", "max_concat", "sum",
             "sample_concat", "sample_sum")


def weight(name, shape):
  phase = zlib.crc32(name.encode()) % 1000
  place = np.arange(int(np.prod(shape)), dtype=np.float64)
  return (0.4 * np.sin(0.9 * place + phase)).reshape(shape)


def main():
  t2t_import.area_features_in_float64()
  shape = [BATCH, HEIGHT * WIDTH, DEPTH]
  memory = np.sin(np.arange(np.prod(shape)) / 3.0).reshape(shape)
  memory = memory.astype(np.float32)
  out = {}
  for mode in KEY_MODES:
    tf.reset_default_graph()
    with tf.variable_scope(mode):
      keys = area_attention.compute_area_key(
          tf.constant(memory), mode=mode, training=False, **SIZES)
    with tf.Session() as session:
      session.run(tf.global_variables_initializer())
      for variable in tf.trainable_variables():
        variable.load(
            weight(variable.op.name, variable.shape.as_list()), session)
      value = session.run(keys)
    out["key/" + mode] = [round(float(x), 7) for x in value.flatten()]
  tf.reset_default_graph()
  mean, deviation, total, _, _ = area_attention.compute_area_features(
      tf.constant(memory), **SIZES)
  greatest, _, _ = area_attention.basic_pool(
      tf.constant(memory), max_area_width=SIZES["max_area_width"],
      max_area_height=SIZES["max_area_height"], height=HEIGHT)
  mask = area_attention.lengths_to_area_mask(
      tf.constant([4, 2, 0, 5]), 5, max_area_size=3)
  with tf.Session() as session:
    values = session.run([mean, deviation, total, greatest, mask])
  for name, value in zip(
      ("mean", "deviation", "sum", "max", "mask"), values):
    out[name] = [round(float(x), 7) for x in value.flatten()]
  with open(sys.argv[1], "w") as file:
    json.dump(out, file, sort_keys=True)
    file.write("\n")


main()
