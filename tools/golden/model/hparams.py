"""Writes every hparams set and range that T2T's transformer module registers.

  PYTHONPATH=<T2T's source> python3 tools/golden/model/hparams.py OUT.json

Each set is given by what it changes of transformer_base.
"""

import json
import sys

import t2t_import
from tensor2tensor.layers import common_hparams
from tensor2tensor.utils import registry

SKIPPED = {"bottom", "loss", "name", "top", "weights_fn"}


def own(function):
  return function.__module__ == "tensor2tensor.models.transformer"


def values(hparams):
  return {k: v for k, v in hparams.values().items() if k not in SKIPPED}


def main():
  base = values(t2t_import.transformer.transformer_base())
  sets = {}
  for name in registry.list_hparams():
    if not own(registry.Registries.hparams._registry[name]):
      continue
    mine = values(registry.hparams(name))
    removed = sorted(set(base) - set(mine))
    assert not removed, (name, removed)
    sets[name] = {
        k: v for k, v in mine.items()
        if k not in base or base[k] != v or type(base[k]) != type(v)}
  ranges = {}
  for name in registry.Registries.ranged_hparams:
    function = registry.Registries.ranged_hparams[name]
    if not own(function):
      continue
    ranged = common_hparams.RangedHParams()
    function(ranged)
    ranges[name] = sorted(
        ranged.to_parameter_specs(), key=lambda spec: spec["parameterName"])
  with open(sys.argv[1], "w") as out:
    json.dump({"transformer_base": base, "sets": sets, "ranges": ranges}, out,
              indent=0, sort_keys=True)
    out.write("\n")


main()
