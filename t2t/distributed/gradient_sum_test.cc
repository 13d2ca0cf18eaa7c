#include "t2t/distributed/gradient_sum.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/distributed/testing_job.h"

namespace t2t {
namespace {

std::vector<std::pair<int64_t, int64_t>> Pairs(
    const std::vector<BatchRange>& ranges) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (const BatchRange& range : ranges) {
    pairs.emplace_back(range.begin, range.end);
  }
  return pairs;
}

TEST(ShardsTest, AreSpreadEvenlyAndOnce) {
  for (int64_t shards = 1; shards < 20; ++shards) {
    for (int64_t size = 1; size <= shards; ++size) {
      int64_t next = 0;
      for (int64_t rank = 0; rank < size; ++rank) {
        const BatchRange range = BatchesOfRank(shards, size, rank);
        EXPECT_EQ(range.begin, next);
        EXPECT_GE(range.size(), shards / size);
        EXPECT_LE(range.size(), shards / size + 1);
        next = range.end;
      }
      EXPECT_EQ(next, shards);
    }
  }
}

TEST(ShardsTest, NodesOfTheTree) {
  using P = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(Pairs(TreeNodes(4, {0, 4})), (P{{0, 4}}));
  EXPECT_EQ(Pairs(TreeNodes(4, {0, 2})), (P{{0, 2}}));
  EXPECT_EQ(Pairs(TreeNodes(4, {1, 4})), (P{{1, 2}, {2, 4}}));
  EXPECT_EQ(Pairs(TreeNodes(5, {0, 5})), (P{{0, 5}}));
  EXPECT_EQ(Pairs(TreeNodes(5, {3, 5})), (P{{3, 4}, {4, 5}}));
  EXPECT_EQ(Pairs(TreeNodes(7, {1, 6})), (P{{1, 2}, {2, 4}, {4, 6}}));
  EXPECT_EQ(Pairs(TreeNodes(1, {0, 1})), (P{{0, 1}}));
}

// Parameters and, for each shard and step, a loss of them; the last parameter
// is used by no shard, the one before it by shard 1 alone.
struct Toy {
  std::vector<at::Tensor> parameters;

  Toy() {
    int64_t seed = 1;
    for (const int64_t size : {5, 40, 1, 300, 7, 3}) {
      parameters.push_back(
          at::arange(1, size + 1, at::kFloat).mul(0.37 * double(seed++)).sin());
      parameters.back().requires_grad_();
    }
  }

  at::Tensor Loss(int64_t shard, int64_t step) const {
    at::Tensor loss = at::zeros({});
    for (size_t i = 0; i + 1 < parameters.size(); ++i) {
      if (i + 2 == parameters.size() && shard != 1) continue;
      const double a = 0.1 + 0.7 * double(shard) + 0.31 * double(step);
      loss = loss + (parameters[i] * a).sin().pow(3).sum() * parameters[2][0];
    }
    return loss;
  }

  std::vector<at::Tensor> Gradients(int64_t shard, int64_t step) const {
    return torch::autograd::grad({Loss(shard, step)}, parameters, {},
                                 std::nullopt, false, /*allow_unused=*/true);
  }
};

std::vector<at::Tensor> Sum(const Toy& toy, GradientSum* sum, int64_t step,
                            double scale) {
  for (const int64_t shard : sum->own_batches()) {
    sum->Backward(shard, [&] { toy.Gradients(shard, step); });
  }
  return sum->Finish(scale);
}

// The sum in one process: deterministic, in the tree's order, by hand.
at::Tensor TreeSum(const std::vector<at::Tensor>& leaves, size_t begin,
                   size_t end) {
  if (end - begin == 1) return leaves[begin];
  size_t half = 1;
  while (half * 2 < end - begin) half *= 2;
  return TreeSum(leaves, begin, begin + half) +
         TreeSum(leaves, begin + half, end);
}

std::vector<at::Tensor> Expected(const Toy& toy, int64_t shards, int64_t step,
                                 double scale) {
  std::vector<at::Tensor> sums;
  for (size_t i = 0; i < toy.parameters.size(); ++i) {
    std::vector<at::Tensor> leaves;
    for (int64_t shard = 0; shard < shards; ++shard) {
      const at::Tensor leaf = toy.Gradients(shard, step)[i];
      leaves.push_back(leaf.defined() ? leaf
                                      : at::zeros_like(toy.parameters[i]));
    }
    sums.push_back(TreeSum(leaves, 0, leaves.size()) * scale);
  }
  return sums;
}

void ExpectSums(const std::vector<at::Tensor>& got,
                const std::vector<at::Tensor>& expected, bool same_bits) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(same_bits ? at::equal(got[i], expected[i])
                          : at::allclose(got[i], expected[i], 1e-5, 1e-6))
        << i << "\n"
        << got[i] << "\n"
        << expected[i];
  }
}

