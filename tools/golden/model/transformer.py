"""Runs T2T's transformer on small batches and writes what comes out.

  PYTHONPATH=<T2T's source> python3 tools/golden/model/transformer.py OUT_DIR

One safetensors file a configuration: features, logits, losses, the loss'
gradient by every variable, and in the metadata hparams and problem. The weights
are not stored: they are a function of name and place (see weight()), written
again in models/transformer_golden_test.cc.
"""

import json
import re
import sys
import zlib

import numpy as np
import t2t_import
from safetensors.numpy import save_file
import tensorflow.compat.v1 as tf
from tensor2tensor.data_generators import problem_hparams
from tensor2tensor.utils import registry

COMMON = ("hidden_size=8,filter_size=12,num_heads=2,"
          "layer_prepostprocess_dropout=0.0,attention_dropout=0.0,"
          "relu_dropout=0.0,")

# name: (hparams, options)
CONFIGS = {
    "base": ("num_hidden_layers=2", {}),
    "post_norm": (
        "layer_preprocess_sequence=none,layer_postprocess_sequence=dan,"
        "num_decoder_layers=2", {}),
    "zero_add": ("layer_postprocess_sequence=dz,norm_type=l2", {}),
    "noam_norm": (
        "norm_type=noam,multiply_embedding_mode=none,hard_attention_k=2", {}),
    "relative": (
        "pos=none,self_attention_type=dot_product_relative,"
        "max_relative_position=3", {}),
    "relative_v2": (
        "self_attention_type=dot_product_relative_v2,"
        "max_relative_position=3,add_relative_to_values=True", {}),
    "relative_v2_shared": (
        "self_attention_type=dot_product_relative_v2,"
        "max_relative_position=9,heads_share_relative_embedding=True", {}),
    "unmasked_relative_v2": (
        "self_attention_type=dot_product_unmasked_relative_v2,"
        "max_relative_position=3,add_relative_to_values=True", {}),
    "decoder_only": ("", {"has_inputs": False}),
    "unshared": (
        "shared_embedding_and_softmax_weights=False,pos=emb,max_length=12",
        {"input_vocab": 13}),
    "packed": ("ffn_layer=conv_relu_conv", {"packed": True}),
    "variables_3d": (
        "attention_variables_3d=True,attention_key_channels=12,"
        "attention_value_channels=6,use_target_space_embedding=False", {}),
    "parameter_attention": ("ffn_layer=parameter_attention", {}),
    "sepconv": ("ffn_layer=conv_hidden_relu_with_sepconv", {}),
    "sru": ("ffn_layer=sru", {}),
    "proximity": (
        "proximity_bias=True,pos=timing_from_features", {"has_inputs": False}),
    "unidirectional": (
        "unidirectional_encoder=True,conv_first_kernel=5,"
        "ffn_layer=conv_relu_conv", {}),
    "full_decoder": ("causal_decoder_self_attention=False", {}),
    "prepend_full": (
        "prepend_mode=prepend_inputs_full_attention",
        {"has_inputs": False, "prepended": True}),
    "batch_norm": (
        "norm_type=batch,layer_postprocess_sequence=dan", {}),
    "local_mask_right": (
        "self_attention_type=local_mask_right", {"long": True}),
    "local_mask_right_short": ("self_attention_type=local_mask_right", {}),
    "local_within_block": (
        "self_attention_type=local_within_block_mask_right", {"long": True}),
    "local_relative": (
        "self_attention_type=local_relative_mask_right", {"long": True}),
    "local_relative_shared": (
        "self_attention_type=local_relative_mask_right,"
        "heads_share_relative_embedding=True", {"long": True}),
    "local_unmasked": ("self_attention_type=local_unmasked", {"long": True}),
    "masked_dilated": (
        "self_attention_type=masked_dilated_1d", {"long": True}),
    "unmasked_dilated": (
        "self_attention_type=unmasked_dilated_1d", {"long": True}),
    "area": (
        "num_hidden_layers=2,num_area_layers=1,max_area_width=3,"
        "area_key_mode=mean,area_value_mode=sum", {}),
    "area_concat": (
        "num_area_layers=1,max_area_width=2,area_key_mode=concat,"
        "area_value_mode=mean", {}),
    "area_max_concat": (
        "num_area_layers=2,max_area_width=4,area_key_mode=max_concat,"
        "area_value_mode=max", {"has_inputs": False}),
    "area_sum": (
        "num_area_layers=1,max_area_width=20,area_key_mode=sum,"
        "area_value_mode=sum,attention_variables_3d=True", {"packed": True}),
    # Areas of two rows are in the decoder alone.
    "area_height": (
        "num_area_layers=1,max_area_width=2,max_area_height=2,"
        "area_key_mode=max,area_value_mode=mean", {"even": True}),
    "area_proximity": (
        "num_area_layers=1,max_area_width=3,area_key_mode=sample_sum,"
        "area_value_mode=sum,proximity_bias=True",
        {"has_inputs": False, "mode": "eval"}),
    # Areas are in what the decoder sees of the inputs alone.
    "area_relative": (
        "num_area_layers=1,max_area_width=3,area_key_mode=sample_concat,"
        "area_value_mode=sum,pos=none,max_relative_position=3,"
        "self_attention_type=dot_product_relative,hard_attention_k=2",
        {"mode": "eval"}),
}

