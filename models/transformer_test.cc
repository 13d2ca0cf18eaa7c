#include "models/transformer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hparams/all_hparams.h"
#include "t2t/base/error.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 20;

std::unique_ptr<Model> MakeModel(const std::string& overrides,
                                 bool has_inputs = true, uint64_t seed = 3) {
  ProblemInfo info;
  if (has_inputs) info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  const std::string small =
      "num_hidden_layers=2,hidden_size=16,filter_size=24,num_heads=2";
  return Models().Get("transformer")(
      MakeHParams("transformer_base",
                  small + (overrides.empty() ? "" : "," + overrides)),
      info, seed);
}

Features SomeBatch(int64_t rows = 3) {
  at::manual_seed(5);
  Features features;
  features["inputs"] = at::randint(2, kVocab, {rows, 7}, at::kLong);
  features["targets"] = at::randint(2, kVocab, {rows, 6}, at::kLong);
  features["inputs"][rows - 1].slice(0, 4).zero_();
  features["targets"][0].slice(0, 5).zero_();
  return features;
}

double Distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(TransformerTest, InitialValuesDependOnSeedAndNameAlone) {
  const auto first = MakeModel("");
  const auto again = MakeModel("num_decoder_layers=1");
  const auto other = MakeModel("", true, 4);
  const std::string name =
      "transformer/body/encoder/layer_1/self_attention/multihead_attention/q/"
      "kernel";
  const at::Tensor value = first->params().Get(name);
  EXPECT_TRUE(value.equal(again->params().Get(name)));
  EXPECT_FALSE(value.equal(other->params().Get(name)));
  // uniform_unit_scaling: sqrt(3 / 16) at most.
  EXPECT_LE(value.abs().max().item<double>(), std::sqrt(3.0 / 16.0));
  EXPECT_GT(value.abs().max().item<double>(), 0.9 * std::sqrt(3.0 / 16.0));
  EXPECT_THROW(first->params().Get("transformer/body/encodr"), Error);
}

TEST(TransformerTest, DropoutIsAFunctionOfTheSeed) {
  const auto model = MakeModel("layer_prepostprocess_dropout=0.3");
  const Features batch = SomeBatch();
  const auto loss = [&](Mode mode) {
    at::manual_seed(11);
    return model->Loss(batch, mode).Total().item<double>();
  };
  const double train = loss(Mode::kTrain);
  EXPECT_EQ(train, loss(Mode::kTrain));
  EXPECT_NE(train, loss(Mode::kEval));
  at::manual_seed(12);
  EXPECT_NE(train, model->Loss(batch, Mode::kTrain).Total().item<double>());
}

TEST(TransformerTest, DropoutBroadcastDims) {
  const auto model = MakeModel(
      "layer_prepostprocess_dropout=0.3,"
      "layer_prepostprocess_dropout_broadcast_dims=1,"
      "attention_dropout_broadcast_dims=0,"
      "relu_dropout_broadcast_dims=1");
  const at::Tensor loss = model->Loss(SomeBatch(), Mode::kTrain).Total();
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
}

