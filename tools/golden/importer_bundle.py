"""Writes tests/golden/importer/bundle*: a TensorFlow V2 checkpoint of odd
shapes, types, partitioned variables and three data files, and what TensorFlow
reads from it.

usage: python tools/golden/importer_bundle.py   (needs TensorFlow 2)
"""

import json
import os

import numpy as np
import tensorflow as tf

OUT = os.path.join(os.path.dirname(__file__), "../../tests/golden/importer")


def save(prefix, items):
    """items: (name, slice text, tensor)."""
    names, slices, tensors = zip(*items)
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=list(names),
                      shape_and_slices=list(slices), tensors=list(tensors))


def main():
    random = np.random.RandomState(7)
    wide = random.randn(7, 5).astype(np.float32)
    deep = random.randint(-9, 9, [4, 3, 130]).astype(np.int32)
    grid = random.randn(6, 70).astype(np.float64)
    tmp = os.path.join(OUT, "tmp")
    first = [
        ("a/float", "", tf.constant(random.randn(3, 5).astype(np.float32))),
        ("a/scalar", "", tf.constant(2.5)),
        ("a/empty", "", tf.zeros([0, 3])),
        ("a/float/longer", "", tf.constant(random.randn(17)
                                           .astype(np.float32))),
        ("global_step", "", tf.constant(123456789012, tf.int64)),
        ("wide", "7 5 0,3:-", tf.constant(wide[:3])),
        ("deep", "4 3 130 -:-:0,65", tf.constant(deep[:, :, :65])),
        ("grid", "6 70 0,2:0,66", tf.constant(grid[:2, :66])),
        ("grid", "6 70 0,2:66,4", tf.constant(grid[:2, 66:])),
    ]
    second = [
        ("b/double", "", tf.constant(random.randn(2, 1, 3))),
        ("b/half", "", tf.constant(random.randn(9).astype(np.float16))),
        ("b/bfloat16", "", tf.cast(random.randn(4, 2), tf.bfloat16)),
        ("b/int8", "", tf.constant(random.randint(-99, 99, 5), tf.int8)),
        ("b/uint8", "", tf.constant(random.randint(0, 255, 5), tf.uint8)),
        ("b/int16", "", tf.constant(random.randint(-999, 999, 5), tf.int16)),
        ("b/bool", "", tf.constant([True, False, True])),
        ("b/words", "", tf.constant([["one", ""], ["drei", "x" * 300]])),
        ("wide", "7 5 3,4:-", tf.constant(wide[3:])),
    ]
    third = [
        ("deep", "4 3 130 -:-:65,65", tf.constant(deep[:, :, 65:])),
        ("grid", "6 70 2,4:-", tf.constant(grid[2:])),
    ] + [("many/variable_%03d/kernel" % i, "",
          tf.constant(random.randn(2, 3).astype(np.float32)))
         for i in range(60)]
    parts = []
    for i, items in enumerate([first, second, third]):
        parts.append("%s/part%d" % (tmp, i))
        save(parts[-1], items)
    prefix = os.path.join(OUT, "bundle.ckpt-7")
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts,
                                  destination_prefix=prefix,
                                  delete_old_dirs=True)
    reader = tf.train.load_checkpoint(prefix)
    expected = {}
    for name, shape in sorted(reader.get_variable_to_shape_map().items()):
        value = reader.get_tensor(name)
        dtype = reader.get_variable_to_dtype_map()[name].name
        entry = {"dtype": dtype, "shape": shape}
        if dtype == "string":
            entry["strings"] = [s.decode() for s in value.flatten().tolist()]
        else:
            entry["hex"] = np.ascontiguousarray(value).tobytes().hex()
        expected[name] = entry
    with open(os.path.join(OUT, "bundle.json"), "w") as f:
        json.dump(expected, f, indent=0, sort_keys=True)
        f.write("\n")


main()
