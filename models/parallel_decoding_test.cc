// Models that decode several symbols at once.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "models/toy_training.h"
#include "t2t/base/error.h"
#include "t2t/decode/search.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 12;
constexpr int64_t kBlock = 4;

std::unique_ptr<Model> Make(const std::string& name, const std::string& set,
                            const std::string& changes) {
  at::set_num_threads(1);
  ProblemInfo info;
  info.name = "toy";
  info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  HParams hparams = MakeHParams(
      set,
      "hidden_size=32,num_hidden_layers=1,num_heads=2,filter_size=32,"
      "layer_prepostprocess_dropout=0,attention_dropout=0,relu_dropout=0");
  hparams.Parse(changes);
  return Models().Get(name)(hparams, info, 5);
}

std::unique_ptr<Model> MakeBlocks(const std::string& changes = "") {
  return Make("transformer_block_parallel", "transformer_base_bs4", changes);
}

// Rows of some length of one symbol each.
Features Rows() {
  const at::Tensor symbols = at::arange(3, 9, at::kLong).unsqueeze(1);
  const at::Tensor lengths = at::tensor({7, 3, 5, 6, 2, 4}, at::kLong);
  const at::Tensor at_BL = at::arange(8, at::kLong).unsqueeze(0).expand({6, 8});
  const at::Tensor ids = symbols * at_BL.lt(lengths.unsqueeze(1)) +
                         at_BL.eq(lengths.unsqueeze(1)).to(at::kLong);
  return {{"inputs", ids}, {"targets", ids}};
}

void Train(Model* model, int64_t steps) {
  TrainToy(model, steps, 0.01, [](int64_t) { return Rows(); });
}

std::vector<std::vector<Hypothesis>> Greedy(Model* model, int64_t block_size,
                                            SearchOptions options,
                                            const std::vector<SearchRow>& rows,
                                            SearchCount* count = nullptr) {
  options.beam_size = 1;
  options.block_size = block_size;
  options.count = count;
  return Search(model, {{"inputs", Rows().at("inputs")}}, rows, options);
}

std::vector<SearchRow> Wanted(int64_t length) {
  std::vector<SearchRow> rows(6);
  for (SearchRow& row : rows) row.decode_length = length;
  return rows;
}

void ExpectSame(Model* model, const SearchOptions& options,
                const std::vector<SearchRow>& rows) {
  const auto greedy = Greedy(model, 1, options, rows);
  for (const int64_t block_size : {int64_t{0}, int64_t{2}, kBlock}) {
    const auto blocks = Greedy(model, block_size, options, rows);
    ASSERT_EQ(blocks.size(), greedy.size());
    for (size_t i = 0; i < greedy.size(); ++i) {
      EXPECT_EQ(blocks[i].at(0).ids, greedy[i].at(0).ids) << i;
      EXPECT_NEAR(blocks[i].at(0).score, greedy[i].at(0).score, 1e-4) << i;
    }
  }
}

void ExpectSameInAllWays(Model* model) {
  std::vector<SearchRow> rows = Wanted(14);
  ExpectSame(model, {}, rows);
  SearchOptions options;
  options.force_decode_length = true;
  ExpectSame(model, options, rows);
  options.force_decode_length = false;
  options.eos_penalty = 1.5;
  ExpectSame(model, options, rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].decode_length = 3 + 2 * static_cast<int64_t>(i);
    rows[i].min_length = static_cast<int64_t>(i);
    rows[i].prefix.assign(i, 2 + static_cast<int64_t>(i));
  }
  ExpectSame(model, {}, rows);
}

TEST(BlockwiseDecodingTest, FindsWhatGreedyDecodingFinds) {
  // Untrained, nearly all guesses are wrong; trained, nearly all right.
  ExpectSameInAllWays(MakeBlocks().get());
  ExpectSameInAllWays(MakeBlocks("pos=emb,max_length=16").get());
  at::manual_seed(3);
  const auto model = MakeBlocks();
  Train(model.get(), 120);
  ExpectSameInAllWays(model.get());
}

TEST(BlockwiseDecodingTest, NeedsFewerStepsTheBetterItGuesses) {
  const auto model = MakeBlocks();
  at::manual_seed(3);
  Train(model.get(), 120);
  SearchCount greedy, blocks;
  Greedy(model.get(), 1, {}, Wanted(12), &greedy);
  Greedy(model.get(), 0, {}, Wanted(12), &blocks);
  EXPECT_EQ(greedy.row_steps, greedy.symbols);
  EXPECT_EQ(blocks.symbols, greedy.symbols);
  EXPECT_TRUE(blocks.in_blocks && !greedy.in_blocks);
  EXPECT_LT(static_cast<double>(blocks.row_steps),
            0.75 * static_cast<double>(greedy.row_steps));
  // Where every guess is taken, a step finds a whole block.
  SearchOptions all;
  all.accept_top_k = kVocab;
  all.force_decode_length = true;
  SearchCount most;
  Greedy(model.get(), 0, all, Wanted(1 + 3 * kBlock), &most);
  EXPECT_EQ(most.symbols, 6 * (1 + 3 * kBlock));
  EXPECT_EQ(most.row_steps, 6 * (1 + 3));
}

