#include "t2t/hparams/without_effect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "t2t/hparams/hparams.h"

namespace t2t {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Notes(const std::string& set, const std::string& given,
                               const HParamsUse& use = {"transformer",
                                                        "symbol"}) {
  return NotesOnHParams(MakeHParams(set, given), given, use);
}

struct Pair {
  const char* set;
  const char* off;  // the last one has no effect
  const char* on;   // the same one has an effect
  HParamsUse use = {"transformer", "symbol"};
};

const HParamsUse kUniversal = {"universal_transformer", "symbol"};
const HParamsUse kMixture = {"transformer", "symbol", /*is_mixture=*/true};
const HParamsUse kShuffled = {"shuffle_network", "symbol", /*is_mixture=*/true};

// One for each row of the table: what is off, and what is not.
const Pair kPairs[] = {
    {"transformer_base", "learning_rate=50",
     "learning_rate_schedule=legacy,learning_rate=50"},
    {"transformer_base_v2", "learning_rate_constant=1",
     "learning_rate_schedule=constant,learning_rate_constant=1"},
    {"transformer_base", "learning_rate_decay_scheme=exp",
     "learning_rate_schedule=legacy,learning_rate_decay_scheme=exp"},
    {"transformer_base",
     "learning_rate_schedule=constant,learning_rate_warmup_steps=10",
     "learning_rate_warmup_steps=10"},
    {"transformer_base", "learning_rate_decay_steps=10",
     "learning_rate_schedule=legacy,learning_rate_decay_scheme=exp,"
     "learning_rate_decay_steps=10"},
    {"transformer_base", "learning_rate_decay_rate=0.5",
     "learning_rate_schedule=exp_decay,learning_rate_decay_rate=0.5"},
    {"transformer_base", "learning_rate_decay_staircase=True",
     "learning_rate_schedule=exp_decay,learning_rate_decay_staircase=True"},
    {"transformer_base_v2", "learning_rate_cosine_cycle_steps=10",
     "learning_rate_decay_scheme=cosine,learning_rate_cosine_cycle_steps=10"},
    {"transformer_base", "optimizer=sgd,optimizer_adam_beta1=0.5",
     "optimizer=AdamW,optimizer_adam_beta1=0.5"},
    {"transformer_base", "optimizer_momentum_momentum=0.5",
     "optimizer=Momentum,optimizer_momentum_momentum=0.5"},
    {"transformer_base", "optimizer_momentum_nesterov=True",
     "optimizer=momentum,optimizer_momentum_nesterov=True"},
    {"transformer_base", "optimizer_adafactor_factored=False",
     "optimizer=Adafactor,optimizer_adafactor_factored=False"},
    {"transformer_base", "optimizer=adafactor,optimizer_adafactor_beta2=0.9",
     "optimizer=adafactor,optimizer_adafactor_decay_type=adam,"
     "optimizer_adafactor_beta2=0.9"},
    {"transformer_base",
     "optimizer=adafactor,optimizer_adafactor_decay_type=adam,"
     "optimizer_adafactor_memory_exponent=0.5",
     "optimizer=adafactor,optimizer_adafactor_memory_exponent=0.5"},
    {"transformer_base", "scheduled_sampling_num_passes=2",
     "scheduled_sampling_prob=1,scheduled_sampling_num_passes=2"},
    {"transformer_base", "sampling_temp=0.5",
     "sampling_method=random,sampling_temp=0.5"},
    {"transformer_base", "split_targets_strided_training=True",
     "split_targets_chunk_length=8,split_targets_strided_training=True"},
    {"transformer_base", "shared_embedding=True",
     "shared_embedding_and_softmax_weights=False,shared_embedding=True"},
    {"transformer_base", "initializer=xavier,initializer_gain=2",
     "initializer_gain=2"},
    {"transformer_base",
     "num_encoder_layers=2,num_decoder_layers=2,num_hidden_layers=3",
     "num_encoder_layers=2,num_hidden_layers=3"},
    {"transformer_base",
     "layer_postprocess_sequence=a,layer_prepostprocess_dropout=0.5",
     "layer_prepostprocess_dropout=0.5"},
    {"transformer_base",
     "layer_prepostprocess_dropout=0,"
     "layer_prepostprocess_dropout_broadcast_dims=1",
     "layer_prepostprocess_dropout_broadcast_dims=1"},
    {"transformer_base",
     "attention_dropout=0,attention_dropout_broadcast_dims=1",
     "attention_dropout_broadcast_dims=1"},
    {"transformer_base", "relu_dropout=0,relu_dropout_broadcast_dims=1",
     "relu_dropout_broadcast_dims=1"},
    {"transformer_base", "layer_preprocess_sequence=none,norm_type=l2",
     "norm_type=l2"},
    {"transformer_base", "norm_type=none,norm_epsilon=1", "norm_epsilon=1"},
    {"transformer_base", "position_features=x",
     "pos=timing_from_features,position_features=x"},
    {"transformer_base", "max_relative_position=8",
     "self_attention_type=dot_product_relative,max_relative_position=8"},
    {"transformer_base", "heads_share_relative_embedding=True",
     "self_attention_type=dot_product_relative_v2,"
     "heads_share_relative_embedding=True"},
    {"transformer_base", "add_relative_to_values=True",
     "self_attention_type=dot_product_relative_v2,"
     "add_relative_to_values=True"},
    {"transformer_base", "gumbel_noise_weight=1",
     "hard_attention_k=2,gumbel_noise_weight=1"},
    {"transformer_base", "ffn_layer=none,filter_size=8", "filter_size=8"},
    {"transformer_base", "ffn_layer=local_moe,relu_dropout=0.5",
     "relu_dropout=0.5"},
    {"transformer_base", "moe_k=2", "ffn_layer=local_moe,moe_k=2"},
    {"transformer_base", "parameter_attention_key_channels=8",
     "ffn_layer=parameter_attention,parameter_attention_key_channels=8"},
    {"transformer_base", "conv_first_kernel=5",
     "ffn_layer=conv_relu_conv,conv_first_kernel=5"},
    {"transformer_base", "max_area_width=2",
     "num_area_layers=1,max_area_width=2"},
    {"transformer_base", "num_area_layers=1",
     "max_area_width=2,num_area_layers=1"},
    {"lstm_attention",
     "area_key_mode=mean",
     "max_area_width=2,area_key_mode=mean",
     {"lstm_seq2seq_attention", "symbol"}},
    {"lstm_attention",
     "max_area_height=2",
     "max_area_width=2",
     {"lstm_seq2seq_attention", "symbol"}},
    {"transformer_wikitext103_l4k_memory_v0",
     "memory_type=neural_memory,num_memory_items=8",
     "num_memory_items=8",
     {"transformer_memory", "symbol"}},
    {"imagetransformer_base",
     "moe_loss_coef=1",
     "unconditional=True",
     {"imagetransformer", "symbol"}},
    {"imagetransformer_moe_tiny",
     "moe_overhead_train=2",
     "moe_loss_coef=1,moe_hidden_sizes=8,moe_num_experts=2,moe_k=1",
     {"imagetransformer_moe", "symbol"}},
    {"imagetransformer_base",
     "unconditional=True",
     "hidden_size=8",
     {"transformer", "symbol"}},
    {"transformer_base", "moe_overhead_eval=3",
     "ffn_layer=local_moe_tpu,moe_overhead_eval=3,moe_loss_coef=1"},
    {"transformer_base", "ffn_layer=local_moe_tpu,moe_k=3",
     "ffn_layer=local_moe_tpu,moe_num_experts=3"},
    {"evolved_transformer_base",
     "filter_size=8",
     "hidden_size=8",
     {"evolved_transformer", "symbol"}},
    {"universal_transformer_base", "max_area_width=2,num_area_layers=1",
     "hidden_size=8", kUniversal},
    {"universal_transformer_base", "num_hidden_layers=3", "num_rec_steps=3",
     kUniversal},
    {"universal_transformer_base", "pos=emb",
     "add_position_timing_signal=False,pos=emb", kUniversal},
    {"adaptive_universal_transformer_base", "num_rec_steps=3",
     "act_max_steps=3", kUniversal},
    {"universal_transformer_base", "act_epsilon=0.1",
     "recurrence_type=act,act_epsilon=0.1", kUniversal},
    {"universal_transformer_base", "transform_bias_init=1",
     "recurrence_type=skip,transform_bias_init=1", kUniversal},
    {"universal_transformer_base", "dwa_elements=False",
     "recurrence_type=dwa,dwa_elements=False", kUniversal},
    {"universal_transformer_gru_base", "lstm_forget_bias=2",
     "recurrence_type=lstm,lstm_forget_bias=2", kUniversal},
    {"universal_transformer_base",
     "add_ffn_unit_to_the_transition_function=True",
     "recurrence_type=gru,add_ffn_unit_to_the_transition_function=True",
     kUniversal},
    {"universal_transformer_gru_base", "num_inrecurrence_layers=2",
     "recurrence_type=act,num_inrecurrence_layers=2", kUniversal},
    {"universal_transformer_base", "num_mixedin_layers=1",
     "mix_with_transformer=after_ut,num_mixedin_layers=1", kUniversal},
    {"transformer_base", "multiproblem_label_weight=1",
     "multiproblem_reweight_label_loss=True,multiproblem_label_weight=1",
     kMixture},
    {"transformer_base",
     "multiproblem_per_task_threshold=1,multiproblem_mixing_schedule=pretrain",
     "multiproblem_mixing_schedule=pretrain", kMixture},
    {"transformer_base", "multiproblem_reweight_label_loss=True", "",
     kShuffled},
};

TEST(WithoutEffectTest, WhatIsSwitchedOffSaysSo) {
  for (const Pair& pair : kPairs) {
    const std::vector<std::string> notes = Notes(pair.set, pair.off, pair.use);
    ASSERT_FALSE(notes.empty()) << pair.off;
    const std::string given = pair.off;
    const size_t comma = given.rfind(',');
    const std::string last =
        given.substr(comma == std::string::npos ? 0 : comma + 1);
    EXPECT_THAT(notes.back(),
                AllOf(HasSubstr("hparam " + last.substr(0, last.find('='))),
                      HasSubstr("has no effect: ")));
    EXPECT_THAT(Notes(pair.set, pair.on, pair.use), IsEmpty()) << pair.on;
  }
}

TEST(WithoutEffectTest, EveryRowIsTried) {
  std::set<const WithoutEffectRow*> tried;
  for (const Pair& pair : kPairs) {
    const HParams hparams = MakeHParams(pair.set, pair.off);
    for (const WithoutEffectRow& row : WithoutEffectRows()) {
      for (const char* const name : row.names) {
        if (std::string(pair.off).find(name) != std::string::npos &&
            row.off(hparams, pair.use)) {
          tried.insert(&row);
        }
      }
    }
  }
  for (const WithoutEffectRow& row : WithoutEffectRows()) {
    if (row.off(HParams(), {})) continue;  // never has an effect
    const std::string name = row.names.front();
    // Their own tests follow.
    if (name == "dropout" || name == "label_smoothing" ||
        name == "learning_rate_boundaries" || name == "attention_mechanism" ||
        name == "memory_type") {
      continue;
    }
    EXPECT_TRUE(tried.count(&row) > 0) << name << ": " << row.reason;
  }
}

TEST(WithoutEffectTest, ByModelAndTargets) {
  EXPECT_THAT(Notes("transformer_base", "dropout=0.3"),
              ElementsAre(HasSubstr("use layer_prepostprocess_dropout")));
  EXPECT_THAT(Notes("lstm_seq2seq", "dropout=0.3", {"lstm_seq2seq", "symbol"}),
              IsEmpty());
  EXPECT_THAT(Notes("transformer_base", "label_smoothing=0.2",
                    {"transformer", "real_l2"}),
              ElementsAre(HasSubstr("no smoothing")));
  EXPECT_THAT(Notes("transformer_base", "label_smoothing=0.2"), IsEmpty());
  EXPECT_THAT(Notes("transformer_ae_base", "z_size=3"),
              ElementsAre(HasSubstr("transformer_ae")));
  EXPECT_THAT(Notes("transformer_ae_base", "z_size=3,bottleneck_kind=dvq",
                    {"transformer_ae", "symbol"}),
              IsEmpty());
  EXPECT_THAT(Notes("lstm_attention", "num_heads=2", {"lstm_seq2seq", ""}),
              ElementsAre(HasSubstr("lstm_seq2seq_attention")));
  EXPECT_THAT(
      Notes("lstm_attention", "num_heads=2", {"lstm_seq2seq_attention", ""}),
      IsEmpty());
  EXPECT_THAT(Notes("transformer_wikitext103_l4k_memory_v0",
                    "memory_type=neural_memory"),
              ElementsAre(HasSubstr("transformer_memory")));
  HParams pieces = MakeHParams("transformer_base", "");
  pieces.Add("learning_rate_boundaries", "1,2");
  EXPECT_THAT(NotesOnHParams(pieces, "learning_rate_boundaries=1,2", {}),
              ElementsAre(HasSubstr("piecewise")));
}

// tensorflow/tensor2tensor#589.
TEST(WithoutEffectTest, TheMessageNamesWhatToUse) {
  EXPECT_THAT(
      Notes("transformer_base", "learning_rate=50"),
      ElementsAre("hparam learning_rate=50 has no effect: "
                  "learning_rate_schedule=constant*linear_warmup*rsqrt_decay*"
                  "rsqrt_hidden_size has no factor legacy; use "
                  "learning_rate_constant (with the factor constant)"));
  EXPECT_THAT(Notes("transformer_base", "multiproblem_label_weight=1"),
              ElementsAre(HasSubstr("the problem is no mixture of tasks")));
}

TEST(WithoutEffectTest, NothingIsSaidOfWhatWasNotGiven) {
  EXPECT_THAT(Notes("transformer_base", ""), IsEmpty());
  EXPECT_THAT(Notes("transformer_base", "hidden_size=256,num_heads=4"),
              IsEmpty());
}

}  // namespace
}  // namespace t2t
