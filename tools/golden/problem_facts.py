"""What T2T registers of each problem, a line each.

    python3 tools/golden/problem_facts.py ../shared/parity/problems.json \
        tests/golden/problems/facts.txt

The file given first holds what T2T's own registry says of all problems (those of
Atari, gym_*, are left out: they are made in a loop over games). A line of the
second is a JSON object: what t2t/problem/problem.h has a place for, less what is
as in USUAL.
"""

import json
import sys

# What isn't written where it is so (problems/facts_test.cc has the same).
USUAL = {
    "inputs_prefix": "",
    "loss_multiplier": 1.0,
    "max_samples_for_vocab": None,
    "metrics": [
        "accuracy", "accuracy_top5", "accuracy_per_sequence",
        "neg_log_perplexity", "approx_bleu_score", "rouge_2_fscore",
        "rouge_L_fscore"
    ],
    "packed_length": None,
    "space_ids": [0, 0],
    "targets_prefix": "",
}
# What a packed problem's further features are.
PACKED = ("_segmentation", "_position")


def fact(problem):
  """The facts of one problem; what T2T can't tell without data is left out."""
  props = problem.get("props", {})
  hparams = problem.get("hparams", {})
  facts = {"metrics": problem.get("eval_metrics")}
  if isinstance(hparams, dict):
    facts["modalities"] = {
        name: modality
        for name, modality in hparams.get("modality", {}).items()
        if not name.endswith(PACKED)
    }
    sizes = {
        name: size
        for name, size in hparams.get("vocab_size", {}).items()
        if isinstance(size, int) and not name.endswith(PACKED)
    }
    if sizes:
      facts["sizes"] = sizes
    facts["space_ids"] = [
        hparams.get("input_space_id"),
        hparams.get("target_space_id"),
    ]
    facts["loss_multiplier"] = hparams.get("loss_multiplier")
  splits = props.get("dataset_splits")
  if isinstance(splits, list):
    facts["shards"] = {
        "dev" if split["split"] == "eval" else split["split"]: split["shards"]
        for split in splits if split["shards"]
    }
  elif isinstance(props.get("num_shards"), int):
    facts["shards"] = {"train": props["num_shards"], "dev": 1}
  kind = props.get("vocab_type")
  if kind:
    facts["vocabulary"] = kind
    if kind != "character":
      facts["file"] = props.get("vocab_filename")
    if kind == "subwords" and not props.get("use_vocab_from_other_problem"):
      facts["about"] = props.get("approx_vocab_size")
  for name in ("packed_length", "inputs_prefix", "targets_prefix",
               "max_samples_for_vocab"):
    facts[name] = props.get(name, USUAL[name])
  files = []
  sources = problem.get("source_data_files")
  if isinstance(sources, dict):
    for split in ("train", "eval"):
      for source in sources.get(split) or []:
        if isinstance(source, str):
          continue
        members = source[1]
        if isinstance(members, str):
          members = [members]
        if members[0] == "tsv":
          members = members[3:]
        elif members[0] == "tmx":
          members = members[1:]
        files += members
  if files:
    facts["files"] = files
  return {
      key: value
      for key, value in facts.items()
      if key not in USUAL or value != USUAL[key]
  }


def main():
  with open(sys.argv[1], encoding="utf-8") as file:
    problems = json.load(file)
  with open(sys.argv[2], "w", encoding="utf-8") as file:
    for name in sorted(problems):
      if name.startswith("gym_"):
        continue
      facts = {"name": name}
      facts.update(fact(problems[name]))
      data = problems[name].get("dataset_filename")
      if data != name:
        facts["data"] = data
      file.write(json.dumps(facts, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
  main()
