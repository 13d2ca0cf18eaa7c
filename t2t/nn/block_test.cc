#include "t2t/nn/block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"
#include "t2t/nn/positional.h"

// Shapes: B batch, L length, M memory's length, D depth.
namespace t2t::nn {
namespace {

constexpr int64_t kDepth = 8;
constexpr int64_t kLength = 5;
constexpr int64_t kMemory = 4;

AttentionOptions Heads() {
  AttentionOptions options;
  options.input_size = options.output_size = kDepth;
  options.key_channels = options.value_channels = kDepth;
  options.heads = 2;
  return options;
}

// A decoder of two blocks, of which the first runs twice: as in a family that
// recurs over depth.
class Decoder {
 public:
  explicit Decoder(const std::string& ffn) : store_(3) {
    const Scope scope(&store_, "decoder", NormalInit(0.0, 0.4));
    for (const char* const name : {"first", "second"}) {
      blocks_.push_back(MakeBlock(scope.Sub(name), ffn));
    }
  }

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const {
    at::Tensor y = blocks_[0](x, pass);
    y = blocks_[0](y + pass.TimingSignal(kDepth, /*start=*/2), pass);
    return blocks_[1](y, pass);
  }

  bool CanBeRagged() const { return blocks_[0].CanBeRagged(); }

 private:
  static Block MakeBlock(const Scope& scope, const std::string& ffn) {
    PrePostOptions around;
    around.depth = kDepth;
    around.sequence = "n";
    const auto residual = [&](const Scope& own, SublayerPtr sublayer) {
      PrePostOptions after = around;
      after.sequence = "da";
      return Residual(PrePost(own, "layer_prepostprocess", around),
                      std::move(sublayer),
                      PrePost(own, "layer_postprocess", after));
    };
    FfnOptions options;
    options.type = ffn;
    options.hidden_size = kDepth;
    options.filter_size = 12;
    const Scope self = scope.Sub("self");
    const Scope memory = scope.Sub("memory");
    const Scope transition = scope.Sub("ffn");
    return Block(
        {residual(self, std::make_shared<SelfAttention>(self, Heads())),
         residual(memory, std::make_shared<MemoryAttention>(memory, Heads())),
         residual(transition,
                  std::make_shared<Transition>(transition, options))});
  }

  ParamStore store_;
  std::vector<Block> blocks_;
};

struct Inputs {
  Inputs() {
    at::manual_seed(1);
    x_BLD = at::randn({2, kLength, kDepth});
    memory_BMD = at::randn({2, kMemory, kDepth});
    memory_BMD[1].slice(0, 3).zero_();  // padding
    memory_bias = BiasIgnorePadding(EmbeddingToPadding(memory_BMD));
  }

