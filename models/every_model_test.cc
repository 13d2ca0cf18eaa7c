// The walk over all registered models: each trains, decodes, and is the same
// once it was saved and loaded.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hparams/catalogue.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/search.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/model/model.h"
#include "t2t/model/text_embedder.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 9;
constexpr int64_t kRows = 3;
constexpr int64_t kLength = 4;

// What a model is for.
enum class Task {
  kText,
  kTargetsAlone,
  kClass,
  kNumber,
  kImageClass,
  kImageText,
  kImages,
  kImageToImage,
  kPictures,  // made out of nothing
  kEdits,
  kFacts
};

struct Toy {
  Task task = Task::kText;
  // Besides hidden_size=32, num_hidden_layers=1 and no dropout.
  const char* overrides = "";
  const char* set = nullptr;  // null: the catalogue's
  int steps = 6;
  double rate = 0.01;
};

constexpr char kStack[] =
    "embedding_size=32,memory_size=8,controller_layer_sizes=[16,16]";
constexpr char kMesh[] = "activation_dtype=float32,d_model=32,d_ff=32,d_kv=8";
constexpr char kHeads[] = "num_heads=2,filter_size=32";
constexpr char kGrid[] =
    "num_heads=2,filter_size=32,num_encoder_layers=1,num_decoder_layers=1,"
    "img_len=8,query_shape=[4,12],memory_flange=[2,4]";