VOCAB = 11


def weight(name, shape):
  """Numbers about 0 (about 1 for scales), another at each place."""
  phase = zlib.crc32(name.encode()) % 1000
  place = np.arange(int(np.prod(shape)), dtype=np.float64)
  value = 0.4 * np.sin(0.9 * place + phase)
  if name.endswith("_scale"):
    value += 1.0
  return value.reshape(shape).astype(np.float32)


def features_of(options):
  random = np.random.RandomState(7)
  features = {}
  if options.get("packed"):
    features["inputs"] = random.randint(2, VOCAB, (2, 7))
    features["targets"] = random.randint(2, VOCAB, (2, 6))
    features["inputs_segmentation"] = np.array(
        [[1, 1, 1, 2, 2, 2, 2], [1, 1, 2, 2, 2, 0, 0]])
    features["inputs_position"] = np.array(
        [[0, 1, 2, 0, 1, 2, 3], [0, 1, 0, 1, 2, 0, 0]])
    features["targets_segmentation"] = np.array(
        [[1, 1, 2, 2, 2, 2], [1, 1, 1, 2, 2, 0]])
    features["targets_position"] = np.array(
        [[0, 1, 0, 1, 2, 3], [0, 1, 2, 0, 1, 0]])
    features["inputs"] *= features["inputs_segmentation"] > 0
    features["targets"] *= features["targets_segmentation"] > 0
    return features
  if options.get("long"):  # several blocks of local attention's 128
    features["inputs"] = random.randint(2, VOCAB, (2, 300))
    features["inputs"][1, 280:] = 0
    features["targets"] = random.randint(2, VOCAB, (2, 290))
    features["targets"][0, 270:] = 0
    return features
  if options.get("has_inputs", True):
    features["inputs"] = random.randint(
        2, options.get("input_vocab", VOCAB), (3, 7))
    features["inputs"][1, 4:] = 0
    features["inputs"][2, 6:] = 0
  features["targets"] = random.randint(2, VOCAB, (3, 8))
  features["targets"][0, 5:] = 0
  features["targets"][2, 7:] = 0
  if options.get("even"):
    features["inputs"] = features["inputs"][:, :6]
  if options.get("prepended"):
    features["targets"][:, 3] = 0
  return features


