"""A peer for scripts/bench.sh: trains torch.nn.Transformer, shaped as the
hparams set transformer_numbers, on batches of random symbols of that set's
size, and prints target symbols a second. Needs PyTorch for Python.

usage: python3 tools/bench/peer_transformer.py STEPS
"""

import sys
import time

import torch
from torch import nn

VOCAB, HIDDEN, FILTER, HEADS, LAYERS = 256, 128, 256, 4, 2
ROWS, LENGTH = 64, 32  # 2,048 symbols, as batch_size says


class Peer(nn.Module):

  def __init__(self):
    super().__init__()
    self.embedding = nn.Embedding(VOCAB, HIDDEN)
    self.body = nn.Transformer(HIDDEN, HEADS, LAYERS, LAYERS, FILTER, 0.05,
                               batch_first=True, norm_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
    self.register_buffer("mask", mask)

  def forward(self, inputs, targets):
    shifted = nn.functional.pad(targets, (1, 0))[:, :-1]
    scale = HIDDEN**0.5
    output = self.body(self.embedding(inputs) * scale,
                       self.embedding(shifted) * scale, tgt_mask=self.mask,
                       tgt_is_causal=True)
    logits = output @ self.embedding.weight.T
    return nn.functional.cross_entropy(logits.reshape(-1, VOCAB),
                                       targets.reshape(-1),
                                       label_smoothing=0.1)


def main():
  steps = int(sys.argv[1])
  torch.manual_seed(0)
  peer = Peer()
  optimizer = torch.optim.Adam(peer.parameters(), 1e-3, (0.9, 0.98), 1e-9)
  warm_up = 5
  for step in range(steps + warm_up):
    if step == warm_up:
      start = time.time()
    inputs, targets = torch.randint(2, VOCAB, (2, ROWS, LENGTH))
    optimizer.zero_grad()
    peer(inputs, targets).backward()
    optimizer.step()
  rate = steps * ROWS * LENGTH / (time.time() - start)
  print("%s target tokens/s" % format(int(rate), ","))


main()
