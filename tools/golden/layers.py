"""Goldens of single layers, out of T2T's own runs.

    python3 tools/golden/layers.py GOLDEN tests/golden/layers GROUP CASE...

GOLDEN is a folder of T2T 1.15.7's layers, GROUP.npz: inputs, weights, outputs
and perhaps gradients by case. Writes CASE.safetensors for each, by the standard library
alone.
"""

import sys

from train import read_npz, write


def main():
  golden, out, group = sys.argv[1:4]
  for case in sys.argv[4:]:
    write('%s/%s.safetensors' % (out, case),
          read_npz('%s/%s.npz' % (golden, group), case + '/'), {})


if __name__ == '__main__':
  main()
