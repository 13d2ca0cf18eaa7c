// Optimizers of tensor parallel models, which update shards of parameters.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <barrier>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/optim/optimizer.h"

namespace t2t {
namespace {

// Two ranks, each a thread.
struct Meeting {
  std::barrier<> barrier{2};
  at::Tensor numbers[2];
};

class HalfOf : public OptimizerShards {
 public:
  HalfOf(size_t rank, std::map<std::string, Shard> shards, Meeting* meeting)
      : rank_(rank), shards_(std::move(shards)), meeting_(meeting) {}

  std::optional<Shard> ShardOf(const std::string& name) const override {
    const auto found = shards_.find(name);
    if (found == shards_.end()) return std::nullopt;
    return found->second;
  }
  void Sum(const at::Tensor& numbers) const override {
    EXPECT_EQ(numbers.scalar_type(), at::kDouble);
    meeting_->numbers[rank_] = numbers.clone();
    meeting_->barrier.arrive_and_wait();
    numbers.copy_(meeting_->numbers[0] + meeting_->numbers[1]);
    meeting_->barrier.arrive_and_wait();
  }

 private:
  const size_t rank_;
  const std::map<std::string, Shard> shards_;
  Meeting* const meeting_;
};

HParams BaseHParams(const std::string& optimizer) {
  const Json golden =
      Json::Parse(ReadFile("tests/golden/optim/optimizers.json"));
  HParams hparams =
      HParams::FromJson(golden.At("cases").items().at(0).At("hparams"));
  hparams.Set("optimizer", optimizer);
  return hparams;
}

// What two optimizers do with halves of parameters is what one does with the
// whole ones.
TEST(OptimizerSplitTest, HalvesOfParametersAreUpdatedAsTheWhole) {
  struct Case {
    std::vector<int64_t> shape;
    int64_t dim;  // -1: both have all of it
    int64_t middle;
  };
  const std::map<std::string, Case> cases = {
      {"m/body/rows", {{6, 5}, 0, 2}},
      {"m/body/columns", {{5, 7}, 1, 4}},
      {"m/body/experts", {{3, 4, 5}, 0, 1}},
      {"m/body/rows3", {{2, 4, 5}, 1, 1}},
      {"m/body/columns3", {{2, 3, 6}, 2, 3}},
      {"m/body/bias", {{9}, 0, 5}},
      {"m/body/norm", {{4}, -1, 0}},
      {"m/body/whole", {{3, 3}, -1, 0}},
      // What T2T cuts into 4, 3, 3 and 3 rows.
      {"m/symbol_modality_13_5/shared/weights", {{13, 5}, 0, 5}}};
  std::vector<HParams> variants;
  for (const char* const name :
       {"adam", "adafactor", "yellow_fin", "momentum"}) {
    variants.push_back(BaseHParams(name));
    variants.back().Set("optimizer_adafactor_multiply_by_parameter_scale",
                        true);
    variants.back().Set("clip_grad_norm", 1.5);
  }
  variants.push_back(variants[1]);
  variants.back().Set("optimizer_adafactor_beta1", 0.9);
  variants.push_back(variants[1]);
  variants.back().Set("optimizer_adafactor_factored", false);
  for (const bool factored : {true, false}) {
    variants.push_back(variants[1]);
    variants.back().Add("symbol_modality_num_shards", 4);
    variants.back().Set("optimizer_adafactor_factored", factored);
  }
  variants.push_back(variants[0]);
  variants.back().Set("optimizer_multistep_accumulate_steps", 2);
  variants.back().Set("weight_decay", 0.1);
  variants.push_back(variants[0]);
  variants.back().Add("grad_noise_scale", 0.1);
  variants.back().Add("weight_noise", 10.0);
  for (const HParams& hparams : variants) {
    at::manual_seed(11);
    std::vector<NamedTensor> whole;
    std::vector<std::vector<at::Tensor>> gradients(4);
    for (const auto& [name, test] : cases) {
      whole.push_back({name, at::randn(test.shape)});
      for (auto& of_step : gradients) of_step.push_back(at::randn(test.shape));
    }
    const auto part = [&](const Case& test, const at::Tensor& tensor,
                          size_t rank) {
      if (test.dim < 0) return tensor.clone();
      return (rank == 0 ? tensor.narrow(test.dim, 0, test.middle)
                        : tensor.narrow(test.dim, test.middle,
                                        test.shape[test.dim] - test.middle))
          .clone(at::MemoryFormat::Contiguous);
    };
    const auto train = [&](Optimizer* optimizer, const auto& gradient_of,
                           const auto& norm_of) {
      for (size_t step = 0; step < gradients.size(); ++step) {
        optimizer->AddWeightNoise(1.0);
        optimizer->Step(gradient_of(step), 0.1, static_cast<int64_t>(step),
                        norm_of);
      }
    };
    std::vector<NamedTensor> parts[2];
    Meeting meeting;
    // Noise comes from the one generator of both threads: there the ranks
    // train one after the other.
    const bool noise = hparams.Has("weight_noise");
    const auto rank_trains = [&](size_t rank) {
      std::map<std::string, OptimizerShards::Shard> places;
      for (const auto& [name, test] : cases) {
        if (test.dim < 0) continue;
        places[name] = {test.shape, test.dim, rank == 0 ? 0 : test.middle};
      }
      const HalfOf split(rank, places, &meeting);
      const std::unique_ptr<Optimizer> optimizer =
          MakeOptimizer(hparams, parts[rank]);
      optimizer->SetShards(&split);
      train(
          optimizer.get(),
          [&](size_t step) {
            std::vector<at::Tensor> own;
            size_t i = 0;
            for (const auto& [name, test] : cases) {
              own.push_back(part(test, gradients[step][i++], rank));
            }
            return own;
          },
          [&](const std::vector<double>& squares) {
            // One piece a parameter.
            at::Tensor own = at::zeros(1, at::kDouble);
            double common = 0;
            size_t i = 0;
            for (const auto& [name, test] : cases) {
              if (test.dim < 0) {
                common += squares[i++];
              } else {
                own += squares[i++];
              }
            }
            if (noise) return 1.0;
            split.Sum(own);
            return common + own.item<double>();
          });
    };
    size_t i = 0;
    for (const auto& [name, test] : cases) {
      for (size_t rank : {0, 1}) {
        parts[rank].push_back({name, part(test, whole[i].tensor, rank)});
      }
      ++i;
    }
    at::manual_seed(5);
    const std::unique_ptr<Optimizer> optimizer = MakeOptimizer(hparams, whole);
    Optimizer::TotalSquares total;
    if (noise) total = [](const std::vector<double>&) { return 1.0; };
    train(
        optimizer.get(), [&](size_t step) { return gradients[step]; }, total);
    if (noise) {
      for (size_t rank : {0, 1}) {
        at::manual_seed(5);
        rank_trains(rank);
      }
    } else {
      std::thread other(rank_trains, 1);
      rank_trains(0);
      other.join();
    }
    i = 0;
    for (const auto& [name, test] : cases) {
      const at::Tensor& expected = whole[i].tensor;
      const at::Tensor found =
          test.dim < 0
              ? parts[0][i].tensor
              : at::cat({parts[0][i].tensor, parts[1][i].tensor}, test.dim);
      EXPECT_LT((found - expected).abs().max().item<double>(), 2e-6)
          << hparams.GetString("optimizer") << " " << name;
      if (test.dim < 0) {
        EXPECT_TRUE(at::equal(parts[0][i].tensor, parts[1][i].tensor)) << name;
      }
      ++i;
    }
  }
}

}  // namespace
}  // namespace t2t
