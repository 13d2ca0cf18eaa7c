#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/ffn.h"
#include "t2t/nn/moe.h"
#include "t2t/nn/norm.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/parallel/sequence_parallel.h"
#include "t2t/parallel/tensor_parallel_group.h"
#include "t2t/parallel/vocab_parallel.h"

namespace t2t {
namespace {

// A block's function of x, to be summed up into a loss.
using Block = std::function<at::Tensor(const at::Tensor& x)>;
// Makes it in a scope; parallel: null where it is to be whole.
using Maker =
    std::function<Block(const Scope& scope, TensorParallelGroup* parallel)>;

struct Run {
  at::Tensor y;
  std::vector<at::Tensor> gradients;  // of x first
};

Run RunBlock(const ParamStore& store, const Block& block,
             const at::Tensor& input) {
  const at::Tensor x = input.detach().clone().set_requires_grad(true);
  at::manual_seed(17);
  Run run;
  run.y = block(x);
  const at::Tensor weights =
      at::arange(run.y.numel(), at::kFloat).mul(0.37).cos().view(run.y.sizes());
  std::vector<at::Tensor> leaves = store.Trainable();
  leaves.insert(leaves.begin(), x);
  run.gradients =
      torch::autograd::grad({(run.y * weights).sum()}, leaves, {}, std::nullopt,
                            /*create_graph=*/false, /*allow_unused=*/true);
  return run;
}

void ExpectNear(const at::Tensor& got, const at::Tensor& expected,
                const std::string& what) {
  ASSERT_EQ(got.sizes(), expected.sizes()) << what;
  EXPECT_TRUE(at::allclose(got, expected, 1e-4, 1e-5))
      << what << " differs by " << (got - expected).abs().max().item<double>();
}

// A block over 2 and over 4 ranks gives the values and gradients of one
// process.
void ExpectAsOneProcess(const std::string& name, const std::string& layout,
                        const at::IntArrayRef shape, const Maker& make) {
  for (const int64_t size : {2, 4}) {
    Job job(size);
    const std::vector<int64_t> sizes = shape.vec();
    job.StartAll([&](ProcessGroup* group) {
      at::set_num_threads(1);
      const Mesh mesh =
          Mesh::Parse("model:" + std::to_string(group->size()), group->size());
      TensorParallelGroup parallel(group, Layout::Parse(layout, mesh));
      at::manual_seed(3);
      const at::Tensor x = at::randn(sizes);
      const Initializer init = NormalInit(0.0, 0.4);
      ParamStore store(7);
      const Run whole =
          RunBlock(store, make(Scope(&store, "block", init), nullptr), x);
      ParamOptions options(7);
      options.tensor_parallel = &parallel;
      ParamStore own_store(options);
      const Run own = RunBlock(
          own_store, make(Scope(&own_store, "block", init), &parallel), x);
      ExpectNear(own.y, whole.y, name);
      ExpectNear(own.gradients[0], whole.gradients[0], name + ": x");
      ASSERT_EQ(own.gradients.size(), whole.gradients.size());
      for (size_t i = 0; i + 1 < whole.gradients.size(); ++i) {
        const std::string& parameter = store.entries()[i].name;
        const auto sharding = parallel.shardings().find(parameter);
        at::Tensor expected = whole.gradients[i + 1];
        at::Tensor value = store.entries()[i].tensor.detach();
        if (sharding != parallel.shardings().end()) {
          // The same initial values, and the way back.
          ExpectNear(
              parallel.Whole(own_store.entries()[i].tensor, sharding->second),
              value, parameter);
          value = parallel.Slice(value, sharding->second);
          if (expected.defined()) {
            expected = parallel.Slice(expected, sharding->second);
          }
        }
        EXPECT_TRUE(at::equal(own_store.entries()[i].tensor.detach(), value))
            << parameter;
        ASSERT_EQ(own.gradients[i + 1].defined(), expected.defined())
            << parameter;
        if (expected.defined()) {
          ExpectNear(own.gradients[i + 1], expected, name + ": " + parameter);
        }
      }
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

TEST(TensorParallelTest, ColumnsThenRows) {
  // 7 of the inner dimension: uneven over 2 and 4.
  ExpectAsOneProcess(
      "dense", "d_ff:model", {2, 3, 5},
      [](const Scope& scope, TensorParallelGroup* parallel) -> Block {
        const auto first = std::make_shared<ColumnParallelDense>(
            scope.Sub("a"), 5, 7, true, parallel);
        const auto second = std::make_shared<RowParallelDense>(
            scope.Sub("b"), 7, 4, true, parallel);
        return [=](const at::Tensor& x) {
          const at::Tensor in =
              parallel == nullptr ? x : parallel->Enter(x, true);
          return (*second)((*first)(in).tanh());
        };
      });
}

TEST(TensorParallelTest, FeedForward) {
  for (const bool broadcast : {false, true}) {
    FfnOptions options;
    options.hidden_size = 6;
    options.filter_size = 10;
    options.dropout = 0.3;
    if (broadcast) options.dropout_broadcast_dims = {1};
    ExpectAsOneProcess("ffn", "d_ff:model", {2, 3, 6},
                       [=](const Scope& scope, TensorParallelGroup*) -> Block {
                         const std::shared_ptr<Ffn> ffn =
                             MakeFfn(scope, options);
                         return [=](const at::Tensor& x) {
                           nn::Context context(/*is_training=*/true);
                           return ffn->Apply(x, {}, false, context);
                         };
                       });
  }
}

TEST(TensorParallelTest, Attention) {
  struct Kind {
    const char* type;
    bool threed;
    bool share;
    std::vector<int64_t> broadcast;
  };
  const std::vector<Kind> kinds = {
      {"dot_product", false, false, {}},
      {"dot_product", true, false, {0}},
      {"dot_product_relative", false, false, {}},
      {"dot_product_relative_v2", false, false, {}},
      {"dot_product_relative_v2", false, true, {1}},
      {"dot_product_unmasked_relative_v2", true, false, {}},
      {"local_relative_mask_right", false, false, {}}};
  for (const Kind& kind : kinds) {
    AttentionOptions options;
    options.input_size = 6;
    options.key_channels = options.value_channels = 20;
    options.output_size = 6;
    options.heads = 5;  // uneven
    options.dropout = 0.3;
    options.type = kind.type;
    options.max_relative_position = 3;
    options.variables_3d = kind.threed;
    options.heads_share_relative_embedding = kind.share;
    options.add_relative_to_values =
        std::string(kind.type).find("_v2") != std::string::npos;
    options.dropout_broadcast_dims = kind.broadcast;
    ExpectAsOneProcess(kind.type, "heads:model", {2, 4, 6},
                       [=](const Scope& scope, TensorParallelGroup*) -> Block {
                         const auto attention =
                             std::make_shared<MultiheadAttention>(scope,
                                                                  options);
                         return [=](const at::Tensor& x) {
                           return attention->SelfAttention(
                               x, {}, nn::Context(/*is_training=*/true));
                         };
                       });
  }
}

TEST(TensorParallelTest, AttentionToMemoryWithoutPadding) {
  AttentionOptions options;
  options.input_size = options.output_size = 6;
  options.key_channels = 8;
  options.value_channels = 12;
  options.heads = 4;
  options.dropout = 0.3;
  ExpectAsOneProcess(
      "ragged", "heads:model", {1, 7, 6},
      [=](const Scope& scope, TensorParallelGroup*) -> Block {
        const auto self =
            std::make_shared<MultiheadAttention>(scope.Sub("self"), options);
        const auto memory =
            std::make_shared<MultiheadAttention>(scope.Sub("memory"), options);
        return [=](const at::Tensor& x) {
          nn::Context context(/*is_training=*/true);
          const at::Tensor y = self->RaggedSelf(x, {0, 3, 7}, true, context);
          return memory->RaggedMemory(y, {0, 3, 7}, x, {0, 5, 7}, context) +
                 memory->MemoryAttention(x, y, {}, context);
        };
      });
}

// Norms and dropout each on their part of the length, around a split and a
// whole feed-forward layer, and around attention.
TEST(TensorParallelTest, SplitLength) {
  for (const std::string layout :
       {"length:model;d_ff:model;heads:model", "length:model"}) {
    for (const int64_t length : {4, 7, 1}) {
      ExpectAsOneProcess(
          layout, layout, {2, length, 6},
          [](const Scope& scope, TensorParallelGroup* parallel) -> Block {
            PrePostOptions around;
            around.depth = 6;
            around.dropout = 0.3;
            around.sequence = "nd";
            const auto before = std::make_shared<PrePost>(
                scope, "layer_prepostprocess", around);
            around.sequence = "daz";
            const auto after =
                std::make_shared<PrePost>(scope, "layer_postprocess", around);
            FfnOptions options;
            options.hidden_size = 6;
            options.filter_size = 9;
            options.dropout = 0.3;
            const std::shared_ptr<Ffn> ffn = MakeFfn(scope.Sub("f"), options);
            AttentionOptions heads;
            heads.input_size = heads.output_size = 6;
            heads.key_channels = heads.value_channels = 8;
            heads.heads = 4;
            heads.dropout = 0.3;
            const auto attention =
                std::make_shared<MultiheadAttention>(scope, heads);
            return [=](const at::Tensor& input) {
              const SequenceParallel sequence(parallel, input.size(1));
              nn::Context context(/*is_training=*/true);
              at::Tensor x = sequence.Split(input);
              x = (*after)(x,
                           attention->SelfAttention((*before)({}, x, context),
                                                    {}, context),
                           context);
              x = (*after)(
                  x, ffn->Apply((*before)({}, x, context), {}, false, context),
                  context);
              return sequence.Join(x);
            };
          });
    }
  }
}

TEST(TensorParallelTest, VocabularyEmbeddingAndLoss) {
  constexpr int64_t kClasses = 11;
  for (const double smoothing : {0.0, 0.1}) {
    ExpectAsOneProcess(
        "vocabulary", "vocab:model", {9, 6},
        [=](const Scope& scope, TensorParallelGroup* parallel) -> Block {
          const at::Tensor ids = at::tensor({0, 10, 3, 5, 5, 7, 1, 2, 9});
          const at::Tensor targets = at::tensor({1, 10, 0, 5, 6, 7, 8, 2, 0});
          const at::Tensor weights = at::tensor(
              {1.0F, 0.5F, 0.0F, 1.0F, 2.0F, 1.0F, 0.0F, 1.0F, 1.0F});
          if (parallel == nullptr) {
            const at::Tensor table = scope.Param("table", {kClasses, 6});
            return [=](const at::Tensor& x) {
              return FusedCrossEntropy(x + at::embedding(table, ids), table,
                                       targets, weights, smoothing);
            };
          }
          const TensorParallel::Sharding sharding = {{kClasses, 6}, 0, 1};
          const at::Tensor table =
              parallel->Param(scope, "table", sharding, scope.init());
          const ShardRange own = parallel->RangeOf(sharding, parallel->rank());
          return [=](const at::Tensor& x) {
            return VocabParallelCrossEntropy(
                *parallel,
                x + VocabParallelEmbedding(*parallel, table, own, ids), table,
                own, kClasses, targets, weights, smoothing);
          };
        });
  }
}

TEST(TensorParallelTest, Experts) {
  for (const std::string layout :
       {"experts:model", "experts:model;length:model", "length:model"}) {
    for (const int64_t length : {1, 5}) {
      ExpectAsOneProcess(
          layout, layout, {length, length, 6},
          [](const Scope& scope, TensorParallelGroup* parallel) -> Block {
            MixtureOptions options;
            options.hidden_size = 6;
            options.filter_size = 4;
            options.experts = 5;  // uneven
            options.experts_per_token = 2;
            const auto mixture =
                std::make_shared<MixtureOfExperts>(scope, options);
            return [=](const at::Tensor& x) {
              const SequenceParallel sequence(parallel, x.size(1));
              nn::Context context(/*is_training=*/true);
              const at::Tensor y =
                  sequence.Join((*mixture)(sequence.Split(x), context));
              return y + context.losses.by_name().at("extra");
            };
          });
    }
  }
}

TEST(TensorParallelTest, WhatCantBeSplit) {
  Job job(4);
  job.StartAll([](ProcessGroup* group) {
    TensorParallelGroup parallel(
        group, Layout::Parse("", Mesh::Parse("model:4", group->size())));
    const Initializer init = ZerosInit();
    ParamOptions options(1);
    options.tensor_parallel = &parallel;
    ParamStore store(options);
    const Scope scope(&store, "", init);
    AttentionOptions heads;
    heads.input_size = heads.output_size = heads.key_channels =
        heads.value_channels = 6;
    heads.heads = 3;
    EXPECT_THROW(MultiheadAttention(scope, heads), Error);
    FfnOptions ffn;
    ffn.hidden_size = 6;
    ffn.filter_size = 3;
    EXPECT_THROW(MakeFfn(scope, ffn), Error);
    ffn.type = "sru";
    EXPECT_THROW(MakeFfn(scope, ffn), Error);
    EXPECT_THROW(
        VocabParallelCrossEntropy(parallel, at::zeros({1, 2}),
                                  at::zeros({1, 2}), {group->rank(), 4}, 4,
                                  at::full({1}, 4, at::kLong), at::ones(1), 0),
        Error);
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

}  // namespace
}  // namespace t2t
