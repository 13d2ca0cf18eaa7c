"""Runs T2T's Universal and Evolved Transformer on small batches.

  PYTHONPATH=<T2T's source> python3 tools/golden/model/depth.py OUT.json [CASE..]

Writes features, logits, the whole loss and the norm of its gradient by every
variable. The weights are those of transformer.py's weight(): a function of name
and place.
"""

import json
import sys
import types

import numpy as np
import transformer as runs
from tensor2tensor.models import evolved_transformer
from tensor2tensor.models.research import universal_transformer
from tensor2tensor.utils import contrib

# TensorFlow 2 has no contrib; T2T wants its summaries alone here.
contrib.summary = lambda: types.SimpleNamespace(scalar=lambda *_, **__: None)

UNIVERSAL = ("universal_transformer", "universal_transformer_base",
             universal_transformer.UniversalTransformer,
             "num_rec_steps=3,act_max_steps=5,")
EVOLVED = ("evolved_transformer", "evolved_transformer_base",
           evolved_transformer.EvolvedTransformer,
           "num_encoder_layers=1,num_decoder_layers=2,")
ACT = "recurrence_type=act,"

# name: (model, hparams, options)
CASES = {
    "lstm": (UNIVERSAL, "recurrence_type=lstm,add_step_timing_signal=False", {}),
    "lstm_memory": (
        UNIVERSAL, "recurrence_type=lstm,add_step_timing_signal=False,"
        "use_memory_as_final_state=True,lstm_forget_bias=0.5,"
        "add_ffn_unit_to_the_transition_function=True", {}),
    "gru_ffn": (
        UNIVERSAL, "recurrence_type=gru,add_step_timing_signal=False,"
        "add_ffn_unit_to_the_transition_function=True", {}),
    "concat": (
        UNIVERSAL, ACT + "add_or_concat_timing_signal=concat,"
        "step_timing_signal_type=sinusoid", {}),
    "concat_position": (
        UNIVERSAL, "add_or_concat_timing_signal=concat,"
        "add_step_timing_signal=False", {}),
    "position_step": (
        UNIVERSAL, "step_timing_signal_type=sinusoid",
        {"values": {"position_start_index": "step"}}),
    "accumulated": (
        UNIVERSAL, ACT + "act_type=accumulated,act_loss_weight=0.5,"
        "act_epsilon=0.2", {}),
    "two_layers": (
        UNIVERSAL, "num_inrecurrence_layers=2", {}),
    "global": (UNIVERSAL, ACT + "act_type=global,act_halting_bias_init=0.0", {}),
    "mixed": (
        UNIVERSAL, ACT + "num_mixedin_layers=2,act_loss_weight=0.0",
        {"values": {"mix_with_transformer": "before_ut,after_ut"}}),
    "sepconv": (UNIVERSAL, ACT + "transformer_ffn_type=sepconv", {}),
    "sru": (UNIVERSAL, "add_sru=True", {}),
    "highway_all": (
        UNIVERSAL, "recurrence_type=highway,couple_carry_transform_gates=False,"
        "use_pad_remover=False", {"further_hparams": {"gates_inputs": "sti"}}),
    "skip_relu": (
        UNIVERSAL, "recurrence_type=skip,gate_ffn_layer=dense_relu_dense",
        {"further_hparams": {"gates_inputs": "st"}}),
    "dwa_plain": (
        UNIVERSAL, "recurrence_type=dwa,dwa_elements=False,"
        "depth_embedding=False,add_or_concat_timing_signal=concat", {}),
    "pos_once": (
        UNIVERSAL, "add_position_timing_signal=False",
        {"values": {"pos": "timing"}}),
    "relative": (
        UNIVERSAL, ACT + "self_attention_type=dot_product_relative_v2,"
        "max_relative_position=3", {}),
    "language_model": (UNIVERSAL, ACT, {"has_inputs": False}),
    "packed": (UNIVERSAL, ACT + "transformer_ffn_type=sepconv",
               {"packed": True}),
    "evolved_packed": (EVOLVED, "", {"packed": True}),
    "evolved_language_model": (EVOLVED, "", {"has_inputs": False}),
    "evolved_post_norm": (
        EVOLVED, "layer_preprocess_sequence=none,"
        "layer_postprocess_sequence=dan", {}),
    "evolved_top": (
        EVOLVED, "", {"further_hparams": {
            "num_trainable_top_decoder_layers": 1}}),
}


def rounded(array):
  return [float("%.7g" % x) for x in np.asarray(array).reshape(-1)]


def main():
  cases = []
  for name in sys.argv[2:] or CASES:
    model, overrides, options = CASES[name]
    model_name, hparams_set, model_class, common = model
    text = runs.COMMON + "num_hidden_layers=2," + common + overrides
    text = text.rstrip(",")
    out = runs.run(text, options, hparams_set, model_class)
    print(name, out["loss"], out["logits"].shape, len(out), flush=True)
    for key, value in options.get("values", {}).items():
      text += ",%s=%s" % (key, value)
    cases.append({
        "name": name,
        "model": model_name,
        "hparams_set": hparams_set,
        "hparams": text,
        "added": options.get("further_hparams", {}),
        "has_inputs": options.get("has_inputs", True),
        "features": {
            key: value.tolist() for key, value in out.items()
            if key.startswith(("inputs", "targets"))},
        "logits": {"shape": list(out["logits"].shape),
                   "values": rounded(out["logits"])},
        "loss": float(out["loss"][0]),
        "gradient_norms": {
            key[len("gradient/"):]: rounded(np.linalg.norm(value))[0]
            for key, value in out.items() if key.startswith("gradient/")},
    })
    with open(sys.argv[1], "w") as f:  # each case takes a while
      json.dump({"cases": cases}, f)
      f.write("\n")


main()
