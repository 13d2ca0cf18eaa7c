// A Transformer on a device that is not the CPU: see strict_device.h. What only
// a GPU can show (its kernels, NCCL) is not shown.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/ops/cuda/strict_device.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"
#include "t2t/train/trainer.h"
#include "tests/device/toy_training.h"

namespace t2t {
namespace {

constexpr int64_t kVocabulary = 20;

// Where the model is made while it lives.
class On {
 public:
  explicit On(bool strict) {
    if (!strict) return;
    SetComputeDevice(StrictDevice());
    SetDeviceKernels(&StrictDeviceKernels());
  }
  ~On() {
    SetComputeDevice(at::kCPU);
    SetDeviceKernels(nullptr);
  }
};

std::unique_ptr<Model> MakeModel(const std::string& changes) {
  return MakeToyTransformer(kVocabulary,
                            "filter_size=24,num_heads=2," + changes);
}

const char kNoDropout[] =
    "layer_prepostprocess_dropout=0,attention_dropout=0,relu_dropout=0";

void Train(Model* model, const std::string& folder, int64_t steps) {
  TrainerOptions options;
  options.output_dir = folder;
  options.train_steps = steps;
  options.ema_decay = 0.9;
  Trainer trainer(model, options,
                  [](uint64_t) { return std::make_unique<ToyInput>(); });
  trainer.Restore();
  trainer.Train();
}

void ExpectNear(const at::Tensor& a, const at::Tensor& b,
                const std::string& what) {
  EXPECT_TRUE(at::allclose(a.cpu(), b.cpu(), 1e-4, 2e-5))
      << what << ": " << (a.cpu() - b.cpu()).abs().max().item<double>();
}

TEST(OtherDeviceTest, TrainsAsTheCpuDoes) {
  at::set_num_threads(1);
  const std::string folder = MakeTempDirectory("device");
  for (const std::string optimizer : {"adam", "momentum", "sgd", "adamw"}) {
    const std::string changes =
        std::string(kNoDropout) + ",clip_grad_norm=0.5,optimizer=" + optimizer;
    std::vector<Checkpoint> ends;
    for (const bool strict : {false, true}) {
      const std::string own =
          JoinPath(folder, optimizer + (strict ? "_strict" : "_cpu"));
      const On on(strict);
      // In two runs: what is saved is what goes on.
      Train(MakeModel(changes).get(), own, 2);
      Train(MakeModel(changes).get(), own, 4);
      ends.push_back(*LoadLatestCheckpoint(own));
    }
    EXPECT_EQ(ends[0].step, 4);
    ASSERT_EQ(ends[0].tensors.size(), ends[1].tensors.size());
    for (const auto& [name, tensor] : ends[0].tensors) {
      ExpectNear(tensor, ends[1].tensors.at(name), optimizer + ", " + name);
    }
  }
}

// What is dropped is the same on every device.
TEST(OtherDeviceTest, TrainsWithDropoutAsTheCpuDoes) {
  at::set_num_threads(1);
  const std::string folder = MakeTempDirectory("device");
  // With proximity_bias the CPU computes with padding, too.
  const std::string rates =
      "proximity_bias=True,"
      "layer_prepostprocess_dropout=0.3,attention_dropout=0.2,relu_dropout=0.1";
  for (const std::string more :
       {"", ",layer_prepostprocess_dropout_broadcast_dims=1"}) {
    std::vector<Checkpoint> ends;
    for (const bool strict : {false, true}) {
      const On on(strict);
      const auto model = MakeModel(rates + more);
      EXPECT_EQ(model->params().entries().front().tensor.is_cpu(), !strict);
      const std::string own =
          JoinPath(folder, (strict ? "strict" : "cpu") + more);
      Train(model.get(), own, 2);
      ends.push_back(*LoadLatestCheckpoint(own));
    }
    for (const auto& [name, tensor] : ends[0].tensors) {
      ExpectNear(tensor, ends[1].tensors.at(name), more + " " + name);
    }
  }
}

TEST(OtherDeviceTest, DropsOutWhatTheCpuDoes) {
  at::set_num_threads(1);
  const On on(true);
  const at::Tensor x = at::arange(1, 61, at::kFloat).view({5, 12});
  const at::Tensor residual = at::full({5, 12}, 0.5);
  // Columns 2 to 6 of a whole of 12.
  const DropoutShard part = ShardAlong(2, 5, 12, 1);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto run = [&](bool strict) {
      const auto here = [&](const at::Tensor& tensor) {
        const at::Tensor own = tensor.to(type);
        return strict ? own.to(StrictDevice()) : own;
      };
      const at::Generator rng = at::make_generator<at::CPUGeneratorImpl>(5);
      const at::Tensor input = here(x).set_requires_grad(true);
      const std::vector<at::Tensor> results = {
          Dropout(input, 0.4, rng),
          DropoutAdd(input, here(residual), 0.4, rng),
          ReluDropout(input - 20, 0.4, rng),
          Dropout(input, 0.4, rng, {0}),
          Dropout(input.narrow(1, 2, 5), 0.4, rng, {}, part),
      };
      std::vector<at::Tensor> numbers;
      for (const at::Tensor& result : results) {
        EXPECT_EQ(result.device(), input.device());
        numbers.push_back(result.detach().cpu().to(at::kFloat));
        numbers.push_back(
            torch::autograd::grad({result.sum()}, {input})[0].cpu().to(
                at::kFloat));
      }
      return numbers;
    };
    const std::vector<at::Tensor> cpu = run(false);
    const std::vector<at::Tensor> strict = run(true);
    for (size_t i = 0; i < cpu.size(); ++i) {
      EXPECT_TRUE(at::equal(cpu[i].eq(0), strict[i].eq(0))) << type << " " << i;
      EXPECT_TRUE(type == at::kFloat ? at::equal(cpu[i], strict[i])
                                     : at::allclose(cpu[i], strict[i], 0.01))
          << type << " " << i;
    }
  }
}

TEST(OtherDeviceTest, EvaluatesAndDecodesAsTheCpuDoes) {
  at::set_num_threads(1);
  const at::NoGradGuard no_grad;
  const at::Tensor inputs = at::randint(2, kVocabulary, {3, 5}, at::kLong);
  std::vector<std::map<std::string, double>> results;
  std::vector<std::vector<at::Tensor>> logits(2);
  for (const bool strict : {false, true}) {
    const On on(strict);
    const auto model = MakeModel("");
    ToyInput data(3);
    results.push_back(EvaluateModel(
        model.get(), &data,
        {"accuracy", "accuracy_top5", "neg_log_perplexity", "rouge_L_fscore"},
        0));
    const auto state = model->StartDecoding({{"inputs", inputs}});
    at::Tensor ids;
    for (int step = 0; step < 4; ++step) {
      const at::Tensor next = model->DecodeStep(state.get(), ids).cpu();
      logits[strict ? 1 : 0].push_back(next);
      ids = next.argmax(1);
      const at::Tensor rows = at::tensor({2, 0, 0}, at::kLong);
      state->Select(rows);
      ids = ids.index_select(0, rows);
    }
  }
  for (const auto& [name, value] : results[0]) {
    EXPECT_NEAR(results[1].at(name), value, 1e-5) << name;
  }
  for (size_t step = 0; step < logits[0].size(); ++step) {
    ExpectNear(logits[0][step], logits[1][step],
               "step " + std::to_string(step));
  }
}

// An encoder's state, areas of its outputs, and a start from nothing.
TEST(OtherDeviceTest, LstmDecodesAsTheCpuDoes) {
  struct Case {
    const char* model;
    const char* set;
    bool has_inputs;
  };
  at::set_num_threads(1);
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::randint(2, kVocabulary, {3, 5}, at::kLong);
  for (const Case& given :
       {Case{"lstm_seq2seq", "lstm_seq2seq", true},
        Case{"lstm_seq2seq", "lstm_seq2seq", false},
        Case{"lstm_seq2seq_attention", "lstm_area_attention_base", true}}) {
    ProblemInfo info;
    info.features["targets"].vocab_size = kVocabulary;
    if (given.has_inputs) info.features["inputs"].vocab_size = kVocabulary;
    const Features features = {{given.has_inputs ? "inputs" : "targets", ids}};
    std::vector<std::vector<at::Tensor>> logits(2);
    for (const bool strict : {false, true}) {
      const On on(strict);
      const auto model = Models().Get(given.model)(
          MakeHParams(given.set, "hidden_size=8"), info,
          /*seed=*/3);
      const auto state = model->StartDecoding(features);
      at::Tensor last;
      for (int step = 0; step < 3; ++step) {
        const at::Tensor next = model->DecodeStep(state.get(), last).cpu();
        logits[strict ? 1 : 0].push_back(next);
        const at::Tensor rows = at::tensor({2, 0, 0}, at::kLong);
        state->Select(rows);
        last = next.argmax(1).index_select(0, rows);
      }
    }
    for (size_t step = 0; step < logits[0].size(); ++step) {
      ExpectNear(logits[0][step], logits[1][step],
                 given.model + (" step " + std::to_string(step)));
    }
  }
}

TEST(OtherDeviceTest, OptimizersWithoutDeviceCodeAreRefused) {
  const On on(true);
  const auto model = MakeModel("optimizer=adafactor");
  try {
    MakeOptimizer(model->hparams(), {});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("optimizer=adafactor"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace t2t
