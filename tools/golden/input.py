"""Writes tests/golden/input/batching.json out of T2T's own code.

usage: PYTHONPATH=<folder of tensor2tensor> python tools/golden/input.py <out>
"""

import json
import random
import sys
import types

import tensorflow as tf

# T2T imports these for things that aren't used here.
for name in ("tensorflow_addons", "gin", "gin.tf", "tf_slim", "gym", "bz2file"):
  sys.modules.setdefault(name, types.ModuleType(name))

from tensor2tensor.data_generators import generator_utils
from tensor2tensor.utils import data_reader


def schemes():
  """Values of batching_scheme for many settings."""
  found = []
  for batch_size in (1, 32, 100, 1024, 2048, 4096, 6250, 25000):
    for max_length in (0, 16, 100, 256, 1000):
      for min_bucket, step in ((8, 1.1), (4, 1.5), (8, 1.25), (30, 1.01)):
        for multiplier in ((1, 1), (2, 3)):
          settings = dict(
              batch_size=batch_size,
              max_length=max_length,
              min_length_bucket=min_bucket,
              length_bucket_step=step,
              drop_long_sequences=batch_size % 3 == 0,
              shard_multiplier=multiplier[0],
              length_multiplier=multiplier[1],
              min_length=0)
          common = (min_bucket, step) == (8, 1.1) and multiplier == (1, 1)
          if not common and random.random() < 0.8:
            continue
          values = data_reader.batching_scheme(**settings)
          found.append([settings, values])
  return found


def examples(count, longest, rng):
  return [([rng.randint(2, 99) for _ in range(rng.randint(1, longest))],
           [rng.randint(2, 99) for _ in range(rng.randint(1, longest))])
          for _ in range(count)]


def packed_examples():
  """Which examples pack_examples puts together."""
  found = []
  for length, spacing, queue in ((32, 2, 10), (32, 0, 10), (50, 1, 3)):
    rng = random.Random(length + spacing)
    pairs = examples(120, length // 2, rng)
    features = [{"inputs": list(a), "targets": list(b)} for a, b in pairs]
    rows = list(generator_utils.pack_examples(
        features, True, length, spacing, queue))
    found.append({
        "length": length, "spacing": spacing, "queue": queue,
        "examples": pairs,
        "rows": [{k: list(v) for k, v in sorted(row.items())}
                 for row in rows]})
  return found


def packed_dataset():
  """SequenceDatasetPacker's rows: what pack_dataset makes."""
  rng = random.Random(5)
  pairs = examples(60, 12, rng)

  def generate():
    for a, b in pairs:
      yield {"inputs": a, "targets": b}
  dataset = tf.data.Dataset.from_generator(
      generate, {"inputs": tf.int64, "targets": tf.int64},
      {"inputs": [None], "targets": [None]})
  packer = generator_utils.SequenceDatasetPacker(
      24, spacing=0, queue_size=10)
  rows = []
  for row in packer(dataset, keys=["inputs", "targets"]):
    rows.append({k: v.numpy().tolist() for k, v in sorted(row.items())})
  return {"length": 24, "queue": 10, "examples": pairs, "rows": rows}


def bucketed():
  """The batches of tf.data's bucketing by T2T's table, in their order."""
  found = []
  for batch_size in (64, 200):
    rng = random.Random(batch_size)
    lengths = [rng.randint(1, 40) for _ in range(400)]
    scheme = data_reader.batching_scheme(batch_size, 40, 4, 1.3)
    dataset = tf.data.Dataset.from_tensor_slices(
        (list(range(len(lengths))), lengths))
    dataset = dataset.apply(tf.data.experimental.bucket_by_sequence_length(
        lambda i, length: length, scheme["boundaries"],
        scheme["batch_sizes"]))
    found.append({
        "batch_size": batch_size, "max_length": 40, "min_length_bucket": 4,
        "length_bucket_step": 1.3, "lengths": lengths,
        "batches": [b[0].numpy().tolist() for b in dataset]})
  return found


def main():
  random.seed(1)
  golden = {
      "schemes": schemes(),
      "pack_examples": packed_examples(),
      "pack_dataset": packed_dataset(),
      "bucketed": bucketed(),
  }
  with open(sys.argv[1], "w") as f:
    json.dump(golden, f, separators=(",", ":"))
    f.write("\n")


if __name__ == "__main__":
  main()