  at::Tensor x_BLD;
  at::Tensor memory_BMD;
  at::Tensor memory_bias;
};

at::Tensor RunWhole(const Decoder& decoder, const Inputs& inputs) {
  WholeRows rows;
  rows.length = inputs.x_BLD.size(1);
  rows.bias = BiasLowerTriangle(rows.length);
  rows.memory_BMD = inputs.memory_BMD;
  rows.memory_bias = inputs.memory_bias;
  Context context;
  Pass pass(&context, /*causal=*/true, &rows);
  return decoder(inputs.x_BLD, pass);
}

at::Tensor RunStep(const Decoder& decoder, const at::Tensor& x_R1D,
                   StepCache* cache) {
  Context context;
  Pass pass(&context, cache, cache->position(), /*bias=*/{});
  const at::Tensor y = decoder(x_R1D, pass);
  cache->Advance();
  return y;
}

void ExpectNear(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_LT((a - b).abs().max().item<double>(), 1e-5);
}

// Layers of every reach: none, some positions, all positions.
class BlockTest : public testing::TestWithParam<const char*> {};

TEST_P(BlockTest, StepsGiveWhatWholeRowsGiveWhateverIsSelected) {
  const at::NoGradGuard no_grad;
  const Decoder decoder(GetParam());
  const Inputs inputs;
  const at::Tensor whole = RunWhole(decoder, inputs);
  StepCache cache(2, inputs.memory_BMD, inputs.memory_bias);
  // Which source each hypothesis is of: more of one, other orders, uneven
  // ones, fewer.
  const std::vector<std::vector<int64_t>> kept = {
      {0, 1}, {0, 0, 1, 1}, {1, 0, 3, 2}, {0, 2, 3}, {2}};
  std::vector<int64_t> sources = {0, 1};
  for (int64_t i = 0; i < kLength; ++i) {
    const std::vector<int64_t>& rows = kept[static_cast<size_t>(i)];
    cache.Select(at::tensor(rows));
    std::vector<int64_t> chosen;
    for (const int64_t row : rows) {
      chosen.push_back(sources[static_cast<size_t>(row)]);
    }
    sources = chosen;
    const at::Tensor index = at::tensor(sources);
    const at::Tensor y = RunStep(
        decoder, inputs.x_BLD.index_select(0, index).narrow(1, i, 1), &cache);
    ExpectNear(y, whole.index_select(0, index).narrow(1, i, 1));
  }
  EXPECT_EQ(cache.position(), kLength);
}

INSTANTIATE_TEST_SUITE_P(Ffn, BlockTest,
                         testing::Values("dense_relu_dense", "conv_relu_conv",
                                         "conv_hidden_relu_with_sepconv",
                                         "sru"),
                         [](const auto& tested) {
                           return std::string(tested.param);
                         });

TEST(RaggedTest, GivesWhatWholeRowsGive) {
  const Decoder decoder("dense_relu_dense");
  ASSERT_TRUE(decoder.CanBeRagged());
  EXPECT_FALSE(Decoder("conv_relu_conv").CanBeRagged());
  const Inputs inputs;
  const at::Tensor whole = RunWhole(decoder, inputs);
  // The first row has three positions, the second all; the memories four and
  // three.
  RaggedSequences ragged;
  ragged.rows.offsets = {0, 3, 3 + kLength};
  ragged.rows.positions_1T =
      at::cat({at::arange(3), at::arange(kLength)}).unsqueeze(0);
  ragged.memory_rows.offsets = {0, kMemory, kMemory + 3};
  ragged.memory_1SD =
      at::cat({inputs.memory_BMD[0], inputs.memory_BMD[1].narrow(0, 0, 3)})
          .unsqueeze(0);
  Context context;
  Pass pass(&context, /*causal=*/true, &ragged);
  const at::Tensor x_1TD =
      at::cat({inputs.x_BLD[0].narrow(0, 0, 3), inputs.x_BLD[1]}).unsqueeze(0);
  const at::Tensor y = decoder(x_1TD, pass);
  ExpectNear(y[0].narrow(0, 0, 3), whole[0].narrow(0, 0, 3));
  ExpectNear(y[0].narrow(0, 3, kLength), whole[1]);
}

TEST(PassTest, LayersThatRunInAnotherOrderAreRefused) {
  struct One : State {
    void Select(const at::Tensor&) override {}
  };
  struct Other : One {};
  struct Third : State {
    void Select(const at::Tensor&) override {}
  };
  StepCache cache(1, {}, {});
  Context context;
  {
    Pass pass(&context, &cache, 0, {});
    pass.Kept([] { return std::make_unique<One>(); });
    cache.Advance();
  }
  Pass pass(&context, &cache, 1, {});
  EXPECT_THROW(pass.Kept([] { return std::make_unique<Third>(); }), c10::Error);
  // Nor may a later step have more layers.
  EXPECT_THROW(pass.Kept([] { return std::make_unique<One>(); }), c10::Error);
}

TEST(StepCacheTest, RowsThatAreNotThereAreRefused) {
  StepCache cache(2, {}, {});
  EXPECT_THROW(cache.Select(at::tensor({0, 2}, at::kLong)), Error);
  EXPECT_THROW(cache.Select(at::tensor({-1, 0}, at::kLong)), Error);
}

TEST(PassTest, TimingSignalsCountFromTheSamePositionInEveryForm) {
  Context context;
  WholeRows rows;
  rows.length = kLength;
  const Pass whole(&context, true, &rows);
  const at::Tensor expected = t2t::TimingSignal(kLength, kDepth, 3);
  ExpectNear(whole.TimingSignal(kDepth, 3), expected);
  rows.positions_BL = at::tensor({0, 1, 0, 1, 2}, at::kLong).unsqueeze(0);
  ExpectNear(whole.TimingSignal(kDepth, 3)[0][4], expected[0][2]);
  RaggedSequences ragged;
  ragged.rows.positions_1T = rows.positions_BL;
  const Pass packed(&context, true, &ragged);
  ExpectNear(packed.TimingSignal(kDepth, 3)[0][4], expected[0][2]);
  StepCache cache(1, {}, {});
  const Pass step(&context, &cache, /*position=*/2, {});
  ExpectNear(step.TimingSignal(kDepth, 3)[0][0], expected[0][2]);
}

TEST(LossesTest, OfOneNameAreSummed) {
  Context context;
  context.losses.Add("act", at::tensor(1.5));
  context.losses.Add("extra", at::tensor(1.0));
  context.losses.Add("act", at::tensor(2.0));
  EXPECT_EQ(context.losses.by_name().size(), 2U);
  EXPECT_EQ(context.losses.by_name().at("act").item<double>(), 3.5);
}

}  // namespace
}  // namespace t2t::nn