const std::map<std::string, Toy>& Toys() {
  static const auto* const toys = new std::map<std::string, Toy>{
      {"aligned",
       {Task::kText,
        "num_heads=2,ffn_hidden_sizes=32,layers=timing,conv,att,ffn,att_local,"
        "att_pseudolocal,att_memory_efficient,local_attention_window=2"}},
      {"attention_lm", {Task::kTargetsAlone, kHeads}},
      {"attention_lm_moe",
       {Task::kTargetsAlone,
        "num_heads=2,filter_size=32,attention_layers=her,"
        "attention_num_experts=4,attention_kq_size=16,attention_v_size=16"}},
      {"autoencoder_autoregressive",
       {Task::kPictures,
        "num_hidden_layers=2,hidden_size=16,sample_height=8,sample_width=8,"
        "autoregressive_mode=conv3"}},
      {"autoencoder_basic",
       {Task::kPictures,
        "num_hidden_layers=2,hidden_size=16,sample_height=8,sample_width=8"}},
      {"autoencoder_basic_discrete",
       {Task::kPictures,
        "num_hidden_layers=2,hidden_size=16,sample_height=8,sample_width=8"}},
      {"autoencoder_residual",
       {Task::kPictures,
        "num_hidden_layers=2,hidden_size=16,sample_height=8,sample_width=8"}},
      {"autoencoder_residual_discrete",
       {Task::kPictures,
        "num_hidden_layers=2,hidden_size=16,sample_height=8,sample_width=8"}},
      {"autoencoder_residual_vae",
       {Task::kPictures,
        "num_hidden_layers=2,hidden_size=16,sample_height=8,sample_width=8"}},
      {"basic_fc_relu", {Task::kImageClass, ""}},
      {"byte_net", {Task::kText, "num_block_repeat=1"}},
      {"diagonal_neural_gpu", {}},
      {"distillation",
       {Task::kImageClass,
        "distill_phase=distill,num_classes=9,teacher_model=resnet,"
        "teacher_hparams=resnet_cifar_15,student_model=resnet,"
        "student_hparams=resnet_cifar_15",
        nullptr, /*steps=*/10, /*rate=*/0.001}},
      {"evolved_transformer",
       {Task::kText,
        "num_heads=2,filter_size=32,num_encoder_layers=1,"
        "num_decoder_layers=1"}},
      {"gene_expression_conv", {Task::kNumber, ""}},
      {"imagetransformer",
       {Task::kImages,
        "num_heads=2,filter_size=32,num_decoder_layers=1,img_len=8,"
        "block_length=64"}},
      {"imagetransformer2d", {Task::kImages, kGrid}},
      {"imagetransformer_moe",
       {Task::kImages,
        "num_heads=2,filter_size=32,img_len=8,block_length=64,"
        "moe_num_experts=4,moe_hidden_sizes=32,moe_layers_decoder=0"}},
      {"img2img_transformer", {Task::kImageToImage, kGrid}},
      {"img2img_transformer_block_parallel",
       {Task::kImageToImage,
        "num_heads=2,filter_size=32,num_encoder_layers=1,"
        "num_decoder_layers=1,img_len=8,block_length=64",
        /*set=*/nullptr, /*steps=*/12}},
      {"lstm_encoder", {Task::kClass, ""}},
      {"lstm_seq2seq", {}},
      {"lstm_seq2seq_attention", {Task::kText, "attention_layer_size=32"}},
      {"lstm_seq2seq_attention_bidirectional_encoder",
       {Task::kText, "attention_layer_size=32"}},
      {"lstm_seq2seq_bidirectional_encoder", {}},
      {"mtf_bitransformer", {Task::kText, kMesh, "mtf_bitransformer_tiny"}},
      {"mtf_image_transformer",
       {Task::kImages, "num_heads=2,d_kv=8,d_ff=32,img_len=8,block_length=16",
        "mtf_image_transformer_single"}},
      {"mtf_res_net",
       {Task::kImageClass,
        "rows_size=8,cols_size=8,filter_sizes=[8,8,8],layer_sizes=[1,2,1]",
        "mtf_resnet_single"}},
      {"mtf_transformer", {Task::kText, kMesh, "mtf_transformer_tiny"}},
      {"mtf_unitransformer",
       {Task::kTargetsAlone, kMesh, "mtf_unitransformer_tiny"}},
      {"nas_seq2_seq",
       {Task::kText,
        "num_heads=2,encoder_num_cells=1,decoder_num_cells=1,"
        "encoder_left_output_dims=[32,64,32,32],"
        "encoder_right_output_dims=[32,32,32,32],"
        "decoder_left_output_dims=[32,32,64,32,32],"
        "decoder_right_output_dims=[32,32,32,32,32]"}},
      {"neural_assistant",
       {Task::kFacts,
        "num_heads=2,filter_size=32,kb_loss_weight=0.2,kb_train_weight=0.1"}},
      {"neural_deque_model", {Task::kText, kStack}},
      {"neural_gpu", {}},
      {"neural_queue_model", {Task::kText, kStack}},
      {"neural_stack_model", {Task::kText, kStack}},
      {"residual_shuffle_exchange",
       {Task::kText, "max_length=8", "shuffle_network_baseline"}},
      {"resnet",
       {Task::kImageClass, "layer_sizes=[1,1,1,1],filter_sizes=[4,4,4,8,8]",
        "resnet_18"}},
      {"revnet",
       {Task::kImageClass,
        "num_channels=[4,8,8],num_channels_init_block=8,"
        "num_layers_per_block=[1,1,1]"}},
      {"shake_shake",
       {Task::kImageClass, "num_hidden_layers=8,hidden_size=16",
        "shakeshake_small", /*steps=*/20}},
      {"shuffle_network", {Task::kText, "max_length=8"}},
      {"similarity_transformer", {Task::kText, kHeads, "transformer_tiny"}},
      {"slice_net", {Task::kText, "hidden_size=48,num_heads=2"}},
      {"super_lm", {Task::kTargetsAlone, "num_model_shards=2,filter_size=32"}},
      {"text_cnn", {Task::kClass, "num_filters=8"}},
      {"transformer", {Task::kText, kHeads}},
      {"transformer_ae",
       {Task::kText,
        "num_heads=2,filter_size=32,compress_filter_size=32,z_size=4,"
        "num_compress_steps=1,word_shuffle=0",
        nullptr, /*steps=*/20}},
      {"transformer_aux", {Task::kText, kHeads}},
      // A head each step, drawn: the loss is of another one each time.
      {"transformer_block_parallel",
       {Task::kText, "num_heads=2,filter_size=32,block_size=2", nullptr,
        /*steps=*/20}},
      {"transformer_encoder", {Task::kClass, kHeads}},
      {"transformer_memory", {Task::kTargetsAlone, kHeads}},
      {"transformer_moe",
       {Task::kText,
        "num_heads=2,filter_size=32,moe_num_experts=4,"
        "layer_types=a-moe/red#locm-moe/a-sepm",
        "transformer_moe_base"}},
      {"transformer_nat",
       {Task::kText,
        "num_heads=2,filter_size=32,bottleneck_bits=4,num_compress_steps=1",
        nullptr, /*steps=*/20}},
      {"transformer_regressor", {Task::kNumber, kHeads}},
      {"transformer_revnet", {Task::kText, kHeads}},
      {"transformer_scorer", {Task::kText, kHeads}},
      {"transformer_seq2edits",
       {Task::kEdits, "num_heads=2,filter_size=32,num_decoder_layers=2",
        "transformer_base"}},
      {"transformer_sketch", {Task::kImageText, "num_heads=2,filter_size=32"}},
      {"transformer_symshard",
       {Task::kText, "num_model_shards=2,filter_size=32"}},
      {"universal_transformer", {Task::kText, kHeads}},
      {"universal_transformer_encoder", {Task::kClass, kHeads}},
      {"xception", {Task::kImageClass, ""}},
  };
  return *toys;
}

