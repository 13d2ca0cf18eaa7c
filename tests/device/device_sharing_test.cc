// Ranks that share out a Transformer on a device that is not the CPU (see
// strict_device.h, strict_backend.h) train, save, go on and evaluate as on the
// CPU. NCCL and a GPU's streams are not shown.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/ops/cuda/device.h"
#include "t2t/ops/cuda/strict_backend.h"
#include "t2t/ops/cuda/strict_device.h"
#include "t2t/ops/device.h"
#include "t2t/train/tensor_parallel_mesh.h"
#include "t2t/train/trainer.h"
#include "tests/device/toy_training.h"

namespace t2t {
namespace {

constexpr int64_t kVocabulary = 21;
constexpr int64_t kBatches = 4;  // a step
constexpr char kNoDropout[] =
    "layer_prepostprocess_dropout=0,attention_dropout=0,relu_dropout=0";

// Of this process and those it starts.
class On {
 public:
  explicit On(bool strict) {
    if (!strict) return;
    SetComputeDevice(StrictDevice());
    SetDeviceKernels(&StrictDeviceKernels());
    SetDeviceBackendMaker(MakeStrictBackend);
  }
  ~On() {
    SetComputeDevice(at::kCPU);
    SetDeviceKernels(nullptr);
    SetDeviceBackendMaker(nullptr);
  }
};

struct Case {
  int64_t ranks = 1;
  int zero_stage = 0;
  bool sharded_checkpoints = false;
  bool deterministic = true;
  bool bf16 = false;
  std::string changes = kNoDropout;  // of the hparams
  std::string mesh = "";             // "": the model is whole
  std::string layout = "";
};

std::unique_ptr<Model> MakeModel(const std::string& changes,
                                 const ParamOptions& params = 3) {
  return MakeToyTransformer(kVocabulary,
                            "filter_size=26,num_heads=4," + changes, params);
}

void WriteMetrics(const std::string& folder,
                  const std::map<std::string, double>& metrics) {
  Json json = Json::Object();
  for (const auto& [name, value] : metrics) json.Set(name, value);
  WriteFileAtomically(JoinPath(folder, "metrics.json"), json.ToString());
}

void TrainRank(const Case& given, const std::string& folder, int64_t steps,
               ProcessGroup* group, int64_t killed = -1) {
  at::set_num_threads(1);
  std::unique_ptr<TensorParallelMesh> mesh;
  if (!given.mesh.empty() && group != nullptr) {
    mesh = TensorParallelMesh::Make(given.mesh, given.layout, group);
  }
  ParamOptions params(3);
  if (mesh != nullptr) params.tensor_parallel = mesh->group();
  const ProcessGroup* const data = mesh != nullptr ? mesh->data() : group;
  params.meta = given.zero_stage == 3 && data != nullptr && data->rank() > 0;
  const std::unique_ptr<Model> model = MakeModel(given.changes, params);
  TrainerOptions options;
  options.output_dir = folder;
  options.train_steps = steps;
  options.ema_decay = 0.9;
  options.group = group;
  options.micro_batches = kBatches;
  options.deterministic = given.deterministic;
  options.bf16_gradients = given.bf16;
  options.bucket_bytes = 4096;
  options.zero_stage = given.zero_stage;
  options.sharded_checkpoints = given.sharded_checkpoints;
  options.tensor_parallel = mesh.get();
  Trainer trainer(model.get(), options, [=](uint64_t) {
    return std::make_unique<ToyInput>(-1, killed);
  });
  trainer.Restore();
  trainer.Train([&](int64_t) {
    ToyInput dev(5);
    const auto metrics =
        trainer.Evaluate(&dev, {"accuracy", "neg_log_perplexity"}, 0);
    if (group == nullptr || group->rank() == 0) WriteMetrics(folder, metrics);
    return true;
  });
}

struct End {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, double> metrics;
};

End EndOf(const std::string& folder) {
  End end;
  const std::optional<Checkpoint> checkpoint = LoadLatestCheckpoint(folder);
  if (!checkpoint || checkpoint->step != 4) {
    ADD_FAILURE() << folder << " has no checkpoint of step 4";
    return end;
  }
  end.tensors = checkpoint->tensors;
  const Json metrics = Json::Parse(ReadFile(JoinPath(folder, "metrics.json")));
  for (const auto& [name, value] : metrics.members()) {
    end.metrics[name] = value.AsDouble();
  }
  return end;
}

void Train(const Case& given, bool strict, int64_t steps,
           const std::string& folder) {
  const On on(strict);
  Job job(given.ranks);
  job.StartAll(
      [&](ProcessGroup* group) { TrainRank(given, folder, steps, group); });
  job.ExpectAllWell();
}

// In two runs: what is saved is what goes on.
End TrainAll(const Case& given, bool strict) {
  const std::string folder = MakeTempDirectory("sharing");
  Train(given, strict, 2, folder);
  Train(given, strict, 4, folder);
  return EndOf(folder);
}

enum class Same { kBits, kNear };

void ExpectSame(const End& got, const End& wanted, Same same,
                const std::string& what) {
  ASSERT_EQ(got.tensors.size(), wanted.tensors.size()) << what;
  for (const auto& [name, tensor] : wanted.tensors) {
    const auto found = got.tensors.find(name);
    ASSERT_NE(found, got.tensors.end()) << what << ", " << name;
    EXPECT_TRUE(same == Same::kBits
                    ? at::equal(found->second, tensor)
                    : at::allclose(found->second, tensor, 1e-4, 2e-5))
        << what << ", " << name << ": "
        << (found->second - tensor).abs().max().item<double>();
  }
  for (const auto& [name, value] : wanted.metrics) {
    EXPECT_NEAR(got.metrics.at(name), value, 1e-4) << what << ", " << name;
  }
}

std::string TextOf(const Case& given) {
  return "stage " + std::to_string(given.zero_stage) + " on " +
         std::to_string(given.ranks) + " ranks" +
         (given.mesh.empty() ? "" : ", " + given.mesh) + " " + given.layout +
         " " + given.changes;
}

TEST(DeviceSharingTest, EachStageHasTheBitsOfOneRank) {
  at::set_num_threads(1);
  const End cpu = TrainAll({}, false);
  const End strict = TrainAll({}, true);
  ExpectSame(strict, cpu, Same::kNear, "one rank");
  for (const int stage : {0, 1, 2, 3}) {
    for (const int64_t ranks : {2, 4}) {
      Case given{ranks, stage};
      given.sharded_checkpoints = stage > 1 && ranks == 4;
      ExpectSame(TrainAll(given, true), strict, Same::kBits, TextOf(given));
    }
  }
}

TEST(DeviceSharingTest, WithoutDeterministicTheResultIsNear) {
  at::set_num_threads(1);
  const std::string changes =
      std::string(kNoDropout) + ",clip_grad_norm=0.5,optimizer=";
  for (const std::string optimizer : {"momentum", "adamw"}) {
    const End cpu = TrainAll({.changes = changes + optimizer}, false);
    for (const int stage : {1, 2, 3}) {
      const Case given{2, stage, false, false, false, changes + optimizer};
      ExpectSame(TrainAll(given, true), cpu, Same::kNear, TextOf(given));
    }
  }
}

TEST(DeviceSharingTest, GradientsInBf16AreTheCpus) {
  at::set_num_threads(1);
  for (const int stage : {0, 1, 2, 3}) {
    const Case given{2, stage, false, false, /*bf16=*/true};
    ExpectSame(TrainAll(given, true), TrainAll(given, false), Same::kNear,
               TextOf(given));
  }
}

TEST(DeviceSharingTest, AnyDeviceAndRanksGoOnFromAnothers) {
  at::set_num_threads(1);
  const End cpu = TrainAll({}, false);
  for (const bool strict_first : {false, true}) {
    const std::string folder = MakeTempDirectory("sharing");
    Train({4, 3, /*sharded_checkpoints=*/strict_first}, strict_first, 2,
          folder);
    Train({2, 1}, !strict_first, 4, folder);
    ExpectSame(EndOf(folder), cpu, Same::kNear,
               strict_first ? "from the device" : "to the device");
  }
}

// Each with dropout, of which the parts drop what the whole does.
TEST(DeviceSharingTest, SplitModelsAreTheWholeOne) {
  at::set_num_threads(1);
  constexpr char kAll[] = "vocab:model;d_ff:model;heads:model";
  constexpr char kLength[] = "vocab:model;d_ff:model;heads:model;length:model";
  // With proximity_bias the CPU computes with padding, too.
  const std::string dropout =
      "proximity_bias=True,"
      "layer_prepostprocess_dropout=0.2,attention_dropout=0.1,"
      "relu_dropout=0.1,clip_grad_norm=0.5,label_smoothing=0.1";
  const std::string broadcast =
      dropout +
      ",layer_prepostprocess_dropout_broadcast_dims=1,"
      "attention_dropout_broadcast_dims=0,relu_dropout_broadcast_dims=1";
  const std::string experts =
      dropout + ",ffn_layer=local_moe,moe_num_experts=5,moe_k=2";
  struct Split {
    std::string changes;
    int64_t ranks;
    const char* mesh;
    const char* layout;
    int zero_stage = 0;
  };
  const std::vector<Split> splits = {
      {dropout, 2, "model:2", kAll},
      {dropout, 4, "data:2,model:2", kAll},
      {dropout, 4, "data:2,model:2", kAll, 1},
      {dropout, 4, "data:2,model:2", kLength, 2},
      {dropout, 4, "data:2,model:2", kAll, 3},
      {dropout, 2, "model:2", kLength},
      {dropout, 4, "model:4", kLength},
      {broadcast, 2, "model:2", kAll},
      {experts, 4, "data:2,model:2", "experts:model;vocab:model"},
      {experts, 2, "model:2", "experts:model;length:model"}};
  std::map<std::string, End> cpu;
  for (const Split& split : splits) {
    Case given;
    given.changes = split.changes;
    if (cpu.count(split.changes) == 0) {
      cpu[split.changes] = TrainAll(given, false);
    }
    given.ranks = split.ranks;
    given.zero_stage = split.zero_stage;
    given.sharded_checkpoints = split.zero_stage > 1;
    given.mesh = split.mesh;
    given.layout = split.layout;
    ExpectSame(TrainAll(given, true), cpu[split.changes], Same::kNear,
               TextOf(given));
  }
}

TEST(DeviceSharingTest, ALostRankIsNamed) {
  const std::string folder = MakeTempDirectory("sharing");
  const On on(true);
  Job job(3);
  job.StartAll([&](ProcessGroup* group) {
    // In the third step.
    TrainRank({3, 3}, folder, 4, group,
              group->rank() == 1 ? 2 * kBatches + 1 : -1);
  });
  for (const size_t rank : {0, 2}) {
    const Job::End end = job.Wait(rank);
    EXPECT_EQ(end.code, static_cast<int>(ExitCode::kRetry)) << end.message;
    EXPECT_NE(end.message.find("rank 1"), std::string::npos) << end.message;
  }
  EXPECT_EQ(job.Wait(1).code, -SIGKILL);
}

}  // namespace
}  // namespace t2t