// Beam search's reorderings: rows repeated, swapped, dropped, regular or not.
TEST(TransformerTest, SelectFollowsRows) {
  for (const std::string overrides :
       {"", "ffn_layer=conv_relu_conv", "ffn_layer=sru",
        "pos=none,self_attention_type=dot_product_relative,"
        "max_relative_position=2",
        "num_area_layers=1,max_area_width=3,area_key_mode=concat,"
        "area_value_mode=sum"}) {
    const auto model = MakeModel(overrides);
    const at::NoGradGuard no_grad;
    const Features batch = SomeBatch();
    const auto state = model->StartDecoding({{"inputs", batch.at("inputs")}});
    model->DecodeStep(state.get(), {});
    std::vector<std::vector<int64_t>> prefixes(3);
    std::vector<int64_t> sources = {0, 1, 2};
    const std::vector<std::vector<int64_t>> selections = {
        {0, 0, 1, 1, 2, 2}, {1, 0, 2, 3, 5, 5}, {0, 1, 4, 5},
        {3, 0, 1},          {2, 1, 0},          {1, 1}};
    int64_t next = 2;
    for (const auto& rows : selections) {
      state->Select(at::tensor(rows, at::kLong));
      std::vector<std::vector<int64_t>> chosen;
      std::vector<int64_t> chosen_sources;
      std::vector<int64_t> ids;
      for (const int64_t row : rows) {
        chosen.push_back(prefixes[row]);
        chosen_sources.push_back(sources[row]);
        ids.push_back(next++ % (kVocab - 2) + 2);
        chosen.back().push_back(ids.back());
      }
      prefixes = chosen;
      sources = chosen_sources;
      const at::Tensor logits =
          model->DecodeStep(state.get(), at::tensor(ids, at::kLong));
      for (size_t i = 0; i < rows.size(); ++i) {
        std::vector<int64_t> targets = prefixes[i];
        targets.push_back(2);
        const at::Tensor forced = model->Logits(
            {{"inputs", batch.at("inputs").narrow(0, sources[i], 1)},
             {"targets", at::tensor(targets, at::kLong).unsqueeze(0)}},
            Mode::kEval);
        EXPECT_LT(Distance(logits[i], forced[0][targets.size() - 1]), 1e-5)
            << overrides;
      }
    }
    EXPECT_THROW(state->Select(at::tensor({5}, at::kLong)), Error);
  }
}

// Every model decodes by running its body over what was decoded so far.
TEST(TransformerTest, SlowDecodingGivesWhatCachesGive) {
  for (const bool has_inputs : {true, false}) {
    const auto model = MakeModel("", has_inputs);
    const Features batch = SomeBatch();
    const auto fast = model->StartDecoding(batch);
    const auto slow = model->Model::StartDecoding(batch);
    at::Tensor ids;
    for (const std::vector<int64_t>& rows : std::vector<std::vector<int64_t>>{
             {0, 1, 2}, {2, 2, 0, 1}, {3, 0, 1}}) {
      fast->Select(at::tensor(rows));
      slow->Select(at::tensor(rows));
      if (ids.defined()) ids = ids.index_select(0, at::tensor(rows));
      const at::Tensor logits = model->DecodeStep(fast.get(), ids);
      const at::Tensor other = model->Model::DecodeStep(slow.get(), ids);
      ASSERT_EQ(other.sizes(), logits.sizes());
      EXPECT_LT(Distance(logits, other), 1e-5);
      ids = logits.argmax(-1);
    }
  }
}

// Past the first chunk of the cache.
TEST(TransformerTest, LongCachedDecodingOfALanguageModel) {
  const auto model = MakeModel("", /*has_inputs=*/false);
  const at::NoGradGuard no_grad;
  at::manual_seed(1);
  const at::Tensor targets = at::randint(2, kVocab, {2, 90}, at::kLong);
  const at::Tensor forced = model->Logits({{"targets", targets}}, Mode::kEval);
  const auto state = model->StartDecoding({{"targets", targets}});
  at::Tensor ids;
  for (int64_t i = 0; i < targets.size(1); ++i) {
    EXPECT_LT(
        Distance(model->DecodeStep(state.get(), ids), forced.select(1, i)),
        1e-5);
    ids = targets.select(1, i);
  }
}

TEST(TransformerTest, PaddingChangesNothing) {
  const auto model = MakeModel("");
  const at::NoGradGuard no_grad;
  Features batch = SomeBatch(1);
  const at::Tensor logits = model->Logits(batch, Mode::kEval);
  batch["inputs"] = at::constant_pad_nd(batch["inputs"], {0, 3});
  batch["targets"] = at::constant_pad_nd(batch["targets"], {0, 2});
  EXPECT_LT(Distance(model->Logits(batch, Mode::kEval).narrow(1, 0, 5),
                     logits.narrow(1, 0, 5)),
            1e-5);
}

