#include "t2t/train/full_batch.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hparams/catalogue.h"
#include "t2t/optim/optimizer.h"
#include "t2t/optim/optimizer_names.h"
#include "t2t/problem/expected_info.h"

namespace t2t {
namespace {

FeatureSpec Symbols(int64_t size) {
  FeatureSpec feature;
  feature.vocabulary.kind = Vocabulary::Kind::kInts;
  feature.vocabulary.size = size - 2;  // but for padding and EOS
  return feature;
}

FeatureSpec Classes() {
  FeatureSpec feature;
  feature.modality = "class_label";
  feature.vocabulary = Labels({"a", "b", "c"});
  return feature;
}

Problem MakeTestProblem(const std::string& name,
                        const std::map<std::string, FeatureSpec>& features) {
  Problem problem;
  problem.name = name;
  problem.data_name = name;
  problem.features = features;
  return problem;
}

Problem Translation(int64_t vocabulary) {
  return MakeTestProblem("translation", {{"inputs", Symbols(vocabulary)},
                                         {"targets", Symbols(vocabulary)}});
}

HParams Small(const std::string& set, const std::string& changes) {
  HParams hparams = HParamsSets().Get(set)();
  for (const char* const name :
       {"hidden_size", "filter_size", "batch_size", "max_length"}) {
    if (hparams.Has(name)) hparams.Set(name, int64_t{64});
  }
  if (hparams.Has("num_heads")) hparams.Set("num_heads", int64_t{2});
  if (hparams.Has("num_hidden_layers")) {
    hparams.Set("num_hidden_layers", int64_t{2});
  }
  hparams.Parse(changes);
  return hparams;
}

std::unique_ptr<Model> Make(const std::string& model, const Problem& problem,
                            const HParams& hparams) {
  return Models().Get(model)(hparams, ExpectInfo(problem, "").info, 1);
}

TEST(FullBatchTest, IsWhatHParamsSay) {
  const auto batch = [](const Problem& problem, const std::string& changes) {
    const FullBatch full =
        FullBatch::Of(problem, ExpectInfo(problem, "").info,
                      Small("transformer_tiny", "batch_size=1024," + changes));
    return std::vector<int64_t>{full.examples, full.length};
  };
  using Sizes = std::vector<int64_t>;
  const Problem translation = Translation(100);
  const Problem language_model =
      MakeTestProblem("language_model", {{"targets", Symbols(100)}});
  EXPECT_EQ(batch(translation, "max_length=256"), (Sizes{32, 32}));
  EXPECT_EQ(batch(translation, "max_length=0"), (Sizes{32, 32}));
  EXPECT_EQ(batch(translation, "max_length=16"), (Sizes{64, 16}));
  EXPECT_EQ(batch(translation, "use_fixed_batch_size=True"), (Sizes{1024, 32}));
  EXPECT_EQ(batch(language_model, "max_length=128"), (Sizes{8, 128}));
  EXPECT_EQ(batch(language_model, "max_length=0"), (Sizes{4, 256}));
  EXPECT_EQ(batch(*MakeProblem("image_mnist"), ""), (Sizes{1024, 1}));
}

// Of two smaller batches, what the whole one costs.
TEST(FullBatchTest, GoesOnInALineWithTheExamples) {
  const struct {
    const char* model;
    int64_t vocabulary;
  } kCases[] = {
      // Its logits fill the loss's buffer from the first batch on.
      {"transformer", 33000},
      {"transformer", 200},
      {"lstm_seq2seq_attention", 200},
      {"universal_transformer", 200},
  };
  for (const auto& [name, vocabulary] : kCases) {
    const Problem problem = Translation(vocabulary);
    const HParams hparams =
        Small(FindCatalogueModel(name)->default_set, "batch_size=384");
    const auto model = Make(name, problem, hparams);
    const FullBatchCost whole =
        MeasureFullBatch(problem, model.get(), /*most_flops=*/1e12);
    ASSERT_EQ(whole.examples_run.back(), whole.batch.examples);
    const FullBatchCost in_part =
        MeasureFullBatch(problem, model.get(), /*most_flops=*/1);
    ASSERT_LT(in_part.examples_run.back(), in_part.batch.examples);
    EXPECT_NEAR(in_part.step->flops, whole.step->flops,
                0.001 * whole.step->flops)
        << name;
    const auto bytes = static_cast<double>(whole.step->activation_bytes);
    EXPECT_NEAR(static_cast<double>(in_part.step->activation_bytes), bytes,
                0.05 * bytes)
        << name << ", " << vocabulary;
  }
}

// What a model needs besides small sizes.
struct ModelNeeds {
  const char* set = "";  // where the catalogue has none
  const char* changes = "";
};
const std::map<std::string, ModelNeeds>& Needs() {
  static const auto* const needs = new std::map<std::string, ModelNeeds>{
      {"distillation",
       {"",
        "distill_phase=train,num_classes=10,teacher_model=basic_fc_relu,"
        "teacher_hparams=basic_fc_small"}},
      {"imagetransformer", {"", "img_len=8,block_length=64"}},
      {"imagetransformer2d", {"", "img_len=8,query_shape=[4,12]"}},
      {"imagetransformer_moe", {"", "img_len=8,block_length=64"}},
      {"img2img_transformer", {"", "img_len=8,query_shape=[4,12]"}},
      {"img2img_transformer_block_parallel", {"", "img_len=8,block_length=64"}},
      {"mtf_bitransformer",
       {"mtf_bitransformer_tiny", "d_model=32,activation_dtype=float32"}},
      {"mtf_image_transformer",
       {"mtf_image_transformer_single", "img_len=8,block_length=64"}},
      {"mtf_res_net",
       {"mtf_resnet_single",
        "rows_size=28,cols_size=28,filter_sizes=[4,4,4],layer_sizes=[1,1,1]"}},
      {"mtf_transformer",
       {"mtf_transformer_tiny", "d_model=32,activation_dtype=float32"}},
      {"mtf_unitransformer",
       {"mtf_unitransformer_tiny", "d_model=32,activation_dtype=float32"}},
      {"nas_seq2_seq",
       {"",
        "encoder_num_cells=1,decoder_num_cells=1,"
        "encoder_left_output_dims=[64,64,64,64],"
        "decoder_left_output_dims=[64,64,64,64,64]"}},
      {"residual_shuffle_exchange", {"shuffle_network_baseline", ""}},
      {"shake_shake", {"", "num_hidden_layers=8"}},
      {"similarity_transformer", {"transformer_tiny", ""}},
      {"slice_net", {"", "hidden_size=48"}},
      {"super_lm", {"", "num_model_shards=2,layers=n,att,m,d,a,n,ffn,d"}},
      {"transformer_ae", {"", "z_size=4,compress_filter_size=64"}},
      {"transformer_nat", {"", "bottleneck_bits=6"}},
      {"transformer_symshard",
       {"",
        "num_model_shards=2,encoder_layers=n,att,m,d,a,decoder_layers=n,att,m,"
        "d,a,n,enc-att,d,a"}},
      {"transformer_seq2edits", {"transformer_tiny", "num_decoder_layers=2"}},
  };
  return *needs;
}

// Each has a problem that it can be counted on.
TEST(FullBatchTest, EveryModelIsCounted) {
  FeatureSpec number;
  number.modality = "real_l2";
  number.vocabulary.size = 1;
  number.shape = {1};
  FeatureSpec image = Symbols(256);
  image.shape = {8, 8, 3};
  FeatureSpec pointer;
  pointer.modality = "identity";
  FeatureSpec two = pointer;
  two.shape = {2};
  const std::vector<Problem> problems = {
      Translation(30),
      *MakeProblem("image_mnist"),
      MakeTestProblem("classes",
                      {{"inputs", Symbols(30)}, {"targets", Classes()}}),
      MakeTestProblem("language_model", {{"targets", Symbols(30)}}),
      MakeTestProblem("number", {{"inputs", Symbols(30)}, {"targets", number}}),
      MakeTestProblem("images", {{"inputs", Classes()}, {"targets", image}}),
      MakeTestProblem("image_to_image",
                      {{"inputs", image}, {"targets", image}}),
      MakeTestProblem("edits", {{"inputs", Symbols(30)},
                                {"targets", Symbols(30)},
                                {"targets_error_tag", Symbols(30)},
                                {"targets_start_token", pointer},
                                {"targets_end_token", pointer}}),
      MakeTestProblem("facts", {{"inputs", Symbols(30)},
                                {"targets", Symbols(30)},
                                {"encoded_triples", Symbols(30)},
                                {"triple_lens", two},
                                {"triple_labels", two},
                                {"subject_mask", Symbols(30)},
                                {"predicate_mask", Symbols(30)},
                                {"object_mask", Symbols(30)}})};
  for (const std::string& name : ModelsHere()) {
    const auto found = Needs().find(name);
    const ModelNeeds needs =
        found == Needs().end() ? ModelNeeds() : found->second;
    const std::string set =
        *needs.set != '\0' ? needs.set : FindCatalogueModel(name)->default_set;
    bool counted = false;
    std::string why;
    for (const Problem& problem : problems) {
      if (counted) break;
      try {
        const auto model = Make(name, problem, Small(set, needs.changes));
        const FullBatchCost cost = MeasureFullBatch(problem, model.get());
        counted = cost.step && cost.step->flops > 0 &&
                  cost.step->activation_bytes > 0;
      } catch (const std::exception& error) {
        // Not a problem for it.
        why += problem.name + ": " + error.what() + "\n";
      }
    }
    EXPECT_TRUE(counted) << name << "\n" << why;
  }
}

TEST(OptimizerBytesTest, AreThoseOfTheOptimizer) {
  const Problem problem = Translation(30);
  for (const std::string& name : OptimizerNames()) {
    const HParams hparams =
        Small("transformer_tiny",
              "optimizer=" + name + ",optimizer_multistep_accumulate_steps=2");
    const auto model = Make("transformer", problem, hparams);
    std::vector<NamedTensor> parameters;
    for (const ParamStore::Entry& entry : model->params().entries()) {
      parameters.push_back({entry.name, entry.tensor});
    }
    EXPECT_EQ(OptimizerBytes(hparams, parameters),
              MakeOptimizer(hparams, parameters)->StateBytes())
        << name;
  }
}

}  // namespace
}  // namespace t2t
