// Models that are made of others, or of parts that hparams name.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 9;

ProblemInfo Text() {
  ProblemInfo info;
  info.name = "toy";
  info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  return info;
}

Features TextBatch() {
  const at::Tensor ids = at::arange(10, at::kLong).view({2, 5}) % 7 + 2;
  return {{"inputs", ids}, {"targets", ids.flip(1)}};
}

std::unique_ptr<Model> Make(const std::string& name, const std::string& set,
                            const std::string& changes,
                            const ProblemInfo& info) {
  at::manual_seed(7);
  HParams hparams = MakeHParams(set, "");
  for (const std::string& key : hparams.Names()) {
    if (EndsWith(key, "dropout")) hparams.Set(key, 0.0);
  }
  hparams.Parse(changes);
  return Models().Get(name)(hparams, info, 3);
}

// Step by step, with the batch's targets fed in, a model says what it says of
// all positions at once.
void ExpectStepsAreLogits(Model* model, const Features& batch,
                          double tolerance) {
  const at::Tensor logits = model->Logits(batch, Mode::kEval);
  const auto state = model->StartDecoding({{"inputs", batch.at("inputs")}});
  at::Tensor last;
  for (int64_t i = 0; i < logits.size(1); ++i) {
    EXPECT_LT(MaxDifference(model->DecodeStep(state.get(), last),
                            logits.select(1, i)),
              tolerance)
        << i;
    last = batch.at("targets").select(1, i);
  }
}

void Copy(const Model& from, const std::string& name, Model* to,
          const std::string& their_name) {
  const at::NoGradGuard no_grad;
  const at::Tensor value = from.params().Get(name);
  const at::Tensor copy = to->params().Get(their_name);
  copy.copy_(value.view(copy.sizes()));
}

// Of the Transformer's variable the one in the search space's own description
// of the Transformer.
std::string InCells(const std::string& name, int64_t layers) {
  const auto replaced = [](std::string text, const std::string& from,
                           const std::string& to) {
    return ReplaceAll(text, from, to);
  };
  std::string text = replaced(name, "transformer/", "nas_seq2_seq/");
  const bool decoder = text.find("/decoder/") != std::string::npos;
  const std::string ffn = decoder ? "2" : "1";
  const std::string ffn2 = decoder ? "3" : "2";
  const std::string last = std::to_string(decoder ? layers + 1 : layers);
  for (const char* const side : {"encoder", "decoder"}) {
    text = replaced(text, std::string("body/") + side + "/layer_prepost",
                    "body/layer_prepost");
  }
  text = replaced(text, "body/layer_prepostprocess/",
                  "body/layer_prepostprocess_" + last + "/");
  text = replaced(text, "coder/layer_", "coder/cell_");
  text = replaced(text, "/self_attention/multi",
                  "/layer_0/left_0/standard_attention_layer_left_0/multi");
  text = replaced(text, "/self_attention/", "/layer_0/left_0/");
  text = replaced(text, "/encdec_attention/multi",
                  "/layer_1/left_1/attend_to_encoder_layer_left_1/multi");
  text = replaced(text, "/encdec_attention/", "/layer_1/left_1/");
  const auto convolution = [&](const std::string& layer) {
    return "/layer_" + layer + "/left_" + layer + "/standard_conv_left_" +
           layer + "/conv_1x1/";
  };
  text = replaced(text, "/ffn/conv1/", convolution(ffn));
  text = replaced(text, "/ffn/conv2/", convolution(ffn2));
  return replaced(text, "/ffn/", "/layer_" + ffn + "/left_" + ffn + "/");
}

TEST(NasTest, TheTransformerAsCellsIsTheTransformer) {
  const auto transformer = Make(
      "transformer", "transformer_base",
      "hidden_size=16,filter_size=32,num_heads=2,num_hidden_layers=2", Text());
  const auto cells =
      Make("nas_seq2_seq", "nas_seq2seq_base",
           "hidden_size=16,num_heads=2,encoder_num_cells=2,"
           "decoder_num_cells=2,encoder_left_output_dims=[16,32,16,16],"
           "decoder_left_output_dims=[16,16,32,16,16],"
           "encoder_right_output_dims=[16,16,16,16],"
           "decoder_right_output_dims=[16,16,16,16,16]",
           Text());
  ASSERT_EQ(transformer->params().entries().size(),
            cells->params().entries().size());
  for (const auto& entry : transformer->params().entries()) {
    Copy(*transformer, entry.name, cells.get(), InCells(entry.name, 2));
  }
  const at::NoGradGuard no_grad;
  EXPECT_LT(MaxDifference(transformer->Logits(TextBatch(), Mode::kEval),
                          cells->Logits(TextBatch(), Mode::kEval)),
            1e-5);
}