ProblemInfo InfoOf(Task task) {
  ProblemInfo info;
  info.name = "toy";
  FeatureInfo& targets = info.features["targets"];
  const bool to_image = task == Task::kImages || task == Task::kImageToImage;
  targets.vocab_size = to_image ? 256 : kVocab;
  if (task == Task::kTargetsAlone) return info;
  FeatureInfo& inputs = info.features["inputs"];
  inputs.vocab_size = kVocab;
  if (task == Task::kImageClass || task == Task::kImageText) {
    inputs.modality = "image";
    inputs.vocab_size = 256;
    inputs.shape = {8, 8, 3};
  }
  if (task == Task::kImageToImage) {
    inputs.modality = "identity";
    inputs.vocab_size = 256;
    inputs.shape = {4, 4, 3};
    targets.shape = {8, 8, 3};
  }
  if (task == Task::kClass || task == Task::kImageClass) {
    targets.modality = "class_label";
  }
  if (task == Task::kPictures) {
    targets.modality = "image";
    targets.vocab_size = 256;
    targets.shape = {8, 8, 1};
  }
  if (task == Task::kEdits) {
    info.features["targets_error_tag"].vocab_size = kVocab;
    info.features["targets_start_token"].modality = "identity";
    info.features["targets_end_token"].modality = "identity";
  }
  if (task == Task::kNumber) {
    targets.modality = "real_l2";
    targets.vocab_size = 1;
  }
  return info;
}

Features BatchOf(Task task) {
  const at::Tensor ids =
      at::arange(kRows * kLength, at::kLong).view({kRows, kLength}) % 7 + 2;
  const at::Tensor images = at::arange(kRows * 8 * 8 * 3, at::kLong)
                                .mul(37)
                                .remainder(256)
                                .view({kRows, 8, 8, 3});
  const at::Tensor labels = at::arange(1, kRows + 1, at::kLong).view({-1, 1});
  switch (task) {
    case Task::kText:
      return {{"inputs", ids}, {"targets", ids.flip(1)}};
    case Task::kTargetsAlone:
      return {{"targets", ids}};
    case Task::kClass:
      return {{"inputs", ids}, {"targets", labels}};
    case Task::kNumber:
      return {{"inputs", ids}, {"targets", labels.to(at::kFloat)}};
    case Task::kImageClass:
      return {{"inputs", images}, {"targets", labels}};
    case Task::kImageText:
      return {{"inputs", images}, {"targets", ids}};
    case Task::kImages:
      return {{"inputs", labels}, {"targets", images}};
    case Task::kImageToImage:
      return {{"inputs", images.slice(1, 0, 8, 2).slice(2, 0, 8, 2)},
              {"targets", images}};
    case Task::kPictures:
      return {{"inputs", ids}, {"targets", images.narrow(3, 0, 1)}};
    case Task::kEdits:
      return {{"inputs", ids},
              {"targets", ids.flip(1)},
              {"targets_error_tag", ids},
              {"targets_start_token", ids % kLength},
              {"targets_end_token", (ids + 1) % kLength}};
    case Task::kFacts: {
      // Two facts of as many tokens, of which one is the subject's and so on.
      const at::Tensor place = at::arange(kLength).repeat({kRows, 2});
      return {{"inputs", ids},
              {"targets", ids.flip(1)},
              {"encoded_triples", at::cat({ids, ids.flip(1)}, 1)},
              {"triple_lens", at::full({kRows, 2}, 3, at::kLong)},
              {"triple_labels", at::arange(2).repeat({kRows, 1})},
              {"subject_mask", place.eq(0).to(at::kLong)},
              {"predicate_mask", place.eq(1).to(at::kLong)},
              {"object_mask", place.eq(2).to(at::kLong)}};
    }
  }
  return {};
}

