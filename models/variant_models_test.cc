// Models that change a part of the Transformer, or have it several times.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <string>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/decode/search.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/model/text_embedder.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 11;

std::unique_ptr<Model> Make(const std::string& name, const std::string& set,
                            const std::string& changes,
                            bool has_inputs = true) {
  at::set_num_threads(1);
  ProblemInfo info;
  info.name = "toy";
  if (has_inputs) info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  HParams hparams = MakeHParams(set, "hidden_size=16");
  if (hparams.Has("filter_size")) hparams.Set("filter_size", int64_t{24});
  for (const std::string& key : hparams.Names()) {
    if (EndsWith(key, "dropout")) hparams.Set(key, 0.0);
  }
  hparams.Parse(changes);
  return Models().Get(name)(hparams, info, 3);
}

Features Batch() {
  const at::Tensor inputs =
      at::tensor({3, 4, 5, 6, 1, 7, 8, 9, 1, 0}, at::kLong).view({2, 5});
  const at::Tensor targets =
      at::tensor({4, 9, 3, 5, 2, 1, 8, 2, 7, 1, 0, 0}, at::kLong).view({2, 6});
  return {{"inputs", inputs}, {"targets", targets}};
}

// By hand, from the model's own logits, where each auxiliary table is the
// model's.
TEST(TransformerAuxTest, LossesAreOfSymbolsBeforeAndAfter) {
  const auto model = Make("transformer_aux", "transformer_aux_tiny",
                          "num_heads=2,num_hidden_layers=1,shift_values=1,-2,"
                          "label_smoothing=0");
  const at::NoGradGuard no_grad;
  const at::Tensor own = model->params().Get(
      "transformer_aux/symbol_modality_11_16/softmax/weights");
  for (const char* const name : {"reconst_1", "predict_2"}) {
    model->params()
        .Get(std::string("transformer_aux/body/") + name +
             "/symbol_modality_11_16/softmax/weights")
        .copy_(own);
  }
  const at::Tensor logs =
      at::log_softmax(model->Logits(Batch(), Mode::kEval), -1);
  const auto mean = [&](const at::Tensor& ids) {
    const at::Tensor weights = ids.ne(0).to(at::kFloat);
    const at::Tensor losses = -logs.gather(2, ids.unsqueeze(2)).squeeze(2);
    return ((losses * weights).sum() / weights.sum()).item<double>();
  };
  const at::Tensor targets = Batch().at("targets");
  const at::Tensor before =
      at::constant_pad_nd(targets.narrow(1, 0, 5), {1, 0});
  const at::Tensor after = at::constant_pad_nd(targets.narrow(1, 2, 4), {0, 2});
  const LossParts loss = model->Loss(Batch(), Mode::kTrain);
  EXPECT_NEAR(loss.extra.at("auxiliary").item<double>(),
              mean(before) + mean(after), 1e-4);
  EXPECT_NEAR((loss.numerator / loss.denominator).item<double>(), mean(targets),
              1e-4);
}

void ExpectCausal(Model* model, Features batch) {
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model->Logits(batch, Mode::kEval);
  EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{2, 6, kVocab}));
  at::Tensor changed = batch.at("targets").clone();
  changed.select(1, 3).fill_(10);
  batch["targets"] = changed;
  const at::Tensor other = model->Logits(batch, Mode::kEval);
  EXPECT_TRUE(
      at::allclose(logits.narrow(1, 0, 4), other.narrow(1, 0, 4), 1e-5, 1e-5));
  EXPECT_FALSE(
      at::allclose(logits.narrow(1, 4, 2), other.narrow(1, 4, 2), 1e-3, 1e-3));
}

constexpr char kShards[] =
    "num_model_shards=2,multihead_attention_num_heads=2,";