// The loss is computed without padding, the logits with it.
TEST(TransformerTest, LossAgreesWithLogits) {
  for (const std::string overrides :
       {"", "pos=emb", "ffn_layer=parameter_attention", "pos=none"}) {
    for (const bool has_inputs : {true, false}) {
      const auto model = MakeModel(overrides, has_inputs);
      const at::NoGradGuard no_grad;
      Features batch = SomeBatch(4);
      batch["inputs"][0][2] = 0;  // padding in the middle
      batch["targets"][1][3] = 0;
      batch["targets"][2].zero_();
      const auto expect_equal = [&] {
        const at::Tensor logits = model->Logits(batch, Mode::kEval);
        const at::Tensor expected = at::cross_entropy_loss(
            logits.reshape({-1, kVocab}), batch.at("targets").view({-1}), {},
            at::Reduction::Mean, /*ignore_index=*/0);
        EXPECT_NEAR(model->Loss(batch, Mode::kEval).Total().item<double>(),
                    expected.item<double>(), 1e-5)
            << overrides;
      };
      expect_equal();
      batch["inputs"][1].zero_();  // a row that is padding alone
      expect_equal();
    }
  }
}

// Every set makes a model, but for those that want what is refused.
TEST(TransformerTest, EverySetBuildsOrSaysWhyNot) {
  ProblemInfo info;
  info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  int refused = 0;
  std::vector<std::string> sets = SetsHere("transformer");
  for (const std::string& set : SetsHere("transformer_memory")) {
    sets.push_back(set);
  }
  for (const std::string& set : sets) {
    const HParams hparams = MakeHParams(
        set,
        "hidden_size=32,filter_size=8,num_hidden_layers=1,num_encoder_layers=1,"
        "num_decoder_layers=1,num_heads=2");
    try {
      const auto model = Models().Get("transformer")(hparams, info, 1);
      at::manual_seed(1);
      const LossParts loss = model->Loss(SomeBatch(), Mode::kTrain);
      EXPECT_TRUE(std::isfinite(loss.Total().item<double>())) << set;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage) << set << error.what();
      // lmx_relative and its like: T2T refuses a distance of 0, too.
      const std::string attention = hparams.GetString("self_attention_type");
      const bool no_distance = attention == "dot_product_relative_v2" &&
                               hparams.GetInt("max_relative_position") == 0;
      const std::string ffn = hparams.GetString("ffn_layer");
      EXPECT_TRUE(ffn.rfind("local_moe", 0) == 0 || no_distance)
          << set << error.what();
      ++refused;
    }
  }
  EXPECT_LE(refused, 9);
}

TEST(TransformerTest, LearnsUnderAutocast) {
  for (const std::string type : {"bfloat16", "float32"}) {
    const auto model = MakeModel("activation_dtype=" + type);
    const Features batch = SomeBatch();
    at::manual_seed(1);
    const double first = model->Loss(batch, Mode::kEval).Total().item<double>();
    for (int step = 0; step < 20; ++step) {
      const at::Tensor loss = model->Loss(batch, Mode::kTrain).Total();
      EXPECT_EQ(loss.scalar_type(), at::kFloat);
      const auto parameters = model->params().Trainable();
      const auto gradients = torch::autograd::grad({loss}, parameters);
      const at::NoGradGuard no_grad;
      for (size_t i = 0; i < parameters.size(); ++i) {
        parameters[i].sub_(gradients[i], 0.1);
      }
    }
    const double last = model->Loss(batch, Mode::kEval).Total().item<double>();
    EXPECT_LT(last, first - 0.5) << type;
    const at::NoGradGuard no_grad;
    const auto state = model->StartDecoding(batch);
    const at::Tensor logits = model->DecodeStep(state.get(), {});
    EXPECT_EQ(logits.scalar_type(), at::kFloat);
    EXPECT_LT(Distance(logits, model->Logits(batch, Mode::kEval).select(1, 0)),
              type == "float32" ? 1e-5 : 0.1);
  }
}

