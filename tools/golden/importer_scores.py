"""Scores sentence pairs with T2T's own t2t-decoder --score_file.

usage: PYTHONPATH=<T2T's source> python tools/golden/importer_scores.py
Writes tests/golden/importer/wmt/: a vocabulary of 33 subwords for
translate_ende_wmt8k, the pairs, and T2T's losses of the model that
importer_model.py has made.

       ... importer_scores.py MODEL_DIR DATA_DIR PAIRS
Prints the losses of another model of that problem.
"""

import json
import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "model"))

import t2t_import  # pylint: disable=unused-import
import tensorflow.compat.v1 as tf
from tensor2tensor.data_generators import translate_ende  # pylint: disable=unused-import
from tensor2tensor.models import transformer  # pylint: disable=unused-import

# It imports every model and problem.
import tensor2tensor.bin as t2t_bin
t2t_bin.t2t_trainer = types.ModuleType("tensor2tensor.bin.t2t_trainer")
sys.modules["tensor2tensor.bin.t2t_trainer"] = t2t_bin.t2t_trainer
from tensor2tensor.bin import t2t_decoder

OUT = os.path.join(HERE, "../../tests/golden/importer")
SUBTOKENS = (["<pad>_", "<EOS>_"] + list("\\_u;0123456789") +
             ["the_", "der_", " ", "._", "en_", "s", "e", "n", "i", "t", "a",
              "r", "h", "d", "o", "m", "l"])
PAIRS = [
    ("the man", "der mann"), ("the tree.", "der baum."),
    ("a dog in the rain", "ein hund im regen"), ("", "nichts"),
    ("nothing", ""), ("", ""), ("the the the the", "der der der der"),
    ("A little girl.", "Mein kleines M\u00e4dchen."), ("m", "m"),
    ("3 men, 12 horses", "3 M\u00e4nner, 12 Pferde"),
    ("mandolin; a_b \\ c", "mandoline; a_b \\ c"),
    ("  the leading and trailing   ", " voran und hintan "),
    ("\u96e8 \u2014 rain", "\u96e8 \u2014 Regen"),
    ("he told the men to mend the road near the dam",
     "er sagte den leuten sie sollten die stra\u00dfe am damm richten"),
    ("tomato", "tomate"), ("tomato", "der mann"), ("r" * 60, "e" * 40),
    ("and then there were none.", "und dann gab es keinen mehr."),
    ("BULB lower", "GUT klein"), ("the end", "das ende"),
]


def scores(model_dir, data_dir, pairs):
  for name, value in dict(
      output_dir=model_dir, data_dir=data_dir, problem="translate_ende_wmt8k",
      model="transformer", hparams_set="transformer_test", hparams="").items():
    tf.flags.DEFINE_string(name, value, "")
  tf.flags.FLAGS(sys.argv[:1])
  return [float(score) for score in t2t_decoder.score_file(pairs)]


def main():
  if len(sys.argv) == 4:
    for score in scores(*sys.argv[1:]):
      print("%.7g" % score)
    return
  folder = os.path.join(OUT, "wmt")
  os.makedirs(folder, exist_ok=True)
  with open(os.path.join(folder, "vocab.translate_ende_wmt8k.8192.subwords"),
            "w") as f:
    f.writelines("'%s'\n" % subtoken for subtoken in SUBTOKENS)
  pairs = os.path.join(folder, "pairs.tsv")
  with open(pairs, "w") as f:
    f.writelines("%s\t%s\n" % pair for pair in PAIRS)
  # The model's directory as it is where it was made.
  model_dir = os.path.join(tf.test.get_temp_dir(), "t2t_model")
  os.makedirs(model_dir, exist_ok=True)
  for name in os.listdir(os.path.join(OUT, "t2t")):
    tf.gfile.Copy(os.path.join(OUT, "t2t", name),
                  os.path.join(model_dir, name), overwrite=True)
  with open(os.path.join(model_dir, "checkpoint"), "w") as f:
    f.write('model_checkpoint_path: "%s/model.ckpt-5"\n' % model_dir)
  losses = scores(model_dir, folder, pairs)
  with open(os.path.join(OUT, "scores.json"), "w") as f:
    json.dump([float("%.7g" % loss) for loss in losses], f)
    f.write("\n")


main()
