"""Writes tests/golden/modality/models.json: T2T's small models, run.

usage: PYTHONPATH=<tensor2tensor checkout> python modality_models.py OUT

Of each case the variables (random), the logits, the loss in training without
dropout, and the loss' gradients by a few of the variables.

tf.contrib.seq2seq is in no TensorFlow of today: its attention is written out
again below, out of its documentation.
"""

import json
import sys
import types

import numpy as np
import tensorflow.compat.v1 as tf

from modality_t2t import tensor
from tensor2tensor.data_generators import problem_hparams
from tensor2tensor.layers import modalities
from tensor2tensor.models import basic
from tensor2tensor.models import lstm
from tensor2tensor.models import transformer
from tensor2tensor.utils import hparam

Modality = modalities.ModalityType


class Mechanism(object):
  """What both kinds begin with."""

  def __init__(self, num_units, memory, memory_sequence_length=None,
               probability_fn=tf.nn.softmax, custom_key_value_fn=None):
    assert memory_sequence_length is None
    self.probability_fn = probability_fn
    self.values = memory
    self.keys = tf.layers.Dense(
        num_units, name="memory_layer", use_bias=False)(memory)
    if custom_key_value_fn:
      self.keys, self.values = custom_key_value_fn(self.keys, self.values)


class Bahdanau(Mechanism):
  """score = v . tanh(memory_layer(memory) + query_layer(query))."""

  def __init__(self, num_units, memory, **kwargs):
    super(Bahdanau, self).__init__(num_units, memory, **kwargs)
    self._query_layer = tf.layers.Dense(
        num_units, name="query_layer", use_bias=False)
    self._num_units = num_units

  def __call__(self, query):
    with tf.variable_scope(None, "bahdanau_attention", [query]):
      query = self._query_layer(query)
      v = tf.get_variable("attention_v", [self._num_units])
      return self.probability_fn(
          tf.reduce_sum(v * tf.tanh(self.keys + query[:, None, :]), [2]))


class Luong(Mechanism):
  """score = memory_layer(memory) . query."""

  def __call__(self, query):
    with tf.variable_scope(None, "luong_attention", [query]):
      return self.probability_fn(tf.einsum("bu,btu->bt", query, self.keys))


class AttentionWrapper(tf.nn.rnn_cell.RNNCell):
  """state: (cell's state, attention)."""

  def __init__(self, cell, mechanisms, attention_layer_size, output_attention):
    super(AttentionWrapper, self).__init__()
    self._cell = cell
    self._mechanisms = mechanisms
    self._sizes = attention_layer_size
    self._layers_ = [
        tf.layers.Dense(size, name="attention_layer", use_bias=False)
        for size in attention_layer_size
    ]
    self._output_attention = output_attention

  @property
  def state_size(self):
    return (self._cell.state_size, sum(self._sizes))

  @property
  def output_size(self):
    return (sum(self._sizes)
            if self._output_attention else self._cell.output_size)

  def zero_state(self, batch_size, dtype):
    attention = tf.zeros([batch_size, sum(self._sizes)], dtype)
    return types.SimpleNamespace(
        clone=lambda cell_state: (cell_state, attention))

  def call(self, inputs, state):
    cell_state, attention = state
    output, next_state = self._cell(
        tf.concat([inputs, attention], -1), cell_state)
    attentions = []
    for mechanism, layer in zip(self._mechanisms, self._layers_):
      weights = mechanism(output)
      context = tf.einsum("bt,btd->bd", weights, mechanism.values)
      attentions.append(layer(tf.concat([output, context], 1)))
    attention = tf.concat(attentions, 1)
    return (attention if self._output_attention else output,
            (next_state, attention))


lstm.contrib = types.SimpleNamespace(
    seq2seq=lambda: types.SimpleNamespace(
        BahdanauAttention=Bahdanau,
        LuongAttention=Luong,
        AttentionWrapper=AttentionWrapper))


# T2T asks for max_area_width with the default "1", which its own hparams
# refuse: area attention of LSTMs never ran there. Here the default is a number.
_get = hparam.HParams.get


def _get_with_number(self, key, default=None):
  return _get(self, key, 1 if default == "1" else default)


hparam.HParams.get = _get_with_number


def run(name, model_class, hparams, features, modality, vocab_size, changes):
  """One case, as a dictionary for JSON."""
  tf.reset_default_graph()
  for key in hparams.values():
    if key.endswith("dropout"):
      hparams.set_hparam(key, 0.0)
  for key, value in changes.items():
    hparams.set_hparam(key, value)
  p_hparams = problem_hparams.test_problem_hparams(
      vocab_size.get("inputs"), vocab_size["targets"], hparams)
  p_hparams.modality = modality
  p_hparams.vocab_size = vocab_size
  model = model_class(hparams, tf.estimator.ModeKeys.TRAIN, p_hparams)
  fed = {}
  for key, value in features.items():
    array = np.array(value)
    while array.ndim < 4:
      array = array[..., None]
    fed[key] = tf.placeholder_with_default(
        tf.constant(array, tf.int32),
        [None, None] + list(array.shape[2:]) if array.shape[3] == 1 and
        array.shape[2] == 1 else array.shape)
  fed["target_space_id"] = tf.constant(1, tf.int32)
  logits, losses = model(fed)
  variables = tf.trainable_variables()
  loss = losses["training"]
  gradients = tf.gradients(loss, variables)
  rng = np.random.RandomState(len(name))
  values = {
      v.name: np.round(0.4 * rng.randn(*v.shape.as_list()), 3)
      for v in variables
  }
  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for v in variables:
      v.load(values[v.name], session)
    logits, loss, gradients = session.run(
        [logits, loss, [tf.convert_to_tensor(g) for g in gradients]])
  keep = {k: v for k, v in hparams.values().items() if k in changes}
  return {
      "name": name,
      "changes": keep,
      "features": features,
      "modality": modality,
      "vocab_size": vocab_size,
      "logits": tensor(logits),
      "loss": float(loss),
      "variables": {
          v.name[:-2]: tensor(values[v.name]) for v in variables
      },
      "gradient_norms": {
          v.name[:-2]: float(np.sqrt(np.sum(np.square(g.astype(np.float64)))))
          for v, g in zip(variables, gradients)
      },
      "gradients": {
          v.name[:-2]: tensor(g)
          for v, g in zip(variables, gradients)
          if g.size <= 40
      },
  }