// With logits so far apart that a draw is the greatest, what the passes are
// given is known.
TEST(TransformerTest, ScheduledSampling) {
  for (const int64_t passes : {1, 2}) {
    const auto model = MakeModel(
        "shared_embedding_and_softmax_weights=False,label_smoothing=0.0,"
        "layer_prepostprocess_dropout=0.0,attention_dropout=0.0,"
        "relu_dropout=0.0,scheduled_sampling_prob=1.0,"
        "scheduled_sampling_warmup_steps=10,"
        "scheduled_sampling_gold_mixin_prob=1.0,"
        "scheduled_sampling_num_passes=" +
        std::to_string(passes));
    int64_t scaled = 0;
    for (const ParamStore::Entry& entry : model->params().entries()) {
      if (entry.name.find("softmax/weights") == std::string::npos) continue;
      entry.tensor.detach().mul_(1e6);
      ++scaled;
    }
    ASSERT_EQ(scaled, 1);
    const Features batch = SomeBatch();
    const at::Tensor& gold = batch.at("targets");
    const auto logits_given = [&](const at::Tensor& targets) {
      const at::NoGradGuard no_grad;
      Features features = batch;
      features["targets"] = targets;
      return model->Logits(features, Mode::kEval);
    };
    const auto loss_given = [&](const at::Tensor& targets) {
      return at::cross_entropy_loss(logits_given(targets).reshape({-1, kVocab}),
                                    gold.view({-1}), {}, at::Reduction::Mean,
                                    /*ignore_index=*/0)
          .item<double>();
    };
    at::Tensor given = logits_given(gold).argmax(-1);
    if (passes == 2) {
      // The first target stays that of the first pass.
      at::Tensor next = logits_given(given).argmax(-1);
      next.select(1, 0).copy_(given.select(1, 0));
      given = next;
    }
    const double expected = loss_given(given);
    const double forced = loss_given(gold);
    ASSERT_GT(std::abs(expected - forced), 1e-3 * forced);
    model->set_step(10);
    const at::Tensor loss = model->Loss(batch, Mode::kTrain).Total();
    EXPECT_NEAR(loss.item<double>(), expected, 1e-5 * expected);
    EXPECT_TRUE(loss.requires_grad());
    EXPECT_NEAR(model->Loss(batch, Mode::kEval).Total().item<double>(), forced,
                1e-5 * forced);
    // A thousandth of the targets at first: none of these few.
    model->set_step(0);
    EXPECT_NEAR(model->Loss(batch, Mode::kTrain).Total().item<double>(), forced,
                1e-5 * forced);
  }
}

TEST(TransformerTest, RefusesWhatItCannotDo) {
  for (const std::string bad :
       {"num_heads=3",
        "pos=learned",
        "ffn_layer=local_moe_tpu,moe_num_experts=1",
        "ffn_layer=local_moe,moe_k=17",
        "self_attention_type=local",
        "norm_type=group",
        "self_attention_type=local_relative_mask_right,"
        "add_relative_to_values=True",
        "self_attention_type=dot_product_relative",
        "pos=emb,max_length=0",
        "layer_preprocess_sequence=a",
        "layer_postprocess_sequence=x",
        "layer_prepostprocess_dropout=1.0",
        "activation_dtype=int8",
        "scheduled_sampling_prob=0.5",
        "scheduled_sampling_prob=1,scheduled_sampling_method=sequential",
        "scheduled_sampling_prob=1,scheduled_sampling_num_passes=0",
        "scheduled_sampling_prob=1,scheduled_sampling_warmup_schedule=cosine",
        "scheduled_sampling_prob=1,vocab_divisor=4",
        "num_area_layers=1,max_area_width=2",
        "num_area_layers=1,max_area_width=2,area_key_mode=mean",
        "num_area_layers=1,max_area_width=2,area_key_mode=mean,"
        "area_value_mode=sum,attention_key_channels=8",
        "prepend_mode=yes",
        "ffn_layer=conv_relu_conv,conv_first_kernel=2",
        "attention_dropout_broadcast_dims=a",
        "initializer=magic"}) {
    try {
      const auto model = MakeModel(bad);
      model->Loss(SomeBatch(), Mode::kTrain);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage) << bad << error.what();
    }
  }
  const auto model = MakeModel("");
  EXPECT_THROW(
      model->Logits({{"inputs", at::ones({1, 2}, at::kLong)}}, Mode::kEval),
      Error);
  EXPECT_THROW(Models().Get("transfomer"), Error);
}

