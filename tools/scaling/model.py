#!/usr/bin/env python3
"""The weak-scaling model of docs/scaling.md: prints its tables.

Every GPU takes a batch of its own, gradients are summed over all of them while
the backward pass goes on. Usage: tools/scaling/model.py [--mfu=0.35]
[--bucket_mb=25] [--overlap=0.95]; or with --here: what the model says of the
runs of two ranks that were measured on this project's machine.
"""

import argparse
import math

# hidden, filter, layers of each stack
MODELS = {"transformer_base": (512, 2048, 6), "transformer_big": (1024, 4096, 6)}
VOCABULARY = 32768
TOKENS = 4096  # batch_size: padded positions a side and GPU
LENGTH = 30  # of a sentence, for attention's own products

# name: (peak FLOP/s of dense bf16, bytes/s one way of a GPU inside a machine,
#        bytes/s one way of a machine's network), all from data sheets
MACHINES = {
    "8 x A100, 8 x 200 Gb/s InfiniBand": (312e12, 300e9, 200e9),
    "8 x H100, 8 x 400 Gb/s InfiniBand": (989e12, 450e9, 400e9),
    "8 x A100, 100 Gb/s Ethernet": (312e12, 300e9, 12.5e9),
}
GPUS_A_MACHINE = 8
# Assumed, not measured: the share of a link's rate that a collective gets, and
# the seconds that a message takes.
LINK_SHARE = 0.8
INSIDE_LATENCY = 3e-6
NETWORK_LATENCY = 8e-6
# Measured here, on CPUs: the backward pass' share of computing, and the share
# of the pass in which communication can be hidden.
BACKWARD_SHARE = 0.61
OVERLAP = 0.95

# Two ranks, measured: (name, seconds of the backward pass with nothing sent,
# bytes of gradients in the stacks, of the embedding, bytes/s one way, seconds
# of waiting where communication takes next to no time)
HERE = [
    ("transformer_base, 1 Gbit/s", 1.32, 176.5e6, 16.5e6, 125e6, 0.037),
    ("transformer_multi30k, 1 Gbit/s", 0.27, 5.30e6, 4.14e6, 125e6, 0.023),
    ("transformer_multi30k, 200 Mbit/s", 0.27, 5.30e6, 4.14e6, 25e6, 0.023),
    ("transformer_multi30k, 100 Mbit/s", 0.27, 5.30e6, 4.14e6, 12.5e6, 0.023),
]


def parameters(name):
    """(of the stacks, of the embedding, which is the softmax too)"""
    hidden, filter_size, layers = MODELS[name]
    ffn = 2 * hidden * filter_size
    encoder = layers * (4 * hidden * hidden + ffn)
    decoder = layers * (8 * hidden * hidden + ffn)
    return encoder + decoder, VOCABULARY * hidden


def flops(name):
    """of a step on a GPU, forwards and backwards"""
    hidden, _, layers = MODELS[name]
    body, embedding = parameters(name)
    attention = 3 * layers * 4 * LENGTH * hidden
    return 6.0 * TOKENS * (body + embedding) + 3.0 * TOKENS * attention


def all_reduce(size, gpus, inside, network):
    """Seconds for one bucket: rings for the bytes, a tree for the latency."""
    machines = max(1, gpus // GPUS_A_MACHINE)
    bandwidth = LINK_SHARE * (inside if machines == 1 else min(inside, network))
    seconds = 2.0 * (gpus - 1) / gpus * size / bandwidth
    seconds += 2 * (min(gpus, GPUS_A_MACHINE) - 1) * INSIDE_LATENCY
    return seconds + 2 * math.ceil(math.log2(machines)) * NETWORK_LATENCY


def step(name, machine, gpus, args):
    """(seconds without the others, seconds of communication, exposed ones)"""
    peak, inside, network = MACHINES[machine]
    body, embedding = parameters(name)
    compute = flops(name) / (args.mfu * peak)
    if gpus == 1:
        return compute, 0.0, 0.0
    backward = BACKWARD_SHARE * compute
    bucket = args.bucket_mb * 2**20

    def total(count):
        size = args.gradient_bytes * count
        buckets = math.ceil(size / bucket)
        return buckets * all_reduce(size / buckets, gpus, inside, network)

    # The embedding's gradient is complete when the pass is over: what is done
    # with it can't be hidden.
    tail = total(embedding)
    hidden = min(total(body), args.overlap * backward)
    return compute, total(body) + tail, total(body) - hidden + tail


def print_here(overlap):
    for name, backward, stacks, embedding, rate, skew in HERE:
        alone = (stacks + embedding) / rate
        exposed = max(0.0, stacks / rate - overlap * backward) + embedding / rate
        waiting = exposed + skew
        print("%s: alone %.0f ms; waiting %.0f ms, hidden %.0f%%"
              % (name, 1e3 * alone, 1e3 * waiting, 100 * (1 - waiting / alone)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mfu", type=float, default=0.35)
    parser.add_argument("--bucket_mb", type=float, default=25)
    parser.add_argument("--overlap", type=float, default=OVERLAP)
    parser.add_argument("--gradient_bytes", type=int, default=4)
    parser.add_argument("--here", action="store_true")
    args = parser.parse_args()
    if args.here:
        print_here(args.overlap)
        return
    for name in MODELS:
        body, embedding = parameters(name)
        print("%s: %.1f M parameters, %.0f MB of gradients, %.2f TFLOP a step"
              % (name, (body + embedding) / 1e6,
                 args.gradient_bytes * (body + embedding) / 1e6,
                 flops(name) / 1e12))
    for machine in MACHINES:
        print("\n%s\n" % machine)
        print("| GPUs | base: step, exposed | efficiency | big: step, exposed |"
              " efficiency |")
        print("|---|---|---|---|---|")
        for gpus in (1, 8, 16, 32, 64, 128, 256, 512, 1024):
            cells = [str(gpus)]
            for name in MODELS:
                compute, _, exposed = step(name, machine, gpus, args)
                cells.append("%.1f ms, %.1f ms" % (1e3 * (compute + exposed),
                                                  1e3 * exposed))
                cells.append("%.0f%%" % (100 * compute / (compute + exposed)))
            print("| %s |" % " | ".join(cells))


if __name__ == "__main__":
    main()
