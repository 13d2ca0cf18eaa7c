"""Goldens of training and of LSTM decoding, out of T2T's own runs.

    python3 tools/golden/train.py GOLDEN tests/golden/train

GOLDEN is a folder with train/trajectories.{npz,json} (six steps of T2T 1.15.7's
optimize() on a small model) and models/lstm_seq2seq_bidirectional_encoder.npz
(a beam search). Writes a .safetensors for each, variables under our names (a
table that T2T shards is one tensor), by the standard library alone.
"""

import ast
import json
import re
import struct
import sys
import zipfile

TYPES = {'<f4': ('F32', 4), '<i4': ('I32', 4), '<i8': ('I64', 8)}


def read_npz(path, prefix=''):
  """Returns {name: (type, shape, bytes)} of the entries under a prefix."""
  arrays = {}
  with zipfile.ZipFile(path) as archive:
    for name in archive.namelist():
      if not name.startswith(prefix):
        continue
      data = archive.read(name)
      size = struct.unpack('<H', data[8:10])[0]
      head = ast.literal_eval(data[10:10 + size].decode())
      assert not head['fortran_order'] and data[6] == 1
      arrays[name[len(prefix):-len('.npy')]] = (
          head['descr'], list(head['shape']), data[10 + size:])
  return arrays


def join_shards(arrays):
  """Puts <scope>/weights_0, _1, ... together as <scope>/weights."""
  joined = {}
  shards = {}
  for name, array in arrays.items():
    match = re.fullmatch(r'(.*/weights)_(\d+)', name)
    if match:
      shards.setdefault(match[1], {})[int(match[2])] = array
    else:
      joined[name] = array
  for name, parts in shards.items():
    parts = [parts[i] for i in range(len(parts))]
    rows = sum(part[1][0] for part in parts)
    joined[name] = (parts[0][0], [rows] + parts[0][1][1:],
                    b''.join(part[2] for part in parts))
  return joined


def write(path, arrays, metadata):
  header = {'__metadata__': metadata}
  data = b''
  for name in sorted(arrays):
    descr, shape, values = arrays[name]
    header[name] = {
        'dtype': TYPES[descr][0], 'shape': shape,
        'data_offsets': [len(data), len(data) + len(values)]}
    data += values
  text = json.dumps(header, sort_keys=True).encode()
  text += b' ' * (-len(text) % 8)
  with open(path, 'wb') as f:
    f.write(struct.pack('<Q', len(text)) + text + data)


def main():
  golden, out = sys.argv[1:]
  with open(golden + '/train/trajectories.json') as f:
    cases = {case['id']: case for case in json.load(f)}
  for name in ('transformer_adafactor', 'transformer_multistep'):
    case = cases[name]
    arrays = read_npz(golden + '/train/trajectories.npz', name + '/')
    kept = {key: value for key, value in arrays.items()
            if key in ('inputs', 'targets')}
    for part in ('init/', 'final/'):
      weights = join_shards({key[len(part):]: value
                             for key, value in arrays.items()
                             if key.startswith(part)})
      if part == 'init/':
        kept.update({part + key: value for key, value in weights.items()})
      else:  # enough to see that the end is the same
        kept.update({part + key: value for key, value in weights.items()
                     if 'symbol_modality' in key or 'ffn' in key})
    write(out + '/' + name + '.safetensors', kept, {
        'hparams_set': case['hparams_set'], 'overrides': case['overrides'],
        'loss': json.dumps([step['loss'] for step in case['steps']]),
        'learning_rate': json.dumps([step['lr'] for step in case['steps']])})
  name = 'lstm_seq2seq_bidirectional_encoder'
  arrays = read_npz(golden + '/models/' + name + '.npz')
  kept = join_shards({key[len('weights/'):]: value
                      for key, value in arrays.items()
                      if key.startswith('weights/')})
  for key in ('features/inputs', 'decode/beam4/outputs', 'decode/beam4/scores'):
    kept[key] = arrays[key]
  write(out + '/' + name + '.safetensors', kept, {})


if __name__ == '__main__':
  main()
