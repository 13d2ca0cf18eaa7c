"""Golden values for t2t/optim: T2T's schedules and optimizers, run.

usage: PYTHONPATH=<tensor2tensor checkout> python optim.py <output folder>
"""

import json
import os
import sys
import types

import numpy as np
import tensorflow.compat.v1 as tf

# Modules that T2T imports and that these functions do not use.
for name in ("tensorflow_addons", "tf_slim", "tensorflow_probability", "gin",
             "gin.tf"):
  try:
    __import__(name)
  except ImportError:
    module = types.ModuleType(name)
    module.optimizers = types.SimpleNamespace(LazyAdam=None)
    module.optimize_loss = None
    sys.modules[name] = module

tf.disable_v2_behavior()


def t2t_modules():
  """learning_rate, adafactor, multistep_optimizer, yellowfin."""
  sys.modules.setdefault("tensor2tensor.layers.common_layers",
                         types.ModuleType("common_layers"))
  common_layers = sys.modules["tensor2tensor.layers.common_layers"]
  common_layers.cast_like = lambda x, y: tf.cast(x, y.dtype)
  import tensor2tensor.layers
  tensor2tensor.layers.common_layers = common_layers
  from tensor2tensor.utils import adafactor
  from tensor2tensor.utils import learning_rate
  from tensor2tensor.utils import multistep_optimizer
  from tensor2tensor.utils import yellowfin
  return learning_rate, adafactor, multistep_optimizer, yellowfin


learning_rate, adafactor, multistep_optimizer, yellowfin = t2t_modules()


class HParams(dict):

  def __getattr__(self, name):
    if name not in self:
      raise AttributeError(name)
    return self[name]


BASE = dict(
    learning_rate_schedule="legacy", learning_rate_constant=2.0,
    learning_rate_decay_scheme="none", learning_rate_decay_steps=30,
    learning_rate_decay_staircase=False, learning_rate_decay_rate=0.7,
    learning_rate_warmup_steps=10, learning_rate_cosine_cycle_steps=25,
    learning_rate=0.1, learning_rate_boundaries=[15, 40],
    learning_rate_multiples=[0.5, 0.1], hidden_size=64, optimizer="adam",
    optimizer_multistep_accumulate_steps=0, train_steps=100)

SCHEDULES = [
    dict(learning_rate_schedule=schedule) for schedule in (
        "constant", "constant*linear_warmup", "constant*linear_decay",
        "cosdecay", "constant*single_cycle_cos_decay",
        "multi_cycle_cos_decay", "constant*linear_warmup*rsqrt_decay",
        "rsqrt_normalized_decay", "constant*exp_decay",
        "constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size", "legacy",
        " constant * linear_warmup ")
] + [
    dict(learning_rate_schedule="constant*exp_decay",
         learning_rate_decay_staircase=True)
] + [
    # (cyclelinear10x does not run in T2T: it takes float() of a tensor.)
    dict(learning_rate_decay_scheme=scheme)
    for scheme in ("none", "noam", "exp", "piecewise", "cosine", "sqrt")
] + [
    dict(learning_rate_decay_scheme="exp",
         learning_rate_decay_staircase=True),
    dict(learning_rate_decay_scheme="noam", optimizer="momentum"),
    dict(learning_rate_decay_scheme="sqrt", optimizer="true_adam"),
]
STEPS = [0, 1, 2, 5, 9, 10, 11, 14, 15, 16, 25, 40, 41, 59, 60, 70, 99, 100,
         150]


def learning_rates():
  cases = []
  for changes in SCHEDULES:
    hparams = HParams(BASE, **changes)
    with tf.Graph().as_default():
      step = tf.train.get_or_create_global_step()
      rate = learning_rate.learning_rate_schedule(hparams)
      values = []
      with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for number in STEPS:
          step.load(number, session)
          values.append(float(session.run(rate)))
    cases.append(dict(hparams=dict(hparams), steps=STEPS, values=values))
  return cases


RATE = 0.05
NUM_STEPS = 10
SHAPES = {"model/body/a/kernel": [5, 7], "model/body/a/bias": [7],
          "model/body/b/kernel": [3, 4, 2], "model/scale": [6]}


def optimizer_cases():
  base = dict(
      optimizer_adam_epsilon=1e-6, optimizer_adam_beta1=0.85,
      optimizer_adam_beta2=0.997, optimizer_momentum_momentum=0.9,
      optimizer_momentum_nesterov=False, optimizer_adafactor_beta1=0.0,
      optimizer_adafactor_beta2=0.999, optimizer_adafactor_factored=True,
      optimizer_adafactor_decay_type="pow",
      optimizer_adafactor_memory_exponent=0.8,
      optimizer_adafactor_clipping_threshold=1.0,
      optimizer_adafactor_multiply_by_parameter_scale=True,
      optimizer_multistep_accumulate_steps=0, weight_dtype="float32",
      weight_decay=0.0, clip_grad_norm=0.0)
  for optimizer in ("adam", "true_adam", "adam_w", "momentum", "sgd",
                    "adafactor", "yellow_fin", "adagrad", "rms_prop",
                    "adadelta", "ftrl"):
    yield HParams(base, optimizer=optimizer)
  for changes in (
      dict(optimizer="adam", clip_grad_norm=2.0, weight_decay=0.1),
      dict(optimizer="momentum", optimizer_momentum_nesterov=True,
           clip_grad_norm=1.0),
      dict(optimizer="adam_w", weight_decay=0.01, clip_grad_norm=100.0),
      dict(optimizer="multistep_adam",
           optimizer_multistep_accumulate_steps=3),
      dict(optimizer="adafactor", optimizer_adafactor_beta1=0.9),
      dict(optimizer="adafactor", optimizer_adafactor_decay_type="adam"),
      dict(optimizer="adafactor", optimizer_adafactor_factored=False,
           optimizer_adafactor_clipping_threshold=0.5),
      dict(optimizer="adafactor",
           optimizer_adafactor_multiply_by_parameter_scale=False),
  ):
    yield HParams(base, **changes)


