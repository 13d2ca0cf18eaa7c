"""All of T2T's hparams sets and ranges, a line each.

    python3 tools/golden/hparams_sets.py ../shared/parity tests/golden/hparams

The folder given first holds T2T's own values (hparams.json,
ranged_hparams.json); sets.txt and ranges.txt are written into the second one: a
name, the number of its values, and the hash of all of them. Values that HParams
has no type for are written as t2t/hparams/rows.h says.
"""

import json
import os
import sys

# What T2T's None is here.
NONE = {
    "clip_grad_norm": 0.0,
    "distill_phase": "none",
    "effective_num_agents": 0,
    "keep_prob": 1.0,
    "learning_rate_minimum": 0.0,
    "mix_with_transformer": "none",
    "optimizer_adafactor_clipping_threshold": 0.0,
    "pos": "none",
    "position_start_index": "none",
    "preprocess_resize_frames": ("ints", []),
    "targeting_rate": 0.0,
    "wrappers": ("texts", []),
}
# Dictionaries of functions, by feature.
FUNCTIONS = ("bottom", "loss", "name", "top", "weights_fn")
# Whole numbers that mean true and false.
BOOLS = ("grayscale", "unconditional")


def resolve(sets, name):
  """A set's values and types, its bases' included."""
  row = sets[name]
  if "values" in row:
    values, types = {}, {}
  else:
    values, types = resolve(sets, row["base"])
  values.update(row.get("values", row.get("set", {})))
  types.update(row.get("types", {}))
  for key in row.get("removed", []):
    values.pop(key, None)
    types.pop(key, None)
  return values, types


def number(value):
  return "%.17g" % float(value)


def text_of(value):
  """A value with its type, as the test writes it."""
  if isinstance(value, tuple):
    kind, items = value
  elif isinstance(value, list):
    if all(isinstance(item, str) for item in value):
      kind = "texts"
    elif all(isinstance(item, int) for item in value):
      kind = "ints"
    else:
      kind = "numbers"
    items = value
  else:
    if isinstance(value, bool):
      return "bool=" + ("1" if value else "0")
    if isinstance(value, int):
      return "int=%d" % value
    if isinstance(value, float):
      return "number=" + number(value)
    return "text=" + value
  if kind == "numbers":
    items = [number(item) for item in items]
  return kind + "=" + ",".join(str(int(i) if isinstance(i, bool) else i)
                               for i in items)


def ours(key, value, kind):
  """T2T's value as HParams has it; None where there is no such key here."""
  if key in FUNCTIONS:
    if not value:
      return None
    return ",".join("%s:%s" % (feature, function.replace("fn:", ""))
                    for feature, function in sorted(value.items()))
  if value is None:
    return NONE[key]
  if key.startswith("noising_spec_"):
    return json.dumps(value, sort_keys=True)
  if key == "use_td":
    return value or "none"
  if key == "use_fixed_batch_size" and value == [True]:
    return True
  if key in BOOLS:
    return bool(value)
  if key == "moe_loss_coef" or kind == "float":
    return float(value)
  if kind == "list:float":
    return ("numbers", value)
  return value


def fnv1a(text):
  value = 0xcbf29ce484222325
  for byte in text.encode("utf-8"):
    value = ((value ^ byte) * 0x100000001b3) % (1 << 64)
  return value


def line_of(name, lines):
  return "%s %d %016x\n" % (name, len(lines), fnv1a("".join(sorted(lines))))


def main():
  parity, folder = sys.argv[1:]
  about = "# python3 tools/golden/hparams_sets.py ../shared/parity " + folder
  with open(os.path.join(parity, "hparams.json")) as file:
    sets = json.load(file)
  with open(os.path.join(folder, "sets.txt"), "w") as out:
    out.write(about + "\n")
    for name in sorted(sets):
      if "error" in sets[name]:
        continue  # T2T cannot build it
      values, types = resolve(sets, name)
      lines = []
      for key, value in values.items():
        mine = ours(key, value, types.get(key))
        if mine is not None:
          lines.append(key.strip() + ":" + text_of(mine) + "\n")
      out.write(line_of(name, lines))
  with open(os.path.join(parity, "ranged_hparams.json")) as file:
    ranges = json.load(file)
  del ranges["_scales"]
  with open(os.path.join(folder, "ranges.txt"), "w") as out:
    out.write(about + "\n")
    for name in sorted(ranges):
      lines = []
      for key, one in ranges[name]["categorical"].items():
        lines.append("%s:one_of=%s\n" % (key, ",".join(one["categories"])))
      for key, one in ranges[name]["discrete"].items():
        points = ",".join(number(point) for point in one["points"])
        lines.append("%s:points=%s scale=%d\n" % (key, points,
                                                  one["scale"] or 0))
      for kind in ("float", "int"):
        for key, one in ranges[name][kind].items():
          lines.append("%s:%s=%s,%s scale=%d\n" %
                       (key, kind, number(one["min"]), number(one["max"]),
                        one["scale"] or 0))
      out.write(line_of(name, lines))


if __name__ == "__main__":
  main()
