"""Writes tests/golden/metrics/values.json: T2T's metrics of numbers and classes.

    python3 tools/golden/metric_values.py ../shared/golden/metrics \
        tests/golden/metrics/values.json

The folder given first has what T2T's METRICS_FNS make of fixed tensors; what they
fail on is left out, and the metrics of text, which ids.json has. SARI's cases are
those of its own function. Needs no numpy.
"""

import json
import os
import sys

from modality_layers import arrays
from modality_layers import tensor

NUMBERS = ("real_p", "onehot_logits", "multi_logits", "two_logits")
# Of each metric the outputs that it is for.
METRICS = {
    "accuracy_multilabel_match3": ("logits",),
    "image_rmse": ("logits",),
    "log_poisson": NUMBERS,
    "pearson": NUMBERS,
    "r_squared": NUMBERS,
    "rmse": NUMBERS,
    "roc_auc": ("real_p", "two_logits"),
    "sigmoid_accuracy": ("logits", "two_logits"),
    "sigmoid_accuracy_one_hot": NUMBERS,
    "sigmoid_cross_entropy_one_hot": NUMBERS,
    "sigmoid_precision_one_hot": NUMBERS,
    "sigmoid_recall_one_hot": NUMBERS,
    "softmax_cross_entropy_one_hot": NUMBERS,
    "unpadded_mse": NUMBERS,
    "word_error_rate": ("logits",),
}
TENSORS = NUMBERS + ("logits", "labels", "real_l", "onehot_labels",
                     "multi_labels", "two_labels")
SARI_CASES = 20


def flat(values):
  if not isinstance(values, list):
    return [values]
  return [v for part in values for v in flat(part)]


def main():
  folder = sys.argv[1]
  found = arrays(os.path.join(folder, "metrics.npz"))
  with open(os.path.join(folder, "metrics.json"), encoding="utf-8") as file:
    cases = json.load(file)
  kept = []
  for case in cases:
    if (case["predictions"] not in METRICS.get(case["metric"], ()) or
        "error" in case):
      continue
    # An answer of 0 is none.
    if (case["metric"] == "accuracy_multilabel_match3" and
        case["weights_fn"] == "weights_all"):
      continue
    value, weight = flat(case["value"]), flat(case["weight"])
    if "nan" in value:
      continue
    # What tf.metrics.mean makes of it.
    if len(weight) == 1:
      mean = sum(value) / len(value)
    else:
      mean = sum(v * w for v, w in zip(value, weight)) / sum(weight)
    kept.append({
        "metric": case["metric"],
        "predictions": case["predictions"],
        "labels": case["labels"],
        "weights": case["weights_fn"],
        "value": mean,
    })
  with open(os.path.join(folder, "sari.json"), encoding="utf-8") as file:
    sari = json.load(file)[:SARI_CASES]
  golden = {
      "tensors": {name: tensor(*found[name]) for name in TENSORS},
      "cases": kept,
      "sari": sari,
  }
  with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(golden, file, sort_keys=True)
    file.write("\n")


if __name__ == "__main__":
  main()