def main():
  inputs = [[3, 4, 5, 1, 0, 0], [6, 7, 8, 9, 10, 1], [2, 1, 0, 0, 0, 0]]
  targets = [[5, 6, 1, 0, 0], [3, 2, 9, 4, 1], [8, 7, 2, 1, 0]]
  pair = {"inputs": inputs, "targets": targets}
  symbols = {"inputs": Modality.SYMBOL, "targets": Modality.SYMBOL}
  vocab = {"inputs": 11, "targets": 11}
  small = {"hidden_size": 4, "num_hidden_layers": 2}
  attention = dict(small, attention_layer_size=3)
  cases = []

  def add(name, model_class, hparams, features=None, modality=None,
          vocab_size=None, **changes):
    case = run(name, model_class, hparams, features or pair,
               modality or symbols, vocab_size or vocab, changes)
    case["model"] = name.split(".")[0]
    cases.append(case)

  add("lstm_seq2seq", lstm.LSTMSeq2seq, lstm.lstm_seq2seq(), **small)
  add("lstm_seq2seq.shared", lstm.LSTMSeq2seq, lstm.lstm_seq2seq(),
      shared_embedding_and_softmax_weights=True, vocab_divisor=8, **small)
  add("lstm_seq2seq.language_model", lstm.LSTMSeq2seq, lstm.lstm_seq2seq(),
      {"targets": targets}, {"targets": Modality.SYMBOL}, {"targets": 11},
      **small)
  add("lstm_seq2seq_bidirectional_encoder",
      lstm.LSTMSeq2seqBidirectionalEncoder, lstm.lstm_seq2seq(), **small)
  add("lstm_seq2seq_attention.bahdanau", lstm.LSTMSeq2seqAttention,
      lstm.lstm_bahdanau_attention(), **attention)
  add("lstm_seq2seq_attention.luong", lstm.LSTMSeq2seqAttention,
      lstm.lstm_luong_attention(), **attention)
  add("lstm_seq2seq_attention.cell_output", lstm.LSTMSeq2seqAttention,
      lstm.lstm_luong_attention(), output_attention=False, **attention)
  add("lstm_seq2seq_attention.bahdanau_multi", lstm.LSTMSeq2seqAttention,
      lstm.lstm_bahdanau_attention_multi(), **dict(attention, num_heads=2))
  add("lstm_seq2seq_attention_bidirectional_encoder",
      lstm.LSTMSeq2seqAttentionBidirectionalEncoder,
      lstm.lstm_attention(), **attention)
  add("lstm_seq2seq_attention.area", lstm.LSTMSeq2seqAttention,
      lstm.lstm_area_attention_base(), **dict(attention, num_heads=2))
  add("lstm_seq2seq_attention.area_bahdanau", lstm.LSTMSeq2seqAttention,
      lstm.lstm_area_attention_base(), attention_mechanism="bahdanau",
      max_area_width=3, area_key_mode="concat", area_value_mode="mean",
      **dict(attention, num_heads=2))
  add("lstm_seq2seq_attention_bidirectional_encoder.area",
      lstm.LSTMSeq2seqAttentionBidirectionalEncoder,
      lstm.lstm_area_attention_base(), area_key_mode="max", **attention)
  classes = {"inputs": Modality.SYMBOL, "targets": Modality.CLASS_LABEL}
  labels = {"inputs": inputs, "targets": [[2], [0], [1]]}
  add("lstm_encoder", lstm.LSTMEncoder, lstm.lstm_seq2seq(), labels, classes,
      {"inputs": 11, "targets": 3}, **small)
  add("transformer_encoder", transformer.TransformerEncoder,
      transformer.transformer_tiny(), labels, classes,
      {"inputs": 11, "targets": 3}, num_heads=2, filter_size=6, **small)
  rng = np.random.RandomState(1)
  add("basic_fc_relu", basic.BasicFcRelu, basic.basic_fc_small(), {
      "inputs": rng.randint(0, 256, (2, 4, 3, 1)).tolist(),
      "targets": [[4], [1]],
  }, {"inputs": Modality.IMAGE, "targets": Modality.CLASS_LABEL},
      {"inputs": 256, "targets": 5}, **small)
  with open(sys.argv[1], "w") as out:
    json.dump({"cases": cases}, out, sort_keys=True)
    out.write("\n")


if __name__ == "__main__":
  main()
