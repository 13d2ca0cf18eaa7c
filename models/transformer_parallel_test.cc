// The transformer over several ranks computes what one process does.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/model/model.h"
#include "t2t/parallel/tensor_parallel_group.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 21;

// A set of another model, with what that needs.
constexpr char kMeshSet[] = "mtf_bitransformer_tiny";
constexpr char kFirstMeshSet[] = "mtf_transformer_tiny";

std::unique_ptr<Model> MakeModel(const std::string& overrides, bool has_inputs,
                                 TensorParallel* parallel = nullptr,
                                 const std::string& set = "") {
  ProblemInfo info;
  if (has_inputs) info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  ParamOptions params(3);
  params.tensor_parallel = parallel;
  if (!set.empty()) {
    return Models().Get(set == kMeshSet ? "mtf_bitransformer"
                                        : "mtf_transformer")(
        MakeHParams(set,
                    "activation_dtype=float32,d_model=16,d_ff=26,d_kv=4,"
                    "attention_dropout=0.0,relu_dropout=0.0,"
                    "layer_prepostprocess_dropout=0.1" +
                        (overrides.empty() ? "" : "," + overrides)),
        info, params);
  }
  return Models().Get("transformer")(
      MakeHParams("transformer_base",
                  "num_hidden_layers=2,hidden_size=16,filter_size=26,"
                  "num_heads=4,layer_prepostprocess_dropout=0.2,"
                  "attention_dropout=0.1,relu_dropout=0.1" +
                      (overrides.empty() ? "" : "," + overrides)),
      info, params);
}

Features SomeBatch() {
  at::manual_seed(5);
  Features features;
  features["inputs"] = at::randint(2, kVocab, {3, 7}, at::kLong);
  features["targets"] = at::randint(2, kVocab, {3, 6}, at::kLong);
  features["inputs"][2].slice(0, 4).zero_();
  features["targets"][0].slice(0, 5).zero_();
  return features;
}

struct Outcome {
  at::Tensor loss;
  at::Tensor logits;
  std::vector<at::Tensor> gradients;
};

Outcome RunModel(Model* model) {
  const Features batch = SomeBatch();
  at::manual_seed(11);
  Outcome outcome;
  outcome.loss = model->Loss(batch, Mode::kTrain).Total();
  outcome.gradients = torch::autograd::grad(
      {outcome.loss}, model->params().Trainable(), {}, std::nullopt,
      /*create_graph=*/false, /*allow_unused=*/true);
  outcome.logits = model->Logits(batch, Mode::kEval).detach();
  return outcome;
}

struct Case {
  const char* overrides;
  const char* layout;
  bool has_inputs = true;
  const char* set = "";  // transformer_base
};

void ExpectAsOneProcess(const Case& given) {
  for (const int64_t size : {2, 4}) {
    Job job(size);
    job.StartAll([&](ProcessGroup* group) {
      at::set_num_threads(1);
      const auto model =
          MakeModel(given.overrides, given.has_inputs, nullptr, given.set);
      const Outcome whole = RunModel(model.get());
      TensorParallelGroup parallel(
          group,
          Layout::Parse(given.layout,
                        Mesh::Parse("model:" + std::to_string(group->size()),
                                    group->size())));
      const auto own_model =
          MakeModel(given.overrides, given.has_inputs, &parallel, given.set);
      const Outcome own = RunModel(own_model.get());
      EXPECT_NEAR(own.loss.item<double>(), whole.loss.item<double>(), 1e-5);
      EXPECT_TRUE(at::allclose(own.logits, whole.logits, 1e-4, 1e-5));
      EXPECT_FALSE(parallel.shardings().empty());
      const auto& entries = model->params().entries();
      ASSERT_EQ(own_model->params().entries().size(), entries.size());
      for (size_t i = 0; i < entries.size(); ++i) {
        ASSERT_EQ(own_model->params().entries()[i].name, entries[i].name);
        at::Tensor expected = whole.gradients[i];
        const auto sharding = parallel.shardings().find(entries[i].name);
        ASSERT_EQ(own.gradients[i].defined(), expected.defined());
        if (!expected.defined()) continue;
        if (sharding != parallel.shardings().end()) {
          expected = parallel.Slice(expected, sharding->second);
        }
        EXPECT_TRUE(at::allclose(own.gradients[i], expected, 1e-3, 1e-6))
            << given.overrides << " " << given.layout << " " << entries[i].name
            << " differs by "
            << (own.gradients[i] - expected).abs().max().item<double>();
      }
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

TEST(TransformerParallelTest, LossAndGradientsOfOneProcess) {
  constexpr char kLength[] = "vocab:model;d_ff:model;heads:model;length:model";
  const std::vector<Case> cases = {
      {"", ""},
      {"", kLength},
      {"", "", false},
      {"", kLength, false},
      {"", "heads:model"},
      {"shared_embedding_and_softmax_weights=False,norm_type=l2", "d_ff:model"},
      // With padding.
      {"layer_preprocess_sequence=none,layer_postprocess_sequence=dan,"
       "pos=emb,max_length=8,proximity_bias=True",
       ""},
      {"self_attention_type=dot_product_relative_v2,max_relative_position=4",
       kLength},
      {"ffn_layer=local_moe,moe_num_experts=5,moe_k=2", ""},
      {"ffn_layer=local_moe,moe_num_experts=4,moe_k=1",
       "experts:model;length:model"},
      // T2T's models on a mesh.
      {"encoder_num_heads=4,decoder_num_heads=4",
       "vocab:model;d_ff:model;heads:model", true, kMeshSet},
      {"encoder_num_heads=4,decoder_num_heads=4,extra_logit=True,"
       "shared_embedding_and_softmax_weights=True",
       "batch:batch;heads:model", true, kMeshSet},
      {"num_heads=4", "vocab:model;d_ff:model;heads:model", true,
       kFirstMeshSet},
  };
  for (const Case& one : cases) ExpectAsOneProcess(one);
}

TEST(TransformerParallelTest, DecodesTogether) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    at::set_num_threads(1);
    const Features batch = SomeBatch();
    const auto decode = [&](Model* model) {
      const auto state = model->StartDecoding({{"inputs", batch.at("inputs")}});
      std::vector<at::Tensor> steps = {model->DecodeStep(state.get(), {})};
      steps.push_back(
          model->DecodeStep(state.get(), batch.at("targets").select(1, 0)));
      return at::stack(steps);
    };
    const at::Tensor whole = decode(MakeModel("", true).get());
    TensorParallelGroup parallel(group,
                                 Layout::Parse("", Mesh::Parse("model:2", 2)));
    EXPECT_TRUE(at::allclose(decode(MakeModel("", true, &parallel).get()),
                             whole, 1e-4, 1e-5));
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

}  // namespace
}  // namespace t2t