at::Generator Seeded(uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

TEST(DropoutTest, KeepsTheRightShareAndScales) {
  const at::Generator rng = Seeded(2);
  const at::Tensor x = at::ones({400, 500});
  const at::Tensor y = Dropout(x, 0.3, rng);
  EXPECT_NEAR(y.ne(0).to(at::kFloat).mean().item<double>(), 0.7, 0.005);
  EXPECT_NEAR(y.max().item<double>(), 1.0 / 0.7, 1e-6);
  // Rows and columns are independent.
  EXPECT_NEAR(y.ne(0).to(at::kFloat).mean(0).std().item<double>(),
              std::sqrt(0.21 / 400), 0.004);
  EXPECT_FALSE(y.equal(Dropout(x, 0.3, rng)));
}

// What a pass draws is its context's alone.
TEST(TransformerTest, LossDependsOnTheContextsGeneratorAlone) {
  const auto model = MakeModel("");
  const auto loss = [&](uint64_t seed) {
    nn::Context context(/*is_training=*/true);
    context.rng = Seeded(seed);
    return model->Loss(SomeBatch(), context).Total().item<double>();
  };
  at::manual_seed(1);
  const double first = loss(7);
  EXPECT_EQ(loss(7), first);
  EXPECT_NE(loss(8), first);
}

TEST(TransformerTest, APassMayAskForItsPrecision) {
  const at::NoGradGuard no_grad;
  const auto model = MakeModel("");
  const auto logits = [&](std::optional<at::ScalarType> precision) {
    nn::Context context;
    context.precision = precision;
    return model->Logits(SomeBatch(), context);
  };
  const at::Tensor own = logits(std::nullopt);
  const at::Tensor half = logits(at::kBFloat16);
  EXPECT_FALSE(at::equal(half, own));
  EXPECT_TRUE(at::allclose(half, own, 0.1, 0.1));
  EXPECT_TRUE(at::equal(logits(at::kFloat), own));
}

TEST(DropoutTest, TheSameForAnyNumberOfThreads) {
  const at::Tensor x = at::randn({300, 400});
  const at::Tensor y = Dropout(x, 0.5, Seeded(2));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  EXPECT_TRUE(y.equal(Dropout(x, 0.5, Seeded(2))));
  EXPECT_FALSE(y.equal(Dropout(x, 0.5, Seeded(3))));
  at::set_num_threads(threads);
}

TEST(DropoutTest, Gradients) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({50, 60}).requires_grad_(true);
  const at::Tensor residual = at::randn({50, 60}).requires_grad_(true);
  const at::Tensor weights = at::randn({50, 60});
  const at::Tensor sum = DropoutAdd(x, residual, 0.4, Seeded(4));
  const at::Tensor mask = (sum - residual).detach().ne(0).to(at::kFloat) / 0.6;
  auto gradients =
      torch::autograd::grad({(sum * weights).sum()}, {x, residual});
  EXPECT_LT(Distance(gradients[0], weights * mask), 1e-5);
  EXPECT_TRUE(gradients[1].equal(weights));
  const at::Tensor relu = ReluDropout(x, 0.4, Seeded(5));
  const at::Tensor kept = relu.detach().gt(0).to(at::kFloat) / 0.6;
  gradients = torch::autograd::grad({(relu * weights).sum()}, {x});
  EXPECT_LT(Distance(gradients[0], weights * kept), 1e-5);
  EXPECT_LT(Distance(relu.detach(), at::relu(x).detach() * kept), 1e-5);
}

TEST(DropoutTest, RateZeroAndBadRates) {
  const at::Generator rng = Seeded(1);
  const at::Tensor x = at::randn({3, 4});
  EXPECT_TRUE(Dropout(x, 0.0, rng).equal(x));
  EXPECT_TRUE(ReluDropout(x, 0.0, rng).equal(at::relu(x)));
  EXPECT_THROW(Dropout(x, 1.0, rng), Error);
  EXPECT_THROW(Dropout(x, -0.1, rng), Error);
  EXPECT_THROW(Dropout(x, 0.5, rng, {2}), Error);
  const at::Tensor rows = Dropout(at::ones({6, 5}), 0.5, rng, {-1});
  EXPECT_TRUE(rows.eq(rows.narrow(1, 0, 1)).all().item<bool>());
}

}  // namespace
}  // namespace t2t
