"""Writes tests/golden/importer/t2t/: a T2T model directory made by T2T itself
(a tiny Transformer, four embedding shards, a few steps of Adam), and in
model.json its logits and loss on one batch.

usage: PYTHONPATH=<T2T's source> python tools/golden/importer_model.py
"""

import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "model"))

import numpy as np
import t2t_import  # pylint: disable=unused-import
import tensorflow.compat.v1 as tf
from tensor2tensor.data_generators import problem_hparams
from tensor2tensor.models import transformer

OUT = os.path.join(HERE, "../../tests/golden/importer")
VOCAB = 33


def main():
  tf.disable_v2_behavior()
  tf.set_random_seed(3)
  hparams = transformer.transformer_test()
  for name, value in dict(
      hidden_size=8, filter_size=12, num_heads=2, num_hidden_layers=1,
      symbol_modality_num_shards=4, layer_prepostprocess_dropout=0.0,
      attention_dropout=0.0, relu_dropout=0.0, label_smoothing=0.0).items():
    hparams.set_hparam(name, value)
  p_hparams = problem_hparams.test_problem_hparams(VOCAB, VOCAB, hparams)
  hparams.problem_hparams = p_hparams
  random = np.random.RandomState(5)
  inputs = random.randint(2, VOCAB, [3, 7])
  targets = random.randint(2, VOCAB, [3, 5])
  inputs[1, 4:] = 0
  targets[2, 3:] = 0
  features = {
      "inputs": tf.constant(inputs[:, :, None, None], tf.int32),
      "targets": tf.constant(targets[:, :, None, None], tf.int32),
      "target_space_id": tf.constant(1, tf.int32),
  }
  model = transformer.Transformer(
      hparams, tf.estimator.ModeKeys.EVAL, p_hparams)
  logits, losses = model(features)
  loss = losses["training"]
  step = tf.train.get_or_create_global_step()
  with tf.variable_scope("training"):
    train = tf.train.AdamOptimizer(0.01).minimize(loss, step)
  folder = os.path.join(OUT, "t2t")
  shutil.rmtree(folder, ignore_errors=True)
  os.makedirs(folder)
  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(5):
      session.run(train)
    tf.train.Saver().save(session, os.path.join(folder, "model.ckpt"),
                          global_step=step, write_meta_graph=False)
    logits_value, loss_value = session.run([logits, loss])
  # As where the directory was made elsewhere and moved.
  with open(os.path.join(folder, "checkpoint"), "w") as f:
    f.write('model_checkpoint_path: "/elsewhere/t2t_train/model.ckpt-5"\n'
            'all_model_checkpoint_paths: "/elsewhere/t2t_train/model.ckpt-5"\n')
  saved = {k: v for k, v in hparams.values().items()
           if isinstance(v, (bool, int, float, str, list))}
  with open(os.path.join(folder, "hparams.json"), "w") as f:
    json.dump(saved, f, sort_keys=True)
  with open(os.path.join(folder, "flags.txt"), "w") as f:
    f.write("--problem=someones_own_problem\n--model=transformer\n"
            "--hparams_set=transformer_test\n--data_dir=/no/such/folder\n"
            "--hparams=\n--worker_gpu=1\n--output_dir=/tmp/elsewhere\n")
  with open(os.path.join(OUT, "model.json"), "w") as f:
    json.dump({
        "inputs": inputs.tolist(), "targets": targets.tolist(),
        "target_space_id": 1,
        "logits": [round(float(x), 7) for x in logits_value.flatten()],
        "logits_shape": [3, 5, VOCAB], "loss": float(loss_value)}, f)
    f.write("\n")


main()