TEST(GradientSumTest, RanksAddUpTheSameWithAnyNumberOfThem) {
  for (const bool deterministic : {true, false}) {
    for (const int64_t size : {1, 2, 3, 4}) {
      for (const int64_t shards : {5, 8}) {
        Job job(size);
        job.StartAll([=](ProcessGroup* group) {
          at::set_num_threads(1);
          const Toy toy;
          GradientSum::Options options;
          options.deterministic = deterministic;
          options.bucket_bytes = 256;
          GradientSum sum(toy.parameters, shards, group, options);
          for (const int64_t step : {0, 1, 2}) {
            ExpectSums(Sum(toy, &sum, step, 0.125),
                       Expected(toy, shards, step, 0.125), deterministic);
            EXPECT_FALSE(sum.used().back());
            const std::vector<int64_t>& own = sum.own_batches();
            EXPECT_EQ(sum.used()[4],
                      std::find(own.begin(), own.end(), 1) != own.end());
            EXPECT_TRUE(sum.used()[0]);
          }
          if (group != nullptr) group->Barrier("the end");
        });
        job.ExpectAllWell();
      }
    }
  }
}

// The leaves' absolute values, added up: what rounding errors are measured by.
std::vector<at::Tensor> Magnitudes(const Toy& toy, int64_t shards,
                                   double scale) {
  std::vector<at::Tensor> sums;
  for (const at::Tensor& parameter : toy.parameters) {
    sums.push_back(at::zeros_like(parameter));
  }
  for (int64_t shard = 0; shard < shards; ++shard) {
    const std::vector<at::Tensor> gradients = toy.Gradients(shard, 0);
    for (size_t i = 0; i < sums.size(); ++i) {
      if (gradients[i].defined()) {
        sums[i].add_(gradients[i].abs(), scale);
      }
    }
  }
  return sums;
}

std::shared_ptr<const Partition> Owners(const Toy& toy, int64_t ranks,
                                        int64_t cut) {
  std::vector<int64_t> sizes;
  for (const at::Tensor& parameter : toy.parameters) {
    sizes.push_back(parameter.numel());
  }
  return std::make_shared<Partition>(
      sizes, Partition::Options{256, ranks, Partition::Shards::kOwners, cut});
}

