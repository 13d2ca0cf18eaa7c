"""The names that T2T registers, registry by registry.

    python3 tools/golden/registry_names.py ../shared/parity \
        tests/golden/registry/t2t_names.json

The folder holds what T2T's own registries say. Atari's problems (gym_*) are left
out: T2T makes them in a loop over games.
"""

import json
import os
import sys


def registered(folder, file):
  """All names of a registry, those too whose module T2T doesn't import."""
  with open(os.path.join(folder, file + ".json")) as f:
    return sorted(name for name in json.load(f)
                  if not name.startswith(("gym_", "_")))


def main():
  folder, output = sys.argv[1:]
  registries = {
      "models": registered(folder, "models"),
      "problems": registered(folder, "problems"),
      "hparams sets": registered(folder, "hparams"),
      "hparams ranges": registered(folder, "ranged_hparams"),
      "modalities": registered(folder, "modalities"),
      "metrics": registered(folder, "metrics"),
      "optimizers": registered(folder, "optimizers"),
  }
  with open(output, "w") as f:
    json.dump(registries, f, indent=0)
    f.write("\n")


if __name__ == "__main__":
  main()
