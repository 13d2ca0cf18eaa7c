"""The share of sampled targets by T2T's scheduled sampling.

  PYTHONPATH=<T2T's source> python3 tools/golden/model/scheduled_sampling.py OUT

Writes scheduled_sampling.json: per schedule a list of [step, share], for a
maximum of 0.5 reached after 200 steps.
"""

import json
import sys

import t2t_import  # pylint: disable=unused-import
import tensorflow.compat.v1 as tf
from tensor2tensor.utils import scheduled_sampling


def main():
  tf.disable_v2_behavior()
  shares = {}
  for schedule in ("exp", "linear", "sigmoid"):
    shares[schedule] = []
    for step in (0, 1, 50, 100, 199, 200, 500):
      tf.reset_default_graph()
      global_step = tf.train.create_global_step()
      share = scheduled_sampling.inverse_decay_mix_prob(schedule, 0.5, 200)
      with tf.Session() as session:
        session.run(global_step.assign(step))
        shares[schedule].append([step, float(session.run(share))])
  with open(sys.argv[1] + "/scheduled_sampling.json", "w") as file:
    json.dump(shares, file, indent=1)
    file.write("\n")


main()