// Each layer sees nothing that comes later, and steps see what it did; depths
// that differ are joined.
TEST(NasTest, EveryLayerDecodesStepByStep) {
  const struct {
    const char* layers;
    const char* depths;
  } kCases[] = {
      {"separable_conv_3x1,depthwise_conv_3x1", "24,48"},
      {"standard_conv_5x1,dilated_conv_3x1", "16,24"},
      {"lightweight_conv_3x1_r_4,gated_linear_unit", "16,32"},
      {"attention_4_heads,lightweight_conv_5x1_r_16", "16,32"},
      {"attend_to_encoder,depthwise_conv_7x1", "16,8"},
  };
  for (const auto& [layers, depths] : kCases) {
    SCOPED_TRACE(layers);
    const auto model = Make(
        "nas_seq2_seq", "nas_seq2seq_base",
        "hidden_size=16,num_heads=2,encoder_num_cells=1,decoder_num_cells=1,"
        "decoder_left_inputs=[0,1],decoder_right_inputs=[0,0],"
        "decoder_left_norms=[layer_norm,layer_norm],"
        "decoder_right_norms=[none,layer_norm],"
        "decoder_right_layers=[identity,standard_conv_1x1],"
        "decoder_left_activations=[swish,leaky_relu],"
        "decoder_right_activations=[none,sigmoid],"
        "decoder_combiner_functions=[add,multiply],"
        "decoder_final_combiner_function=concat,"
        "decoder_right_output_dims=[16,16],decoder_left_layers=[" +
            std::string(layers) + "],decoder_left_output_dims=[" + depths + "]",
        Text());
    const Features batch = TextBatch();
    const at::NoGradGuard no_grad;
    ExpectStepsAreLogits(model.get(), batch, 1e-5);
  }
}

