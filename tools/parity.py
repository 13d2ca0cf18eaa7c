"""How many of Tensor2Tensor's registered names are here.

    bazel build //t2t/bin/trainer:t2t-trainer //models:small_models_test
    python3 tools/parity.py --write docs/parity.md

prints, registry by registry, how many names resolve and how many of them a test
walks through (models: train, decode, save and load; problems: every fact that T2T
registers), and writes the page that lists what is missing, with the reason.
--check docs/parity.md fails where the page is not what would be written; CI does
that (//tests/parity:parity_test).
"""

import argparse
import fnmatch
import json
import subprocess
import sys

# Which test walks through all names of a registry.
WALKS = {
    "models": "`//models:small_models_test`",
    "problems": "`//problems:facts_test`",
    "hparams sets": "`//hparams:sets_test`",
    "hparams ranges": "`//hparams:sets_test`",
    "modalities": "`//t2t/modality:modality_test`",
    "metrics": "`//t2t/metrics:metric_registry_test`",
    "optimizers": "`//t2t/optim:optimizer_test`",
}


def run(*command):
  return subprocess.run(command, check=True, text=True,
                        stdout=subprocess.PIPE).stdout


def registered(trainer):
  """{registry: the names that resolve}, and the sets that a model can take.

  (A set of a model that isn't here resolves too: it can be printed.)
  """
  names = {}
  usable_sets = set()
  for entry in json.loads(run(trainer, "--registry_help", "--json")):
    is_set = entry["registry"] == "hparams sets"
    if entry["here"] or is_set:
      names.setdefault(entry["registry"], set()).add(entry["name"])
    if entry["here"] and is_set:
      usable_sets.add(entry["name"])
  return names, usable_sets


def walked(test):
  """The models that the walk (models/every_model_test.cc) goes through."""
  listed = run(test, "--gtest_list_tests",
               "--gtest_filter=Models/EveryModelTest.*")
  return {line.split("/")[-1].split("#")[0].strip()
          for line in listed.splitlines() if line.startswith(" ")}


def reason(reasons, registry, name):
  for pattern, why in reasons.get(registry, []):
    if fnmatch.fnmatchcase(name, pattern):
      return why
  return None


class Parity:
  """T2T's names next to those that are here."""

  def __init__(self, t2t, here, usable_sets, models_walked, reasons):
    self.rows = []  # (registry, T2T's, here, walked)
    self.missing = {}  # {registry: {reason: [name]}}
    self.faults = []
    for registry, names in t2t.items():
      found = [name for name in names if name in here.get(registry, ())]
      tested = found
      if registry == "models":
        tested = [name for name in found if name in models_walked]
        self.faults += [f"no walk: {name}" for name in found
                        if name not in models_walked]
      if registry == "hparams sets":
        tested = [name for name in found if name in usable_sets]
      self.rows.append((registry, len(names), len(found), len(tested)))
      for name in names:
        why = reason(reasons, registry, name)
        if name in found:
          continue
        if why is None:
          self.faults.append(f"no reason: {registry}, {name}")
        self.missing.setdefault(registry, {}).setdefault(why, []).append(name)

  def table(self):
    lines = ["| registry | T2T's names | resolve | pass the walk | the walk |",
             "| --- | ---: | ---: | ---: | --- |"]
    for registry, all_names, here, tested in self.rows:
      lines.append(f"| {registry} | {all_names} | {here} | {tested} | "
                   f"{WALKS[registry]} |")
    return "\n".join(lines) + "\n"

  def page(self):
    text = (
        "# Parity with Tensor2Tensor\n\n"
        "Made by `tools/parity.py`; `//tests/parity:parity_test` keeps it true.\n"
        "The walk is the test that goes through every name of a registry: a model\n"
        "trains, decodes, is saved and loaded; a problem is compared with every\n"
        "fact that T2T registers of it. A set counts as passing where its model is\n"
        "here; the few that a model refuses are in [differences.md](differences.md).\n"
        "Atari's 360 problems (`gym_*`) are not counted.\n\n" +
        self.table() + "\n## Missing, and why\n")
    for registry, by_reason in self.missing.items():
      text += f"\n### {registry[0].upper()}{registry[1:]}\n\n"
      for why, names in by_reason.items():
        listed = ", ".join(f"`{name}`" for name in sorted(names))
        text += f"- {why or 'no reason given'}: {listed}\n"
    return text


def main():
  parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
  parser.add_argument("--trainer", default="bazel-bin/t2t/bin/trainer/t2t-trainer")
  parser.add_argument("--walk", default="bazel-bin/models/small_models_test")
  parser.add_argument("--names", default="tests/golden/registry/t2t_names.json")
  parser.add_argument("--reasons", default="tools/parity_reasons.json")
  parser.add_argument("--write", metavar="PAGE")
  parser.add_argument("--check", metavar="PAGE")
  options = parser.parse_args()
  with open(options.names) as f:
    t2t = json.load(f)
  with open(options.reasons) as f:
    reasons = json.load(f)
  here, usable_sets = registered(options.trainer)
  parity = Parity(t2t, here, usable_sets, walked(options.walk), reasons)
  print(parity.table())
  if options.write:
    with open(options.write, "w") as f:
      f.write(parity.page())
  if options.check:
    with open(options.check) as f:
      if f.read() != parity.page():
        parity.faults.append(f"{options.check} is not what tools/parity.py writes:"
                             f" run it with --write {options.check}")
  for fault in parity.faults:
    print(fault, file=sys.stderr)
  return 1 if parity.faults else 0


if __name__ == "__main__":
  sys.exit(main())
