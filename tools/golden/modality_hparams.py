"""Writes tests/golden/modality/hparams.json: T2T's sets and ranges.

usage: PYTHONPATH=<tensor2tensor checkout> python modality_hparams.py OUT

basic_1 whole, the others as what differs from it.
"""

import json
import sys

import modality_t2t  # pylint: disable=unused-import
from tensor2tensor.layers import common_hparams
from tensor2tensor.models import basic  # pylint: disable=unused-import
from tensor2tensor.models import lstm  # pylint: disable=unused-import
from tensor2tensor.utils import registry

SETS = [
    "basic_fc_small", "lstm_area_attention_base", "lstm_area_attention_char",
    "lstm_area_attention_char_enfr", "lstm_area_attention_enfr", "lstm_asr_v1",
    "lstm_attention", "lstm_bahdanau_attention",
    "lstm_bahdanau_attention_multi", "lstm_luong_attention",
    "lstm_luong_attention_multi", "lstm_seq2seq"
]


def values(name):
  return {
      k: v for k, v in registry.hparams(name).values().items()
      if not isinstance(v, dict)
  }


def main():
  base = values("basic_1")
  sets = {}
  for name in SETS:
    sets[name] = {
        k: v for k, v in values(name).items() if k not in base or base[k] != v
    }
  ranges = {}
  for name in ["basic1", "basic_moe_range"]:
    ranged = common_hparams.RangedHParams()
    registry.ranged_hparams(name)(ranged)
    ranges[name] = sorted(
        ranged.to_parameter_specs(), key=lambda spec: spec["parameterName"])
  with open(sys.argv[1], "w") as out:
    json.dump({"basic_1": base, "sets": sets, "ranges": ranges}, out, indent=1,
              sort_keys=True)
    out.write("\n")


if __name__ == "__main__":
  main()
