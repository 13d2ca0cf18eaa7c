"""Goldens of whole models, out of T2T's own runs.

    python3 tools/golden/models.py GOLDEN tests/golden/models NAME...

GOLDEN is a folder of T2T 1.15.7's models, NAME.npz and NAME.json: weights,
features, logits in evaluation and training (without dropout), greedy and beam
decodes; hparams, losses and gradient norms. Writes NAME.safetensors for each,
variables under our names (a table that T2T shards is one tensor), the JSON's
facts as metadata, by the standard library alone.
"""

import json
import sys

from train import join_shards, read_npz, write

# Hparams that the runs were given, and that neither set nor model knows.
UNKNOWN = {'slice_net': ['filter_size']}
# T2T decodes from the last position that a body gives, which in these is
# padding's, whatever was decoded: nothing to be equal to.
DECODES_PADDING = ['byte_net']
# Large weights that have no part in losses and gradients at step 0.
LEFT_OUT = {
    'transformer_ae': ['transformer_ae/body/extra_logits/kernel',
                       'transformer_ae/body/extra_logits/bias'],
    'transformer_nat': ['ema_means', 'transformer_nat/body/extra_logits/kernel',
                        'transformer_nat/body/pos'],
}
# What T2T says of all gradients together is of a run of its own, after their
# codes moved or with other draws.
OTHER_RUN = ['transformer_ae', 'transformer_nat']


def main():
  golden, out = sys.argv[1:3]
  for name in sys.argv[3:]:
    with open('%s/%s.json' % (golden, name)) as f:
      case = json.load(f)
    arrays = read_npz('%s/%s.npz' % (golden, name))
    kept = {key: value for key, value in arrays.items()
            if not key.startswith('weights/')}
    kept.update(('weights/' + key, value) for key, value in join_shards(
        {key[len('weights/'):]: value for key, value in arrays.items()
         if key.startswith('weights/')}).items())
    # Once, where training without dropout is evaluation.
    if kept.get('eval/logits') == kept.get('train/logits'):
      kept.pop('train/logits', None)
    parts = case['parts']
    if case['model'] in DECODES_PADDING:
      parts = {key: part for key, part in parts.items()
               if not key.startswith('decode_')}
      kept = {key: value for key, value in kept.items()
              if not key.startswith('decode/')}
    for part in parts.values():
      part.pop('shapes', None)
      part.pop('logits_shape', None)
      # A shard's norm says nothing of the table.
      part['grad_norms'] = {
          key: value for key, value in part.get('grad_norms', {}).items()
          if 'symbol_modality' not in key}
    for key in UNKNOWN.get(case['model'], []):
      case['overrides'].pop(key, None)
    if case['model'] in OTHER_RUN:
      del parts['train']['grad_global_norm']
    facts = {key: case[key] for key in (
        'model', 'hparams_set', 'overrides', 'problem_hparams')}
    for key in LEFT_OUT.get(case['model'], []):
      del kept['weights/' + key]
      facts.setdefault('left_out', []).append(key)
    write('%s/%s.safetensors' % (out, name), kept,
          {'case': json.dumps(dict(facts, parts=parts), sort_keys=True)})


if __name__ == '__main__':
  main()