TEST(NasTest, ASpecThatDoesNotFitSaysWhich) {
  const auto message = [](const char* changes) -> std::string {
    try {
      Make("nas_seq2_seq", "nas_seq2seq_base", changes, Text());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("encoder_left_inputs=[0,1]")
                .find("encoder_left_inputs has 2 values"),
            std::string::npos);
  EXPECT_NE(message("encoder_left_layers=[identity,identity,identity,lstm]")
                .find("encoder_left_layers with 'lstm'"),
            std::string::npos);
  EXPECT_NE(message("decoder_right_inputs=[0,3,2,2,4]").find("with 3 for"),
            std::string::npos);
}

constexpr char kDistill[] =
    "num_classes=9,teacher_model=resnet,teacher_hparams=resnet_cifar_15,"
    "student_model=resnet,student_hparams=resnet_cifar_15,"
    "task_balance=0,distill_phase=";

ProblemInfo Pictures() {
  ProblemInfo info;
  info.name = "toy";
  info.features["inputs"].modality = "image";
  info.features["inputs"].vocab_size = 256;
  info.features["inputs"].shape = {4, 4, 3};
  info.features["targets"].modality = "class_label";
  info.features["targets"].vocab_size = kVocab;
  return info;
}

Features PicturesBatch() {
  return {{"inputs", at::arange(96, at::kLong).mul(5).view({2, 4, 4, 3})},
          {"targets", at::tensor({3, 5}, at::kLong).view({2, 1})}};
}

TEST(DistillationTest, AStudentThatIsItsTeacherLearnsNothing) {
  const auto model = Make("distillation", "distill_resnet_32_to_15_cifar20x5",
                          kDistill + std::string("distill"), Pictures());
  const auto gradient = [&] {
    const auto gradients = torch::autograd::grad(
        {model->Loss(PicturesBatch(), Mode::kTrain).Total()},
        model->params().Trainable(), {}, std::nullopt, false, true);
    double most = 0;
    for (const at::Tensor& g : gradients) {
      if (g.defined()) most = std::max(most, g.abs().max().item<double>());
    }
    return most;
  };
  EXPECT_GT(gradient(), 1e-3);
  for (const auto& entry : model->params().entries()) {
    const bool is_student = entry.name.find("/student/") != std::string::npos;
    // Batch norm's averages nobody trains.
    if (entry.name.find("/moving_") == std::string::npos) {
      EXPECT_EQ(entry.trainable, is_student) << entry.name;
    }
    if (!is_student) continue;
    Copy(*model, ReplaceAll(entry.name, "/student/", "/teacher/"), model.get(),
         entry.name);
  }
  EXPECT_LT(gradient(), 1e-5);
}

// A teacher's run is what --warm_start_from finds in the other phase.
TEST(DistillationTest, TheTeacherIsTheSameInBothPhases) {
  const auto teacher = Make("distillation", "distill_resnet_32_to_15_cifar20x5",
                            kDistill + std::string("train"), Pictures());
  const auto both = Make("distillation", "distill_resnet_32_to_15_cifar20x5",
                         kDistill + std::string("distill"), Pictures());
  for (const auto& entry : teacher->params().entries()) {
    EXPECT_NE(entry.trainable, entry.name.find("/moving_") != std::string::npos)
        << entry.name;
    EXPECT_TRUE(both->params().Has(entry.name)) << entry.name;
  }
  EXPECT_THROW(
      Make("distillation", "distill_resnet_32_to_15_cifar20x5", "", Pictures()),
      Error);
}

Features FactsBatch(bool swapped) {
  Features features = TextBatch();
  const at::Tensor first = at::tensor({2, 3, 4, 5, 6, 0}, at::kLong);
  const at::Tensor second = at::tensor({6, 7, 8, 2, 0, 0}, at::kLong);
  features["encoded_triples"] =
      at::cat(swapped ? std::vector<at::Tensor>{second, first}
                      : std::vector<at::Tensor>{first, second})
          .repeat({2, 1});
  const at::Tensor lengths = at::tensor({5, 4}, at::kLong);
  features["triple_lens"] =
      (swapped ? lengths.flip(0) : lengths).repeat({2, 1});
  return features;
}

TEST(NeuralAssistantTest, FactsAreASet) {
  const auto model = Make("neural_assistant", "neural_assistant_tiny",
                          "hidden_size=16,filter_size=16,num_heads=2", Text());
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model->Logits(FactsBatch(false), Mode::kEval);
  EXPECT_LT(MaxDifference(model->Logits(FactsBatch(true), Mode::kEval), logits),
            1e-5);
  Features other = FactsBatch(false);
  other["encoded_triples"] = other["encoded_triples"].roll(1, 1);
  EXPECT_GT(MaxDifference(model->Logits(other, Mode::kEval), logits), 1e-4);
  // Without labels there is nothing to learn to choose.
  EXPECT_THROW(model->Loss(FactsBatch(false), Mode::kTrain), Error);
  other.erase("triple_lens");
  EXPECT_THROW(model->Logits(other, Mode::kEval), Error);
}

ProblemInfo EditsProblem() {
  ProblemInfo info = Text();
  info.features["targets_error_tag"].vocab_size = 4;
  info.features["targets_start_token"].modality = "identity";
  info.features["targets_end_token"].modality = "identity";
  return info;
}

Features EditsBatch() {
  Features features = TextBatch();
  const at::Tensor at = at::arange(5, at::kLong).repeat({2, 1});
  features["targets_start_token"] = at;
  features["targets_end_token"] = at;
  features["targets_error_tag"] = at % 3 + 1;
  return features;
}

// Windows, compressed and shared keys: what steps see is what training saw, and
// nothing of what comes later.
TEST(MeshTest, EveryLayerDecodesAsItTrains) {
  const struct {
    const char* model;
    const char* set;
    const char* changes;
  } kCases[] = {
      {"mtf_transformer", "mtf_transformer_tiny",
       "decoder_layers=[local_att,enc_att,drd,att],"
       "local_attention_window_size=3"},
      {"mtf_transformer", "mtf_transformer_tiny",
       "decoder_layers=[compressed_att,enc_att,drd],compression_factor=2"},
      {"mtf_bitransformer", "mtf_bitransformer_tiny",
       "decoder_layers=[self_att,enc_att,local_self_att,drd],"
       "local_attention_radius=2,decoder_num_memory_heads=1,"
       "decoder_shared_kv=True,extra_logit=True,"
       "encoder_layers=[local_self_att,drd]"},
  };
  for (const auto& [name, set, changes] : kCases) {
    SCOPED_TRACE(changes);
    const auto model =
        Make(name, set,
             "activation_dtype=float32,d_model=16,d_ff=16,d_kv=4," +
                 std::string(changes),
             Text());
    // Scores that are not all alike.
    const at::NoGradGuard no_grad;
    for (const auto& entry : model->params().entries()) {
      if (entry.name.find("tt") != std::string::npos) {
        at::Tensor(entry.tensor).mul_(3);
      }
    }
    Features batch = TextBatch();
    batch["targets"] = at::cat({batch["targets"], batch["targets"]}, 1);
    ExpectStepsAreLogits(model.get(), batch, 1e-4);
  }
}

TEST(MeshTest, WindowsEndWhereTheySay) {
  const auto model =
      Make("mtf_image_transformer", "mtf_image_transformer_single",
           "hidden_size=16,num_heads=2,d_kv=8,d_ff=16,img_len=4,block_length=5,"
           "num_decoder_layers=1",
           [] {
             ProblemInfo info;
             info.features["targets"].vocab_size = 256;
             return info;
           }());
  const at::Tensor image = at::arange(48, at::kLong).view({1, 4, 4, 3}) * 5;
  const at::NoGradGuard no_grad;
  const at::Tensor logits =
      model->Logits({{"targets", image}}, Mode::kEval).view({48, -1});
  at::Tensor changed = image.clone();
  changed.view(48)[20].fill_(1);
  const at::Tensor difference =
      (model->Logits({{"targets", changed}}, Mode::kEval).view({48, -1}) -
       logits)
          .abs()
          .amax(1);
  // Number 20 is the input of 21, which 21 to 25 see.
  for (int64_t i = 0; i < 48; ++i) {
    const double change = difference[i].item<double>();
    if (i >= 21 && i <= 25) {
      EXPECT_GT(change, 1e-6) << i;
    } else {
      EXPECT_LT(change, 1e-6) << i;
    }
  }
  EXPECT_THROW(model->Logits({{"targets", image.narrow(1, 0, 2)}}, Mode::kEval),
               Error);
}

TEST(MeshTest, WhatIsNotHereSaysSo) {
  for (const char* const changes :
       {"decoder_layers=[att,enc_att,moe]", "decoder_type=denoising",
        "transformer_type=encoder"}) {
    EXPECT_THROW(
        Make("mtf_transformer", "mtf_transformer_tiny", changes, Text()), Error)
        << changes;
  }
  EXPECT_THROW(Make("mtf_image_transformer", "mtf_image_transformer_single",
                    "attention_type=local2d_spatial", Text()),
               Error);
}

// What an edit is said before its text is: a span or a kind counts for the text
// of the same edit and the later ones.
TEST(Seq2EditsTest, PredictionsFollowEachOther) {
  for (const char* const middle :
       {"middle_prediction=True", "middle_prediction=False"}) {
    HParams hparams = MakeHParams(
        "transformer_tiny",
        "hidden_size=16,filter_size=16,num_heads=2,num_hidden_layers=2");
    for (const std::string& key : hparams.Names()) {
      if (EndsWith(key, "dropout")) hparams.Set(key, 0.0);
    }
    hparams.Add("middle_prediction", EndsWith(middle, "True"));
    const auto model =
        Models().Get("transformer_seq2edits")(hparams, EditsProblem(), 3);
    EXPECT_EQ(model->Loss(EditsBatch(), Mode::kTrain).extra.size(), 2U);
    const at::NoGradGuard no_grad;
    const at::Tensor logits = model->Logits(EditsBatch(), Mode::kEval);
    for (const char* const name :
         {"targets_start_token", "targets_end_token", "targets_error_tag"}) {
      SCOPED_TRACE(std::string(middle) + " " + name);
      Features changed = EditsBatch();
      changed[name].select(1, 2).fill_(0);
      const at::Tensor difference =
          (model->Logits(changed, Mode::kEval) - logits).abs().amax({0, 2});
      EXPECT_LT(difference.narrow(0, 0, 2).max().item<double>(), 1e-6);
      EXPECT_GT(difference[2].item<double>(), 1e-5);
    }
    Features far = EditsBatch();
    far["targets_end_token"].select(1, 4).fill_(5);
    EXPECT_THROW(model->Logits(far, Mode::kEval), Error);
  }
}

}  // namespace
}  // namespace t2t