TEST(BlockwiseDecodingTest, RefusesWhatItCannotCheck) {
  const auto refusal = [](Model* model, const SearchOptions& options) {
    try {
      Search(model, {{"inputs", Rows().at("inputs")}}, Wanted(3), options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return std::string(error.what());
    }
    return std::string();
  };
  using testing::HasSubstr;
  const auto model = MakeBlocks();
  SearchOptions options;
  options.block_size = 2;
  options.beam_size = 2;
  EXPECT_THAT(refusal(model.get(), options), HasSubstr("not greedy"));
  options.beam_size = 1;
  EXPECT_THAT(
      refusal(Make("transformer", "transformer_base", "").get(), options),
      HasSubstr("transformer_block_parallel"));
  options.temperature = 1;
  EXPECT_THAT(refusal(model.get(), options), HasSubstr("not greedy"));
  options.temperature = 0;
  options.block_size = 5;
  EXPECT_THAT(refusal(model.get(), options), HasSubstr("predicts 4"));
  options.block_size = 0;
  EXPECT_THAT(refusal(MakeBlocks("proximity_bias=True").get(), options),
              HasSubstr("block_size=1"));
  options.block_size = 1;
  EXPECT_EQ(refusal(MakeBlocks("proximity_bias=True").get(), options), "");
}

// A guess is of the symbol that it is of: the heads' losses are those of
// targets that are shifted.
TEST(BlockwiseDecodingTest, EachHeadLearnsItsSymbol) {
  const auto model = MakeBlocks("label_smoothing=0");
  const Features batch = Rows();
  const at::NoGradGuard no_grad;
  std::vector<double> weights;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    at::manual_seed(seed);
    weights.push_back(
        model->Loss(batch, Mode::kTrain).denominator.item<double>());
  }
  // Symbols that are left when 0, 1, 2 or 3 are cut off each row.
  for (const double left : {33.0, 27.0, 21.0, 15.0}) {
    EXPECT_THAT(weights, testing::Contains(left));
  }
  EXPECT_EQ(model->Loss(batch, Mode::kEval).denominator.item<double>(), 33.0);
}

std::unique_ptr<Model> MakeNat() {
  return Make("transformer_nat", "transformer_nat_small",
              "bottleneck_bits=4,num_compress_steps=1,mask_startup_steps=40,"
              "dropout=0,decay=0.9");
}

// Its codes are worth something, are predicted from the inputs, and what is
// made of them alone, without gold targets, are the right symbols.
TEST(NonautoregressiveDecodingTest, LearnsToSayItsInputsAgain) {
  at::manual_seed(3);
  const auto model = MakeNat();
  Train(model.get(), 240);
  const at::Tensor targets = Rows().at("targets");
  const auto found =
      Search(model.get(), {{"inputs", Rows().at("inputs")}}, Wanted(20), {});
  int right = 0;
  for (int64_t row = 0; row < targets.size(0); ++row) {
    const std::vector<int64_t>& ids = found[row].at(0).ids;
    const at::Tensor gold =
        targets[row].narrow(0, 0, targets[row].ne(0).sum().item<int64_t>());
    right += at::tensor(ids).equal(gold) ? 1 : 0;
  }
  EXPECT_GE(right, 4);
}

TEST(NonautoregressiveDecodingTest, RowsDoNotDependOnTheirBatch) {
  const auto model = MakeNat();
  const at::Tensor inputs = Rows().at("inputs");
  SearchOptions options;
  options.force_decode_length = true;
  const auto together =
      Search(model.get(), {{"inputs", inputs}}, Wanted(20), options);
  for (int64_t row = 0; row < inputs.size(0); ++row) {
    const auto alone =
        Search(model.get(), {{"inputs", inputs.narrow(0, row, 1)}},
               {Wanted(20).front()}, options);
    const Hypothesis& ours = together[row].at(0);
    // Twice as many as there are inputs, the end symbol counted.
    const int64_t length = inputs[row].ne(0).sum().item<int64_t>();
    EXPECT_EQ(static_cast<int64_t>(ours.ids.size()), 2 * length);
    EXPECT_EQ(alone[0].at(0).ids, ours.ids);
    EXPECT_NEAR(alone[0].at(0).score, ours.score, 1e-3);
  }
}

TEST(NonautoregressiveDecodingTest, TrainingMovesTheCodebook) {
  const auto model = MakeNat();
  const at::Tensor means = model->params().Get("means");
  const at::Tensor before = means.clone();
  model->Loss(Rows(), Mode::kEval);
  EXPECT_TRUE(at::equal(means, before));
  const LossParts early = model->Loss(Rows(), Mode::kTrain);
  EXPECT_FALSE(at::equal(means, before));
  EXPECT_EQ(early.extra.count("latent_pred"), 0U);
  model->set_step(41);
  EXPECT_EQ(model->Loss(Rows(), Mode::kTrain).extra.count("latent_pred"), 1U);
}

}  // namespace
}  // namespace t2t
