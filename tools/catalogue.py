"""docs/catalogue.md: everything that is registered, made from the registries.

    bazel build //t2t/bin/trainer:t2t-trainer
    python3 tools/catalogue.py --write docs/catalogue.md

--check docs/catalogue.md fails where the page is not what would be written; CI
does that (//tests/parity:parity_test).
"""

import argparse
import json
import subprocess
import sys

HEAD = """# The catalogue

Made by `tools/catalogue.py` from what `t2t-trainer --registry_help --json` says;
`//tests/parity:parity_test` keeps it true. [parity.md](parity.md) lists what
Tensor2Tensor has and this project does not.

Any model goes with any problem whose features have the modalities that it takes:

```sh
t2t-trainer --problem=P --model=M --hparams_set=S --data_dir=... --output_dir=...
t2t-trainer --registry_help=problems:translate*   # the same names, by pattern
```
"""


def entries(trainer):
  return json.loads(subprocess.run(
      [trainer, "--registry_help", "--json"], check=True, text=True,
      stdout=subprocess.PIPE).stdout)


def cell(text):
  return str(text).replace("|", "\\|")


def models(found):
  lines = ["## Models\n",
           "| model | what it is | paper | set | state |",
           "| --- | --- | --- | --- | --- |"]
  for entry in found:
    paper = entry.get("paper", "")
    lines.append("| " + " | ".join([
        f"`{entry['name']}`",
        cell(entry.get("help", "")), cell(paper),
        f"`{entry['default_set']}`" if entry.get("default_set") else "",
        "here" if entry["here"] else "not here"]) + " |")
  return lines


def size(corpus):
  count = corpus.get("bytes", 0)
  for unit, least in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
    if count >= least:
      return f" ({count / least:.1f} {unit})"
  return ""


def source(corpus):
  """A corpus with where it comes from and how much there is of it."""
  address = corpus.get("home") or (corpus.get("addresses") or [""])[0]
  name = cell(corpus["name"])
  # A place in the world is a link; a mirror's folder is too.
  return (f"[{name}]({address})" if address else name) + size(corpus)


def problems(found):
  lines = ["\n## Problems"]
  group = None
  for entry in found:
    if entry["group"] != group:
      group = entry["group"]
      lines += [f"\n### {group.replace('_', ' ')}\n",
                "| problem | inputs -> targets | shards | source |",
                "| --- | --- | --- | --- |"]
    shards = ", ".join(f"{split} {count}"
                       for split, count in entry["splits"].items())
    sources = ", ".join(source(corpus) for corpus in entry.get("corpora", []))
    lines.append("| " + " | ".join([
        f"`{entry['name']}`", cell(entry.get("help", "").split(";")[0]), shards,
        sources or "made up, or a person's own"]) + " |")
  return lines


def sets(found):
  lines = ["\n## Hparams sets\n",
           "`t2t-trainer --hparams_set=S --print_hparams` prints one with the",
           "meaning of each value, `--diff_hparams=S,T` what differs.\n",
           "| family | sets |", "| --- | --- |"]
  by_family = {}
  for entry in found:
    by_family.setdefault(entry.get("group", ""), []).append(
        f"`{entry['name']}`" + ("" if entry["here"] else " (not here)"))
  for family, names in by_family.items():
    lines.append(f"| {family} | {', '.join(names)} |")
  return lines


def others(found, registries):
  lines = ["\n## Ranges, modalities, metrics, optimizers\n",
           "| registry | names |", "| --- | --- |"]
  for registry in registries:
    names = ", ".join(f"`{entry['name']}`" for entry in found[registry])
    lines.append(f"| {registry} | {names} |")
  return lines


def page(all_entries):
  found = {}
  for entry in all_entries:
    found.setdefault(entry["registry"], []).append(entry)
  lines = models(found["models"]) + problems(found["problems"])
  lines += sets(found["hparams sets"])
  lines += others(found, ["hparams ranges", "modalities", "metrics",
                          "optimizers"])
  return HEAD + "\n" + "\n".join(lines) + "\n"


def main():
  parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
  parser.add_argument("--trainer", default="bazel-bin/t2t/bin/trainer/t2t-trainer")
  parser.add_argument("--write", metavar="PAGE")
  parser.add_argument("--check", metavar="PAGE")
  options = parser.parse_args()
  text = page(entries(options.trainer))
  if options.write:
    with open(options.write, "w") as f:
      f.write(text)
  if options.check:
    with open(options.check) as f:
      if f.read() != text:
        print(f"{options.check} is not what tools/catalogue.py writes: run it"
              f" with --write {options.check}", file=sys.stderr)
        return 1
  return 0


if __name__ == "__main__":
  sys.exit(main())