TEST(ShardedModelsTest, TargetsSeeWhatCameBefore) {
  const std::string decoder =
      "decoder_layers=n,att,m,d,a,n,enc-att,m,d,a,n,multihead-att,a,"
      "n,enc-multihead-att,a,n,ffn,m,d,a,n,d";
  const std::string encoder =
      "encoder_layers=n,multihead-att,m,d,a,n,att,a,n,ffn,m,d,a,n,d,";
  const auto model = Make("transformer_symshard", "transformer_symshard_base",
                          kShards + encoder + decoder);
  ExpectCausal(model.get(), Batch());
  // Padding of the inputs is not looked at.
  Features longer = Batch();
  longer["inputs"] = at::constant_pad_nd(longer["inputs"], {0, 3});
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::allclose(model->Logits(longer, Mode::kEval),
                           model->Logits(Batch(), Mode::kEval), 1e-4, 1e-4));

  Features alone = Batch();
  alone.erase("inputs");
  ExpectCausal(
      Make("super_lm", "super_lm_base",
           kShards +
               std::string("layers=n,att,m,d,a,n,conv,m,d,a,n,multihead-att,a,"
                           "n,moe,m,d,a,n,ffn,d,kernel_height=3,"
                           "moe_num_experts=4,moe_k=2,moe_hidden_sizes=8"),
           /*has_inputs=*/false)
          .get(),
      alone);
}

// What changes with a shard's weights is the same whatever the other's are,
// where they don't mix.
TEST(ShardedModelsTest, ShardsMeetInMixingLayersAlone) {
  const auto of_change = [](double mix, double change_of_other) {
    Features alone = Batch();
    alone.erase("inputs");
    const auto model = Make(
        "super_lm", "super_lm_base",
        std::string(kShards) +
            "layers=n,att,m,d,a,n,ffn,d,mix_fraction=" + std::to_string(mix),
        /*has_inputs=*/false);
    const at::NoGradGuard no_grad;
    const auto shift = [&](const char* shard, double by) {
      for (const ParamStore::Entry& entry : model->params().entries()) {
        if (entry.name.find(shard) == std::string::npos) continue;
        at::Tensor(entry.tensor)
            .add_(at::arange(entry.tensor.numel(), at::kFloat)
                      .cos()
                      .view(entry.tensor.sizes()),
                  by);
      }
    };
    shift("parallel_1", change_of_other);
    const at::Tensor before = model->Logits(alone, Mode::kEval);
    shift("parallel_0", 0.3);
    return model->Logits(alone, Mode::kEval) - before;
  };
  EXPECT_TRUE(
      at::allclose(of_change(0.0, 0.0), of_change(0.0, 0.2), 1e-3, 1e-3));
  EXPECT_FALSE(
      at::allclose(of_change(0.5, 0.0), of_change(0.5, 0.2), 1e-3, 1e-3));
}

// Of each kind a training step has a gradient, at the start and when codes are
// predicted, and what is decoded is as long as T2T makes it.
class BottleneckKindTest : public testing::TestWithParam<const char*> {};

TEST_P(BottleneckKindTest, TrainsAndDecodes) {
  at::manual_seed(1);
  const auto model = Make(
      "transformer_ae", "transformer_ae_small",
      std::string("num_heads=2,num_hidden_layers=1,compress_filter_size=16,"
                  "z_size=4,num_compress_steps=1,mask_startup_steps=5,"
                  "max_length=16,num_samples=3,bottleneck_kind=") +
          GetParam());
  for (const int64_t step : {1, 6}) {
    model->set_step(step);
    const at::Tensor loss = model->Loss(Batch(), Mode::kTrain).Total();
    const auto gradients = torch::autograd::grad(
        {loss}, model->params().Trainable(), {}, std::nullopt,
        /*create_graph=*/false, /*allow_unused=*/true);
    for (const at::Tensor& gradient : gradients) {
      if (!gradient.defined()) continue;
      EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << step;
    }
  }
  SearchOptions options;
  options.force_decode_length = true;
  SearchRow row;
  row.decode_length = 50;
  const auto decode = [&] {
    return Search(model.get(), {{"inputs", Batch().at("inputs")}},
                  std::vector<SearchRow>(2, row), options);
  };
  const auto found = decode();
  EXPECT_EQ(found[0].at(0).ids.size(), 10U);
  EXPECT_EQ(found[1].at(0).ids.size(), 8U);
  if (StartsWith(GetParam(), "vae")) return;  // draws
  EXPECT_EQ(decode()[0].at(0).ids, found[0].at(0).ids);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BottleneckKindTest,
    testing::Values("semhash", "semhash,sampling_temp=0.0,word_dropout=0.1",
                    "dvq", "dvq,num_blocks=2,num_residuals=2,ema=False",
                    "dvq,soft_em=True,entropy_scale=0.1",
                    "gumbel-softmax,do_attend_compress=True",
                    "gumbel-softmax,softmax_k=2",
                    "gumbel-softmax-dvq,do_hard_gumbel_softmax=True",
                    "gumbel-softmax-dvq,num_blocks=2,ema=False,"
                    "approximate_gs_entropy=True,entropy_scale=0.1",
                    "dense,use_predict_mask=False", "vae,drop_inputs=True"));

