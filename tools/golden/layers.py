"""Goldens of single layers, out of T2T's own runs.

    python3 tools/golden/layers.py GOLDEN OUT.json GROUP/CASE...

GOLDEN is a folder of T2T 1.15.7's layers, GROUP.npz: inputs, weights and outputs
by case. Writes them as {case: {name: {"shape": [..], "values": [..]}}}, by the
standard library alone.
"""

import json
import struct
import sys

from train import read_npz


def main():
  golden, out = sys.argv[1:3]
  cases = {}
  for name in sys.argv[3:]:
    group, case = name.split('/')
    cases[case] = {}
    for key, (kind, shape, data) in read_npz(
        '%s/%s.npz' % (golden, group), case + '/').items():
      code = {'<f4': 'f', '<i4': 'i', '<i8': 'q'}[kind]
      values = struct.unpack(
          '<%d%s' % (len(data) // struct.calcsize(code), code), data)
      cases[case][key] = {
          'shape': shape, 'values': [float('%.8g' % x) for x in values]}
  with open(out, 'w') as f:
    json.dump(cases, f)
    f.write('\n')


if __name__ == '__main__':
  main()