def make_optimizer(hparams, rate):
  adam = dict(beta1=hparams.optimizer_adam_beta1,
              beta2=hparams.optimizer_adam_beta2,
              epsilon=hparams.optimizer_adam_epsilon)
  name = hparams.optimizer
  if name in ("adam", "true_adam", "adam_w"):
    return tf.train.AdamOptimizer(rate, **adam)
  if name == "multistep_adam":
    return multistep_optimizer.MultistepAdamOptimizer(
        rate, n=hparams.optimizer_multistep_accumulate_steps, **adam)
  if name == "momentum":
    return tf.train.MomentumOptimizer(
        rate, momentum=hparams.optimizer_momentum_momentum,
        use_nesterov=hparams.optimizer_momentum_nesterov)
  if name == "adafactor":
    return adafactor.adafactor_optimizer_from_hparams(hparams, rate)
  if name == "yellow_fin":
    return yellowfin.YellowFinOptimizer(
        learning_rate=rate, momentum=hparams.optimizer_momentum_momentum)
  return {
      "sgd": tf.train.GradientDescentOptimizer,
      "adagrad": tf.train.AdagradOptimizer,
      "rms_prop": tf.train.RMSPropOptimizer,
      "adadelta": tf.train.AdadeltaOptimizer,
      "ftrl": tf.train.FtrlOptimizer,
  }[name](rate)


def run_optimizer(hparams, start, gradients):
  with tf.Graph().as_default():
    step = tf.train.get_or_create_global_step()
    variables = [
        tf.get_variable(name, initializer=start[name].astype(np.float32))
        for name in sorted(SHAPES)
    ]
    feeds = [tf.placeholder(tf.float32, v.shape) for v in variables]
    # What utils/optimize.py and optimize_loss of contrib do.
    grads = []
    for feed, v in zip(feeds, variables):
      is_bias = len(v.shape) == 1 and v.name.endswith("bias:0")
      decays = hparams.weight_decay and not is_bias
      grads.append(feed + hparams.weight_decay * v if decays else feed)
    if hparams.clip_grad_norm:
      grads, _ = tf.clip_by_global_norm(grads, hparams.clip_grad_norm)
    rate = RATE if hparams.optimizer == "adadelta" else tf.constant(RATE)
    optimizer = make_optimizer(hparams, rate)
    first = tf.no_op()
    if hparams.optimizer == "adam_w":
      # contrib's DecoupledWeightDecayExtension: before the update, of the
      # gradients that were computed already.
      with tf.control_dependencies(grads):
        first = tf.group(*[
            v.assign_sub(hparams.weight_decay * v) for v in variables
        ])
    with tf.control_dependencies([first]):
      update = optimizer.apply_gradients(
          [(tf.identity(g), v) for g, v in zip(grads, variables)],
          global_step=step)
    with tf.Session() as session:
      session.run(tf.global_variables_initializer())
      for gradient in gradients:
        session.run(update, {
            feed: gradient[name] for feed, name in zip(feeds, sorted(SHAPES))
        })
      return {
          name: session.run(v).ravel().tolist()
          for name, v in zip(sorted(SHAPES), variables)
      }


def optimizers():
  random = np.random.RandomState(7)
  start = {n: random.normal(size=s).astype(np.float32)
           for n, s in SHAPES.items()}
  gradients = []
  for _ in range(NUM_STEPS):
    gradient = {n: random.normal(size=s).astype(np.float32)
                for n, s in SHAPES.items()}
    # Rows without a gradient, as an embedding has them.
    gradient["model/body/a/kernel"][random.randint(5)] = 0
    gradients.append(gradient)
  flat = lambda values: {n: values[n].ravel().tolist() for n in SHAPES}
  cases = []
  for hparams in optimizer_cases():
    print(hparams.optimizer)
    cases.append(dict(hparams=dict(hparams),
                      values=run_optimizer(hparams, start, gradients)))
  return dict(learning_rate=RATE, shapes=SHAPES, start=flat(start),
              gradients=[flat(g) for g in gradients], cases=cases)


def main():
  folder = sys.argv[1]
  for name, values in (("learning_rate", learning_rates()),
                       ("optimizers", optimizers())):
    with open(os.path.join(folder, name + ".json"), "w") as f:
      json.dump(values, f, indent=0)


if __name__ == "__main__":
  main()
