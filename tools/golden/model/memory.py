"""Runs T2T's transformer_memory over chunks of two batches, one after another.

  PYTHONPATH=<T2T's source> python3 tools/golden/model/memory.py OUT_DIR

One safetensors file a configuration: of every step targets, chunk_number,
logits and loss, of two the loss' gradients; in the metadata hparams. The weights are
weight() of transformer.py.
"""

import json
import sys
import zlib

import numpy as np
import t2t_import
from safetensors.numpy import save_file
import tensorflow.compat.v1 as tf
from tensor2tensor.data_generators import problem_hparams
from tensor2tensor.layers import transformer_memory
from tensor2tensor.utils import registry

# T2T orders the neural memory's reads and writes by control dependencies, which
# bind these variables alone.
tf.enable_resource_variables()

# It doesn't order those of the other: here what is remembered changes when it
# was read.
_post_attention = transformer_memory.RecentTokensMemory.post_attention


def _post_attention_after_reading(self, token, x):
  with tf.control_dependencies([x] + list(token)):
    return _post_attention(self, token, x)


transformer_memory.RecentTokensMemory.post_attention = (
    _post_attention_after_reading)

CHUNK = 4
COMMON = ("hidden_size=8,filter_size=12,num_heads=2,num_hidden_layers=2,"
          "split_targets_chunk_length=4,max_relative_position=6,"
          "layer_prepostprocess_dropout=0.0,attention_dropout=0.0,"
          "relu_dropout=0.0,")
XL = COMMON + "recurrent_memory_batch_size=3,"
CONFIGS = {
    "xl": XL + "num_memory_items=4",
    "xl_longer": XL + "num_memory_items=6",
    "xl_shorter": XL + "num_memory_items=3,pos=timing,"
                  "self_attention_type=dot_product",
    "neural": COMMON + "memory_type=neural_memory,batch_size=48,max_length=16,"
              "pos=timing,self_attention_type=dot_product",
}
VOCAB = 11


def weight(name, shape):
  phase = zlib.crc32(name.encode()) % 1000
  place = np.arange(int(np.prod(shape)), dtype=np.float64)
  value = 0.4 * np.sin(0.9 * place + phase)
  if name.endswith("_scale"):
    value += 1.0
  return value.reshape(shape).astype(np.float32)


def steps():
  """Pairs of targets and chunk numbers."""
  random = np.random.RandomState(7)
  for rows, chunks in ((3, 3), (2, 2)):
    whole = random.randint(2, VOCAB, (rows, CHUNK * chunks))
    whole[0, -3:] = 0
    for chunk in range(chunks):
      yield (whole[:, CHUNK * chunk:CHUNK * (chunk + 1)],
             np.full((rows, CHUNK), chunk))


def run(overrides):
  tf.reset_default_graph()
  hparams = registry.hparams("transformer_wikitext103_l4k_memory_v0")
  hparams.parse(overrides)
  problem = problem_hparams.test_problem_hparams(VOCAB, VOCAB, hparams)
  del problem.modality["inputs"]
  hparams.problem_hparams = problem
  targets = tf.placeholder(tf.int32, [None, CHUNK, 1, 1])
  chunk_number = tf.placeholder(tf.int32, [None, CHUNK, 1, 1])
  model = t2t_import.transformer.TransformerMemory(
      hparams, tf.estimator.ModeKeys.TRAIN, problem)
  logits, losses = model({
      "targets": targets,
      "chunk_number": chunk_number,
      "target_space_id": tf.constant(1, dtype=tf.int32),
  })
  variables = tf.trainable_variables()
  gradients = [
      tf.convert_to_tensor(g) if g is not None else tf.zeros_like(v)
      for g, v in zip(tf.gradients(losses["training"], variables), variables)]
  out = {}
  config = tf.ConfigProto(
      intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
  with tf.Session(config=config) as session:
    session.run([tf.global_variables_initializer(),
                 tf.local_variables_initializer()])
    for variable in variables:
      name = variable.op.name.replace("/weights_0", "/weights")
      variable.load(weight(name, variable.shape.as_list()), session)
    for i, (ids, chunk) in enumerate(steps()):
      got, loss, grads = session.run(
          [logits, losses["training"], gradients],
          {targets: ids[:, :, None, None],
           chunk_number: chunk[:, :, None, None]})
      step = "%d/" % i
      out[step + "targets"] = ids.astype(np.int32)
      out[step + "chunk_number"] = chunk.astype(np.int32)
      out[step + "logits"] = got.reshape(got.shape[:2] + (-1,))
      out[step + "loss"] = np.array([loss], dtype=np.float32)
      # Where there is something to remember.
      for variable, gradient in zip(variables, grads) if i in (2, 4) else ():
        name = variable.op.name.replace("/weights_0", "/weights")
        out[step + "gradient/" + name] = gradient
  return out


def main():
  for name, overrides in CONFIGS.items():
    if len(sys.argv) > 2 and name not in sys.argv[2:]:
      continue
    out = run(overrides)
    save_file({k: np.array(v, order="C") for k, v in out.items()},
              "%s/memory_%s.safetensors" % (sys.argv[1], name),
              {"hparams": overrides, "vocab": json.dumps(VOCAB)})
    print(name, [float(v[0]) for k, v in out.items() if k.endswith("/loss")])


main()