TEST(GradientSumTest, OwnersHaveTheSameSumOfTheirRuns) {
  for (const int64_t size : {2, 3}) {
    Job job(size);
    job.StartAll([=](ProcessGroup* group) {
      at::set_num_threads(1);
      const Toy toy;
      for (int variant = 0; variant < 8; ++variant) {
        GradientSum::Options options;
        options.deterministic = (variant & 1) != 0;
        options.release = (variant & 2) != 0;
        options.owners = Owners(toy, size, (variant & 4) != 0 ? 16 : 0);
        for (const int64_t shards : {4, 5}) {
          GradientSum sum(toy.parameters, shards, group, options);
          const std::vector<Partition::Run>& runs = sum.runs();
          for (const int64_t step : {0, 1}) {
            const std::vector<at::Tensor> whole =
                Expected(toy, shards, step, 0.125);
            const std::vector<at::Tensor> got = Sum(toy, &sum, step, 0.125);
            ASSERT_EQ(got.size(), runs.size());
            std::vector<at::Tensor> expected;
            for (size_t i = 0; i < runs.size(); ++i) {
              expected.push_back(whole[runs[i].parameter]
                                     .flatten()
                                     .narrow(0, runs[i].begin, runs[i].size)
                                     .view(got[i].sizes()));
            }
            ExpectSums(got, expected, options.deterministic || options.release);
          }
        }
      }
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

TEST(GradientSumTest, Bf16IsNearAndTheSameOnAllRanks) {
  for (const int64_t size : {2, 3}) {
    Job job(size);
    job.StartAll([=](ProcessGroup* group) {
      at::set_num_threads(1);
      const Toy toy;
      constexpr int64_t kShards = 4;
      const std::vector<at::Tensor> whole = Expected(toy, kShards, 0, 0.125);
      const std::vector<at::Tensor> magnitudes =
          Magnitudes(toy, kShards, 0.125);
      for (int variant = 0; variant < 3; ++variant) {
        GradientSum::Options options;
        options.bucket_bytes = 256;
        options.bf16 = true;
        options.release = variant == 2;
        if (variant > 0) options.owners = Owners(toy, size, 16);
        GradientSum sum(toy.parameters, kShards, group, options);
        for (int step = 0; step < 2; ++step) {
          const std::vector<at::Tensor> got = Sum(toy, &sum, 0, 0.125);
          double worst = 0;
          for (size_t i = 0; i < got.size(); ++i) {
            const Partition::Run& run = sum.runs()[i];
            const auto part = [&](const std::vector<at::Tensor>& tensors) {
              return tensors[run.parameter].flatten().narrow(0, run.begin,
                                                             run.size);
            };
            // Each number is rounded once, to 8 bits, or twice.
            const at::Tensor error = (got[i].flatten() - part(whole)).abs();
            const at::Tensor limit =
                part(magnitudes) * (variant == 0 ? 0.0079 : 0.0040) + 1e-9;
            EXPECT_TRUE(error.le(limit).all().item<bool>()) << variant << "\n"
                                                            << error << "\n"
                                                            << limit;
            worst = std::max(worst, error.max().item<double>());
            if (variant > 0) continue;
            const at::Tensor all =
                group->AllGather(got[i].contiguous(), "comparing");
            EXPECT_TRUE(at::equal(all, all[0].expand_as(all)));
          }
          EXPECT_GT(worst, 0);
        }
      }
      GradientSum::Options options;
      options.bf16 = options.deterministic = true;
      try {
        GradientSum sum(toy.parameters, kShards, group, options);
        ADD_FAILURE();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kUsage);
      }
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

TEST(GradientSumTest, ReleasedGradientsNeedLittleMemory) {
  constexpr int64_t kRanks = 4;
  Job job(kRanks);
  job.StartAll([](ProcessGroup* group) {
    at::set_num_threads(1);
    std::vector<at::Tensor> parameters;
    for (int i = 0; i < 40; ++i) {
      parameters.push_back(at::ones(4096).requires_grad_());
    }
    constexpr int64_t kAll = 40 * 4096 * sizeof(float);
    const Partition::Options owners{1 << 14, kRanks, Partition::Shards::kOwners,
                                    1024};
    for (const int stage : {0, 1, 2}) {
      GradientSum::Options options;
      options.bucket_bytes = 1 << 14;
      if (stage > 0) {
        options.owners =
            std::make_shared<Partition>(std::vector<int64_t>(40, 4096), owners);
      }
      options.release = stage == 2;
      GradientSum sum(parameters, 2 * kRanks, group, options);
      for (const int64_t shard : sum.own_batches()) {
        sum.Backward(shard, [&] {
          at::Tensor x = at::ones(4096);
          for (const at::Tensor& parameter : parameters) x = x * parameter;
          torch::autograd::grad({x.sum()}, parameters);
        });
      }
      for (const at::Tensor& gradient : sum.Finish(0.125)) {
        EXPECT_TRUE(at::equal(gradient, at::ones_like(gradient)));
      }
      if (group->rank() == 0) {
        std::printf("stage %d: %d bytes of gradients at most, %d in the end\n",
                    stage, static_cast<int>(sum.peak_bytes()),
                    static_cast<int>(sum.bytes()));
      }
      if (stage < 2) {
        EXPECT_GE(sum.peak_bytes(), kAll);
        EXPECT_LT(sum.peak_bytes(), kAll * 5 / 4);
        continue;
      }
      EXPECT_LT(sum.peak_bytes(), kAll / 2);
      EXPECT_EQ(sum.bytes(), kAll / kRanks);
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST(GradientSumTest, SumsGoBackToAllWhileOthersAreStillMade) {
  constexpr int64_t kRanks = 2;
  Job job(kRanks);
  job.StartAll([](ProcessGroup* group) {
    at::set_num_threads(1);
    std::vector<at::Tensor> parameters;
    for (int i = 0; i < 40; ++i) {
      parameters.push_back(at::full(4096, 0.5 + i).requires_grad_());
    }
    constexpr int64_t kAll = 40 * 4096 * sizeof(float);
    for (const bool bf16 : {false, true}) {
      GradientSum::Options options;
      options.bucket_bytes = 1 << 14;
      options.deterministic = !bf16;
      options.bf16 = bf16;
      GradientSum sum(parameters, kRanks, group, options);
      for (int step = 1; step < 3; ++step) {
        sum.Backward(group->rank(), [&] {
          at::Tensor loss = at::zeros({});
          for (const at::Tensor& parameter : parameters) {
            loss = loss + parameter.square().sum() * step;
          }
          const std::vector<at::Tensor> left =
              torch::autograd::grad({loss}, parameters);
          // Nothing is kept but what is in the buckets.
          for (const at::Tensor& gradient : left) {
            EXPECT_EQ(gradient.storage().nbytes(), sizeof(float));
          }
        });
        const std::vector<at::Tensor> sums = sum.Finish(0.25);
        for (size_t i = 0; i < sums.size(); ++i) {
          EXPECT_TRUE(at::equal(sums[i], parameters[i].detach() * step)) << i;
        }
      }
      // A few buckets on the way, and what they become.
      EXPECT_GE(sum.peak_bytes(), kAll);
      EXPECT_LT(sum.peak_bytes(), kAll * 5 / 4);
      EXPECT_LT(sum.bytes(), kAll * 17 / 16);
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST(GradientSumTest, MoreRanksThanShards) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    const Toy toy;
    try {
      GradientSum sum(toy.parameters, 1, group, {});
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(error.what()).find("--virtual_ranks=2"),
                std::string::npos);
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

// Last: no process is forked after it.
TEST(GradientSumTest, WithoutAGroup) {
  const Toy toy;
  for (const bool deterministic : {true, false}) {
    GradientSum::Options options;
    options.deterministic = deterministic;
    GradientSum sum(toy.parameters, 3, nullptr, options);
    ExpectSums(Sum(toy, &sum, 2, 1.0), Expected(toy, 3, 2, 1.0), deterministic);
  }
  // Another's backward passes are none of its business.
  GradientSum sum(toy.parameters, 1, nullptr, {});
  const std::vector<at::Tensor> gradients = Sum(toy, &sum, 1, 1.0);
  const at::Tensor before = gradients[0].clone();
  toy.Gradients(2, 2);
  EXPECT_TRUE(at::equal(gradients[0], before));
}

}  // namespace
}  // namespace t2t
