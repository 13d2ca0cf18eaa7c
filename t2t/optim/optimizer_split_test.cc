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

struct Case {
  std::vector<int64_t> shape;
  int64_t dim;  // -1: both have all of it
  int64_t middle;
};
using Cases = std::map<std::string, Case>;

// The rank's half of a parameter or gradient.
at::Tensor HalfOfTensor(const Case& test, const at::Tensor& tensor,
                        size_t rank) {
  if (test.dim < 0) return tensor.clone();
  return (rank == 0 ? tensor.narrow(test.dim, 0, test.middle)
                    : tensor.narrow(test.dim, test.middle,
                                    test.shape[test.dim] - test.middle))
      .clone(at::MemoryFormat::Contiguous);
}

// Optimizers of one process and of two ranks, on the same parameters and
// gradients.
class SplitTraining {
 public:
  SplitTraining(const HParams& hparams, const Cases& cases)
      : hparams_(hparams), cases_(cases), noise_(hparams.Has("weight_noise")) {
    at::manual_seed(11);
    for (const auto& [name, test] : cases_) {
      whole_.push_back({name, at::randn(test.shape)});
      for (size_t rank : {0, 1}) {
        halves_[rank].push_back(
            {name, HalfOfTensor(test, whole_.back().tensor, rank)});
      }
      for (auto& of_step : gradients_) {
        of_step.push_back(at::randn(test.shape));
      }
    }
  }

  void TrainWhole() {
    at::manual_seed(5);
    const std::unique_ptr<Optimizer> optimizer =
        MakeOptimizer(hparams_, whole_);
    Optimizer::TotalSquares total;
    if (noise_) total = [](const std::vector<double>&) { return 1.0; };
    Train(
        optimizer.get(), [&](size_t step) { return gradients_[step]; }, total);
  }

  void TrainHalves() {
    if (!noise_) {
      std::thread other([&] { TrainRank(1); });
      TrainRank(0);
      other.join();
      return;
    }
    // Noise comes from the one generator of both threads: there the ranks train
    // one after the other.
    for (size_t rank : {0, 1}) {
      at::manual_seed(5);
      TrainRank(rank);
    }
  }

  void ExpectSame() const {
    size_t i = 0;
    for (const auto& [name, test] : cases_) {
      const at::Tensor& first = halves_[0][i].tensor;
      const at::Tensor& second = halves_[1][i].tensor;
      const at::Tensor found =
          test.dim < 0 ? first : at::cat({first, second}, test.dim);
      EXPECT_LT((found - whole_[i].tensor).abs().max().item<double>(), 2e-6)
          << hparams_.GetString("optimizer") << " " << name;
      if (test.dim < 0) EXPECT_TRUE(at::equal(first, second)) << name;
      ++i;
    }
  }

 private:
  template <typename GradientsOf>
  void Train(Optimizer* optimizer, const GradientsOf& gradients_of,
             const Optimizer::TotalSquares& total) const {
    for (size_t step = 0; step < gradients_.size(); ++step) {
      optimizer->AddWeightNoise(1.0);
      optimizer->Step(gradients_of(step), 0.1, static_cast<int64_t>(step),
                      total);
    }
  }

  void TrainRank(size_t rank) {
    std::map<std::string, OptimizerShards::Shard> shards;
    for (const auto& [name, test] : cases_) {
      if (test.dim < 0) continue;
      shards[name] = {test.shape, test.dim, rank == 0 ? 0 : test.middle};
    }
    const HalfOf split(rank, shards, &meeting_);
    const std::unique_ptr<Optimizer> optimizer =
        MakeOptimizer(hparams_, halves_[rank]);
    optimizer->SetShards(&split);
    const auto own_gradients = [&](size_t step) {
      std::vector<at::Tensor> own;
      size_t i = 0;
      for (const auto& [name, test] : cases_) {
        own.push_back(HalfOfTensor(test, gradients_[step][i++], rank));
      }
      return own;
    };
    Train(optimizer.get(), own_gradients,
          [&](const std::vector<double>& squares) {
            return TotalOf(squares, split);
          });
  }

  // squares: one number a parameter.
  double TotalOf(const std::vector<double>& squares,
                 const HalfOf& split) const {
    if (noise_) return 1.0;
    const at::Tensor own = at::zeros(1, at::kDouble);
    double common = 0;
    size_t i = 0;
    for (const auto& [name, test] : cases_) {
      if (test.dim < 0) {
        common += squares[i++];
      } else {
        own.add_(squares[i++]);
      }
    }
    split.Sum(own);
    return common + own.item<double>();
  }

  const HParams& hparams_;
  const Cases& cases_;
  const bool noise_;
  std::vector<NamedTensor> whole_;
  std::vector<NamedTensor> halves_[2];
  std::vector<std::vector<at::Tensor>> gradients_{4};
  Meeting meeting_;
};

std::vector<HParams> Variants() {
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
  return variants;
}

// What two optimizers do with halves of parameters is what one does with the
// whole ones.
TEST(OptimizerSplitTest, HalvesOfParametersAreUpdatedAsTheWhole) {
  const Cases cases = {
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
  for (const HParams& hparams : Variants()) {
    SplitTraining training(hparams, cases);
    training.TrainWhole();
    training.TrainHalves();
    training.ExpectSame();
  }
}

}  // namespace
}  // namespace t2t
