"""Imports T2T's transformer module under TensorFlow 2 with stand-ins for the
packages that it names but does not need here. T2T's source is on PYTHONPATH.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

STAND_INS = {
    "PIL", "bz2file", "cloudpickle", "cv2", "dopamine", "gin", "googleapiclient",
    "gym", "kfac", "matplotlib", "mesh_tensorflow", "oauth2client", "pypng",
    "scipy", "sympy", "tensorflow_addons", "tensorflow_datasets",
    "tensorflow_hub", "tensorflow_probability", "tf_slim",
}


class _StandIn(types.ModuleType):

  def __getattr__(self, name):
    if name.startswith("__"):
      raise AttributeError(name)
    child = _StandIn(self.__name__ + "." + name)
    setattr(self, name, child)
    return child

  def __call__(self, *unused_args, **unused_kwargs):
    return _StandIn("call")

  def __mro_entries__(self, unused_bases):
    return (object,)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):

  def find_spec(self, name, path, target=None):
    del path, target
    if name.split(".")[0] in STAND_INS:
      return importlib.machinery.ModuleSpec(name, self, is_package=True)
    return None

  def create_module(self, spec):
    return _StandIn(spec.name)

  def exec_module(self, module):
    module.__path__ = []


sys.meta_path.insert(0, _Finder())

import tensorflow.compat.v1 as tf  # pylint: disable=g-import-not-at-top

# Otherwise T2T takes Keras' layers, which name variables in another way.
tf.disable_v2_behavior()

# T2T's tensor2tensor.models imports every model there is; only the folder is
# wanted.
_spec = importlib.util.find_spec("tensor2tensor")
_models = types.ModuleType("tensor2tensor.models")
_models.__path__ = [
    os.path.join(os.path.dirname(_spec.origin), "models")]
sys.modules["tensor2tensor.models"] = _models

from tensor2tensor.models import transformer  # pylint: disable=g-import-not-at-top,unused-import


def area_features_in_float64():
  """T2T's deviation of an area is the root of a difference of two running
  totals' differences. In float32 that is off in the fourth digit where the
  deviation is small; here it is in float64."""
  from tensor2tensor.layers import area_attention  # pylint: disable=g-import-not-at-top
  original = area_attention.compute_area_features

  def in_float64(features, *args, **kwargs):
    to_float = tf.to_float
    tf.to_float = lambda x: tf.cast(x, tf.float64)
    try:
      mean, deviation, total, heights, widths = original(
          tf.cast(features, tf.float64), *args, **kwargs)
    finally:
      tf.to_float = to_float
    narrow = [tf.cast(x, tf.float32) for x in (mean, deviation, total)]
    return (*narrow, heights, widths)

  area_attention.compute_area_features = in_float64
