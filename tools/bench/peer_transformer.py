"""A peer for scripts/bench.sh: trains torch.nn.Transformer, shaped as the
hparams set transformer_multi30k, on batches of random symbols as those of
models/transformer_benchmark.cc, and prints symbols (of both sides, padding
not counted) a second. Needs PyTorch for Python.

usage: python3 tools/bench/peer_transformer.py STEPS
"""

import sys
import time

import torch
from torch import nn

VOCAB, HIDDEN, FILTER, HEADS, LAYERS = 8192, 128, 256, 4, 4
ROWS, LENGTH, SHORTEST = 140, 15, 10


class Peer(nn.Module):

  def __init__(self):
    super().__init__()
    self.embedding = nn.Embedding(VOCAB, HIDDEN)
    self.body = nn.Transformer(HIDDEN, HEADS, LAYERS, LAYERS, FILTER, 0.3,
                               batch_first=True, norm_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
    self.register_buffer("mask", mask.isinf())

  def forward(self, inputs, targets):
    shifted = nn.functional.pad(targets, (1, 0))[:, :-1]
    scale = HIDDEN**0.5
    padding = inputs == 0
    output = self.body(self.embedding(inputs) * scale,
                       self.embedding(shifted) * scale, tgt_mask=self.mask,
                       tgt_is_causal=True, src_key_padding_mask=padding,
                       memory_key_padding_mask=padding)
    logits = output @ self.embedding.weight.T
    return nn.functional.cross_entropy(logits.reshape(-1, VOCAB),
                                       targets.reshape(-1), ignore_index=0,
                                       label_smoothing=0.1)


def some_ids():
  ids = torch.randint(2, VOCAB, (ROWS, LENGTH))
  lengths = torch.randint(SHORTEST, LENGTH + 1, (ROWS, 1))
  return ids * (torch.arange(LENGTH) < lengths)


def main():
  steps = int(sys.argv[1])
  torch.manual_seed(0)
  peer = Peer()
  optimizer = torch.optim.Adam(peer.parameters(), 1e-3, (0.9, 0.98), 1e-9)
  warm_up = 5
  symbols = 0
  for step in range(steps + warm_up):
    if step == warm_up:
      start = time.time()
      symbols = 0
    inputs, targets = some_ids(), some_ids()
    symbols += int((inputs != 0).sum() + (targets != 0).sum())
    optimizer.zero_grad()
    peer(inputs, targets).backward()
    optimizer.step()
  rate = symbols / (time.time() - start)
  print("%s symbols/s" % format(int(rate), ","))


main()