def run(overrides, options, hparams_set="transformer_base",
        model_class=t2t_import.transformer.Transformer):
  tf.reset_default_graph()
  tf.set_random_seed(1)
  hparams = registry.hparams(hparams_set)
  hparams.symbol_modality_num_shards = 3
  for name, value in options.get("further_hparams", {}).items():
    hparams.add_hparam(name, value)
  hparams.parse(overrides)
  for name, value in options.get("values", {}).items():  # of None
    hparams.set_hparam(name, value)
  if hparams.pos == "none":
    hparams.pos = None
  problem = problem_hparams.test_problem_hparams(
      options.get("input_vocab", VOCAB), VOCAB, hparams)
  if not options.get("has_inputs", True):
    del problem.modality["inputs"]
  hparams.problem_hparams = problem
  features = features_of(options)
  fed = {}
  for name, value in features.items():
    tensor = tf.constant(value.astype(np.int32))
    if name in ("inputs", "targets"):
      tensor = tensor[:, :, None, None]
    fed[name] = tensor
  fed["target_space_id"] = tf.constant(1, dtype=tf.int32)
  model = model_class(
      hparams, options.get("mode", tf.estimator.ModeKeys.TRAIN), problem)
  logits, losses = model(fed)
  variables = tf.trainable_variables()
  # What T2T minimises: the layers' own losses are among them.
  losses["training"] = tf.add_n([tf.reduce_sum(x) for x in losses.values()])
  gradients = tf.gradients(losses["training"], variables)

  values, shapes, assigned = {}, {}, []
  for variable in variables:
    shapes[variable.op.name] = variable.shape.as_list()
  # Shards of one matrix become one.
  whole = {}
  for name, shape in shapes.items():
    parent = re.sub(r"/weights_\d+$", "/weights", name)
    rows = whole.setdefault(parent, [0] + shape[1:]) if parent != name else None
    if rows is not None:
      rows[0] += shape[0]
    else:
      whole[name] = shape
  values = {name: weight(name, shape) for name, shape in whole.items()}
  starts = {}
  for variable in variables:
    name = variable.op.name
    parent = re.sub(r"/weights_\d+$", "/weights", name)
    value = values[parent]
    if parent != name:
      start = starts.get(parent, 0)
      starts[parent] = start + shapes[name][0]
      value = value[start:starts[parent]]
    assigned.append((variable, value))

  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for variable, value in assigned:
      variable.load(value, session)
    dense = [
        tf.convert_to_tensor(g) if g is not None else tf.zeros_like(v)
        for g, v in zip(gradients, variables)]
    got_logits, loss, grads = session.run(
        [logits, losses["training"], dense])
  out = {k: v.astype(np.int32) for k, v in features.items()}
  out["logits"] = got_logits.reshape(got_logits.shape[:2] + (-1,))
  out["loss"] = np.array([loss], dtype=np.float32)
  joined = {}
  for variable, gradient in zip(variables, grads):
    parent = re.sub(r"/weights_\d+$", "/weights", variable.op.name)
    joined.setdefault(parent, []).append(gradient)
  for name, parts in joined.items():
    out["gradient/" + name] = (
        np.concatenate(parts, 0) if len(parts) > 1 else parts[0])
  return out


def main():
  t2t_import.area_features_in_float64()
  for name, (overrides, options) in CONFIGS.items():
    if len(sys.argv) > 2 and name not in sys.argv[2:]:
      continue
    if "num_hidden_layers" not in overrides:
      overrides = "num_hidden_layers=1," + overrides
    overrides = (COMMON + overrides).rstrip(",")
    out = run(overrides, options)
    problem = {
        "has_inputs": options.get("has_inputs", True),
        "input_vocab": options.get("input_vocab", VOCAB),
        "target_vocab": VOCAB,
        "target_space_id": 1,
        "mode": options.get("mode", "train"),
    }
    save_file({k: np.array(v, order="C") for k, v in out.items()},
              "%s/transformer_%s.safetensors" % (sys.argv[1], name),
              {"hparams": overrides, "problem": json.dumps(problem)})
    print(name, out["loss"], out["logits"].shape, len(out))


if __name__ == "__main__":
  main()