std::unique_ptr<Model> Make(const std::string& name, uint64_t seed) {
  const Toy& toy = Toys().at(name);
  HParams hparams = MakeHParams(
      toy.set != nullptr ? toy.set : FindCatalogueModel(name)->default_set,
      "hidden_size=32");
  if (hparams.Has("num_hidden_layers")) {
    hparams.Set("num_hidden_layers", int64_t{1});
  }
  for (const std::string& key : hparams.Names()) {
    if (EndsWith(key, "dropout")) hparams.Set(key, 0.0);
  }
  hparams.Parse(toy.overrides);
  return Models().Get(name)(hparams, InfoOf(toy.task), seed);
}

// Adam on one batch.
void Train(Model* model, const Features& batch, const Toy& toy) {
  const std::vector<at::Tensor> params = model->params().Trainable();
  std::vector<at::Tensor> means, squares;
  for (const at::Tensor& p : params) {
    means.push_back(at::zeros_like(p));
    squares.push_back(at::zeros_like(p));
  }
  for (int step = 1; step <= toy.steps; ++step) {
    model->set_step(step);
    const at::Tensor loss = model->Loss(batch, Mode::kTrain).Total();
    const auto gradients =
        torch::autograd::grad({loss}, params, {}, std::nullopt, false, true);
    const at::NoGradGuard no_grad;
    const double rate = toy.rate * std::sqrt(1 - std::pow(0.98, step)) /
                        (1 - std::pow(0.9, step));
    for (size_t i = 0; i < params.size(); ++i) {
      if (!gradients[i].defined()) continue;
      means[i].mul_(0.9).add_(gradients[i], 0.1);
      squares[i].mul_(0.98).addcmul_(gradients[i], gradients[i], 0.02);
      at::Tensor(params[i]).sub_(means[i] / (squares[i].sqrt() + 1e-8), rate);
    }
  }
}

class EveryModelTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    at::manual_seed(7);
    ASSERT_EQ(Toys().count(GetParam()), 1U) << "it wants a row above";
    toy_ = &Toys().at(GetParam());
    batch_ = BatchOf(toy_->task);
    model_ = Make(GetParam(), 3);
  }

  double Loss() const {
    const at::NoGradGuard no_grad;
    return model_->Loss(batch_, Mode::kTrain).Total().item<double>();
  }

  const Toy* toy_ = nullptr;
  Features batch_;
  std::unique_ptr<Model> model_;
};

TEST_P(EveryModelTest, TrainsDecodesSavesAndLoads) {
  const double before = Loss();
  Train(model_.get(), batch_, *toy_);
  EXPECT_LT(Loss(), before);

  const at::NoGradGuard no_grad;
  const at::Tensor logits = model_->Logits(batch_, Mode::kEval);
  EXPECT_TRUE(logits.isfinite().all().item<bool>());
  Features given = batch_;
  if (toy_->task != Task::kTargetsAlone) given.erase("targets");
  if (dynamic_cast<TextEmbedder*>(model_.get()) != nullptr) {
    EXPECT_EQ(logits.size(0), kRows);  // vectors, of which nothing is decoded
  } else if (toy_->task == Task::kPictures ||
             TraitsOfModality(model_->info().features.at("targets").modality)
                 .is_symbols) {
    SearchRow row;
    row.decode_length = 3;
    SearchOptions options;
    options.beam_size = 2;
    const auto found = Search(model_.get(), given,
                              std::vector<SearchRow>(kRows, row), options);
    EXPECT_EQ(found.size(), static_cast<size_t>(kRows));
    for (const auto& row_found : found) {
      EXPECT_TRUE(std::isfinite(row_found.at(0).score));
    }
  } else {
    const auto state = model_->StartDecoding(given);
    EXPECT_LT(MaxDifference(model_->DecodeStep(state.get(), {}), logits), 1e-5);
  }

  const std::string path = testing::TempDir() + "/" + GetParam();
  std::map<std::string, at::Tensor> tensors;
  for (const auto& entry : model_->params().entries()) {
    tensors[entry.name] = entry.tensor.detach();
  }
  WriteSafetensors(path, tensors, {});
  const auto saved = ReadSafetensors(path, nullptr);
  const std::unique_ptr<Model> other = Make(GetParam(), 4);
  ASSERT_EQ(other->params().entries().size(), saved.size());
  for (const auto& entry : other->params().entries()) {
    at::Tensor(entry.tensor).copy_(saved.at(entry.name));
  }
  EXPECT_TRUE(at::equal(other->Logits(batch_, Mode::kEval), logits));
}

INSTANTIATE_TEST_SUITE_P(Models, EveryModelTest,
                         testing::ValuesIn(ModelsHere()),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace t2t