TEST(AlignedTest, WindowsHideWhatIsFarAway) {
  const auto changes = [](const std::string& layers, int64_t place) {
    const auto model = Make("aligned", "aligned_base",
                            "num_heads=2,ffn_hidden_sizes=24,"
                            "local_attention_window=2,layers=" +
                                layers);
    const at::NoGradGuard no_grad;
    at::Tensor ids = at::arange(2, 10, at::kLong).unsqueeze(0);
    const Features batch = {{"inputs", ids}, {"targets", ids}};
    const at::Tensor before = model->Logits(batch, Mode::kEval);
    Features other = batch;
    other["inputs"] = ids.clone();
    other["inputs"][0][place] = 10;
    const at::Tensor moved =
        (model->Logits(other, Mode::kEval) - before).abs().amax(-1)[0];
    std::string seen;
    for (int64_t i = 0; i < 8; ++i) {
      seen += moved[i].item<double>() > 1e-6 ? '1' : '0';
    }
    return seen;
  };
  // A symbol at place 2 is seen from:
  EXPECT_EQ(changes("att", 2), "11111111");
  EXPECT_EQ(changes("att,mask_right=True", 2), "00111111");
  EXPECT_EQ(changes("att_pseudolocal", 2), "11111000");
  EXPECT_EQ(changes("att_pseudolocal,mask_right=True", 2), "00111000");
  EXPECT_EQ(changes("att_local", 2), "11111100");
  EXPECT_EQ(changes("att_local,mask_right=True", 2), "00111100");
  EXPECT_EQ(changes("conv,kernel_height=3", 2), "01110000");
  EXPECT_EQ(changes("ffn", 2), "00100000");
  EXPECT_EQ(changes("att_memory_efficient", 2), "11111111");
}

TEST(SimilarityTransformerTest, EmbedsBothKindsAndDecodesNothing) {
  const auto model = Make("similarity_transformer", "transformer_tiny",
                          "num_heads=2,num_hidden_layers=1");
  const at::NoGradGuard no_grad;
  auto* const embedder = dynamic_cast<TextEmbedder*>(model.get());
  ASSERT_NE(embedder, nullptr);
  const Features given = {{"inputs", Batch().at("inputs")}};
  const at::Tensor as_inputs = embedder->EmbedTexts(given, false);
  const at::Tensor as_targets = embedder->EmbedTexts(given, true);
  EXPECT_TRUE(at::equal(as_inputs, model->Logits(Batch(), Mode::kEval)));
  EXPECT_FALSE(at::allclose(as_inputs, as_targets, 1e-2, 1e-2));
  EXPECT_TRUE(at::allclose(as_targets.norm(2, 1), at::ones({2}), 1e-5, 1e-5));
  EXPECT_THROW(Search(model.get(), given, std::vector<SearchRow>(2), {}),
               Error);
}

}  // namespace
}  // namespace t2t
