"""Imports T2T's modules under TensorFlow 2 for the scripts beside this one.

T2T imports far more than they use; what isn't there is replaced by mocks, and
its packages' __init__ files, which import every model, are passed over.
"""

import os
import sys
import types
from unittest import mock

import tensorflow.compat.v1 as tf

for _name in ("PIL", "bz2file", "dopamine", "dopamine.google", "gin", "gym",
              "kfac", "mesh_tensorflow", "scipy", "scipy.io", "scipy.signal", "sympy",
              "tensorflow_addons", "tensorflow_datasets", "tensorflow_hub",
              "tensorflow_probability", "tf_slim"):
  sys.modules.setdefault(_name, mock.MagicMock())

import tensor2tensor  # pylint: disable=g-import-not-at-top

_models = types.ModuleType("tensor2tensor.models")
_models.__path__ = [
    os.path.join(path, "models") for path in tensor2tensor.__path__
]
sys.modules["tensor2tensor.models"] = _models
tensor2tensor.models = _models

tf.disable_v2_behavior()


def tensor(array):
  """An array for JSON: shape and values, as far as fp32 knows them."""
  return {
      "shape": list(array.shape),
      "values": [float("%.7g" % x) for x in array.reshape(-1).tolist()],
  }
