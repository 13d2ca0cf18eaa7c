"""Writes tests/golden/modality/layers.json: T2T's ends of images and its CTC loss.

    python3 tools/golden/modality_layers.py ../shared/golden/layers/modalities.npz \
        tests/golden/modality/layers.json

The file given first has inputs, variables and outputs of T2T's own functions; of
large ones the first row of the first image is kept, and of a table what that row
takes (zeros for the others). Needs no numpy.
"""

import array
import ast
import json
import struct
import sys
import zipfile

CODES = {"<f4": "f", "<i4": "i"}
CASES = ("image_channel_compress_bottom", "image_channel_compress_top",
         "image_channel_embeddings_bottom", "ctc_symbol_loss")


def arrays(path):
  """The arrays of an .npz: name -> (shape, values)."""
  found = {}
  with zipfile.ZipFile(path) as archive:
    for name in archive.namelist():
      data = archive.read(name)
      wide = data[6] > 1
      length = struct.unpack("<I" if wide else "<H",
                             data[8:12] if wide else data[8:10])[0]
      begin = 12 if wide else 10
      header = ast.literal_eval(data[begin:begin + length].decode())
      code = CODES.get(header["descr"])
      if code:
        values = array.array(code, data[begin + length:])
        found[name[:-len(".npy")]] = (list(header["shape"]), list(values))
  return found


def tensor(shape, values):
  return {
      "shape": shape,
      "values": [float("%.6g" % v) if isinstance(v, float) else v
                 for v in values],
  }


def first_row(shape, values):
  """[batch, height, ...] -> [1, 1, ...]."""
  size = 1
  for n in shape[2:]:
    size *= n
  return [1, 1] + shape[2:], values[:size]


def main():
  found = arrays(sys.argv[1])
  cases = []
  for name in CASES:
    case = {"name": name, "inputs": {}, "variables": {}, "outputs": []}
    for key in sorted(found):
      if not key.startswith(name + "/"):
        continue
      part = key[len(name) + 1:]
      shape, values = found[key]
      if part.startswith("w/"):
        case["variables"][part[len("w/case/"):]] = (shape, values)
        continue
      if name != "ctc_symbol_loss":
        shape, values = first_row(shape, values)
      if part.startswith("in/"):
        case["inputs"][part[len("in/"):]] = tensor(shape, values)
      else:
        case["outputs"].append(tensor(shape, values))
    if name == "image_channel_embeddings_bottom":
      pixels = case["inputs"]["x"]["values"]
      taken = {v + 256 * (i % 3) for i, v in enumerate(pixels)}
      (key, (shape, values)), = case["variables"].items()
      depth = shape[1]
      values = [v if i // depth in taken else 0 for i, v in enumerate(values)]
      case["variables"][key] = (shape, values)
    case["variables"] = {
        key: tensor(*value) for key, value in case["variables"].items()
    }
    cases.append(case)
  with open(sys.argv[2], "w", encoding="utf-8") as file:
    file.write("[" + ",\n".join(json.dumps(case, sort_keys=True)
                                for case in cases) + "]\n")


if __name__ == "__main__":
  main()
