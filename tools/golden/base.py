"""Golden values for t2t/base, out of a dump of facts about T2T.

usage: python base.py <facts folder> <output folder>

The facts folder holds golden/hparams/parse.json (what T2T's HParams.parse makes
of a text) and parity/flags.json (the flags of each of T2T's programs).
"""

import json
import os
import sys

# Ours, and T2T's modules whose commands start it. t2t-avg-all stands in for the
# averaging script too.
PROGRAMS = {
    "t2t-trainer": ["bin.t2t_trainer"],
    "t2t-datagen": ["bin.t2t_datagen", "bin.build_vocab"],
    "t2t-decoder": ["bin.t2t_decoder"],
    "t2t-eval": ["bin.t2t_eval"],
    "t2t-exporter": ["serving.export"],
    "t2t-query-server": ["serving.query"],
    "t2t-avg-all": ["bin.t2t_avg_all", "utils.avg_checkpoints"],
    "t2t-bleu": ["bin.t2t_bleu"],
}


def read(*path):
  with open(os.path.join(*path)) as f:
    return json.load(f)


def write(path, lines):
  with open(path, "w") as f:
    f.write("[\n" + ",\n".join(lines) + "\n]\n")


def parse_lines(cases):
  """The base's values, then text and changed values (null: an error)."""
  base = {k: v for k, v in cases[0]["base"].items() if v is not None}
  yield json.dumps(base)
  for case in cases[1:]:
    if case["parse"].startswith("h_none"):
      continue  # ours have no None
    changed = None
    if "values" in case:
      changed = {k: case["values"][k] for k in base
                 if case["values"][k] != base[k]}
    yield json.dumps([case["parse"], changed])


def flag_lines(flags):
  """Program, then name and default of each flag."""
  for program, modules in PROGRAMS.items():
    values = {}
    for module in modules:
      for name, flag in flags[module].items():
        values.setdefault(name, flag["default"])
    yield json.dumps([program, values], sort_keys=True)


def main():
  facts, output = sys.argv[1:]
  write(os.path.join(output, "hparams_parse.json"),
        parse_lines(read(facts, "golden/hparams/parse.json")))
  write(os.path.join(output, "t2t_flags.json"),
        flag_lines(read(facts, "parity/flags.json")))


main()
