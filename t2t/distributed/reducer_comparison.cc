// Measures a data-parallel step's communication, ours and that of c10d's
// Reducer, on this machine: a stack of linear layers on each of two ranks.
//
// usage: reducer_comparison [ranks [layers [width [rows [steps [ways]]]]]]
// ways: of those that are listed, by their numbers from 0 ("0,3"); all if left
// out. What is hidden of the communication: what a step takes less than one
// without and the sums alone, one after the other.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <torch/csrc/autograd/autograd.h>
#include <unistd.h>

#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <vector>

#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/gradient_sum.h"
#include "t2t/distributed/socket.h"
#include "t2t/distributed/testing_job.h"

namespace t2t {
namespace {

constexpr int64_t kBucketBytes = 4 << 20;

struct Settings {
  int64_t ranks = 2;
  int64_t layers = 24;
  int64_t width = 1024;
  int64_t rows = 192;
  int64_t steps = 9;
  std::vector<size_t> ways;  // empty: all
  int64_t port = 0;
};

struct Layers {
  std::vector<at::Tensor> parameters;
  at::Tensor input;

  explicit Layers(const Settings& settings) {
    at::manual_seed(1);
    for (int64_t i = 0; i < settings.layers; ++i) {
      parameters.push_back(at::randn({settings.width, settings.width})
                               .mul_(0.03)
                               .requires_grad_());
      parameters.push_back(at::zeros({settings.width}).requires_grad_());
    }
    input = at::randn({settings.rows, settings.width});
  }

  at::Tensor Loss() const {
    at::Tensor x = input;
    for (size_t i = 0; i < parameters.size(); i += 2) {
      x = at::relu(at::addmm(parameters[i + 1], x, parameters[i]));
    }
    return x.square().mean();
  }
};

c10::intrusive_ptr<c10d::ProcessGroup> MakeC10dGroup(const Settings& settings,
                                                     int64_t rank) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(settings.port);
  options.isServer = rank == 0;
  options.waitWorkers = false;
  auto store = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
  auto gloo = c10d::ProcessGroupGloo::Options::create();
  gloo->devices = {
      c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")};
  auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>("gloo", store),
      static_cast<int>(rank), static_cast<int>(settings.ranks), gloo);
  auto group = c10::make_intrusive<c10d::ProcessGroup>(
      store, static_cast<int>(rank), static_cast<int>(settings.ranks));
  group->setBackend(at::kCPU, c10d::ProcessGroup::BackendType::GLOO, backend);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return group;
}

// What this process has used up.
struct Usage {
  double cpu = 0;     // seconds of all threads
  double kernel = 0;  // of these the kernel's
  double faults = 0;  // pages that were new
};

Usage UsageNow() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * double(time.tv_usec);
  };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime),
          seconds(usage.ru_stime), static_cast<double>(usage.ru_minflt)};
}

// One way of doing a step.
struct Way {
  std::string name;
  std::function<void()> step;
  std::function<int64_t()> bytes;  // of gradients, at most
  std::vector<double> seconds;
  bool as_all_reduce = false;  // as many bytes are sent as by it

  double median() const { return seconds[(seconds.size() - 1) / 2]; }
};

// By number.
constexpr size_t kNothingSent = 0;
constexpr size_t kAllReduceAlone = 2;

// One rank's steps, each way of doing them after the other.
class Comparison {
 public:
  Comparison(const Settings& settings, ProcessGroup* group)
      : settings_(settings), group_(group), layers_(settings) {
    for (const at::Tensor& parameter : parameters()) {
      sizes_.push_back(parameter.numel());
      numbers_ += parameter.numel();
      // Where nothing is sent a gradient's memory is free at once, too.
      parameter.register_hook([this](const at::Tensor& gradient) {
        return dropping_ ? zero_.expand(gradient.sizes()) : at::Tensor();
      });
    }
    flat_ = at::zeros(numbers_);
    AddBounds();
    AddGradientSums();
    AddReducer();
  }

  void Run() {
    for (size_t number = 0; number < ways_.size(); ++number) {
      const std::vector<size_t>& asked = settings_.ways;
      if (!asked.empty() &&
          std::find(asked.begin(), asked.end(), number) == asked.end()) {
        continue;
      }
      Measure(number);
      sum_.reset();
    }
    reducer_.reset();
    group_->Barrier("the end");
  }

 private:
  const std::vector<at::Tensor>& parameters() const {
    return layers_.parameters;
  }
  int64_t WholeBytes() const {
    return numbers_ * static_cast<int64_t>(sizeof(float));
  }
  void Gradients() const {
    torch::autograd::grad({layers_.Loss()}, parameters());
  }

  // What the ways that send are held against.
  void AddBounds() {
    const auto none = [] { return int64_t{0}; };
    ways_.push_back({"nothing is sent",
                     [this] {
                       dropping_ = true;
                       Gradients();
                       dropping_ = false;
                     },
                     none,
                     {}});
    ways_.push_back(
        {"the forward pass of it", [this] { layers_.Loss(); }, none, {}});
    // The buckets alone, no backward pass to hide them behind.
    ways_.push_back({"all-reduce alone, no computing",
                     [this] { AllReduceAlone(); },
                     [this] { return WholeBytes(); },
                     {}});
  }

  void AllReduceAlone() const {
    std::vector<ProcessGroup::Work> works;
    const int64_t bucket = kBucketBytes / 4;
    for (int64_t i = 0; i < numbers_; i += bucket) {
      works.push_back(group_->StartAllReduce(
          flat_.narrow(0, i, std::min(bucket, numbers_ - i))));
    }
    for (const auto& work : works) group_->Wait(work, "all");
  }

  void AddGradientSums() {
    GradientSum::Options options;
    options.bucket_bytes = kBucketBytes;
    AddGradientSum("GradientSum", options);
    options.deterministic = true;
    AddGradientSum("GradientSum, deterministic", options);
    options.deterministic = false;
    options.bf16 = true;
    AddGradientSum("GradientSum, bf16", options);
    options.bf16 = false;
    Partition::Options owners;
    owners.bucket_bytes = kBucketBytes;
    owners.ranks = settings_.ranks;
    owners.shards = Partition::Shards::kOwners;
    owners.cut = 1 << 14;
    options.owners = std::make_shared<Partition>(sizes_, owners);
    AddGradientSum("GradientSum, ZeRO stage 1 (to owners alone)", options);
    options.release = true;
    AddGradientSum("GradientSum, ZeRO stage 2 (and released)", options);
  }

  void AddGradientSum(const std::string& name,
                      const GradientSum::Options& options) {
    // Made when its turn comes: its hooks are to be alone.
    ways_.push_back({name,
                     [this, options] {
                       if (sum_ == nullptr) {
                         sum_ = std::make_unique<GradientSum>(
                             parameters(), settings_.ranks, group_, options);
                       }
                       sum_->Backward(group_->rank(), [this] { Gradients(); });
                       sum_->Finish(0.5);
                     },
                     [this] { return sum_->peak_bytes(); },
                     {},
                     options.owners == nullptr && !options.bf16});
  }

  void AddReducer() {
    c10d_group_ = MakeC10dGroup(settings_, group_->rank());
    ways_.push_back({"c10d::Reducer, gradients as bucket views",
                     [this] { ReducerStep(); },
                     [this] { return WholeBytes(); },
                     {},
                     /*as_all_reduce=*/true});
  }

  void MakeReducer() {
    const auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
        parameters(), {static_cast<size_t>(c10d::kDefaultFirstBucketBytes),
                       static_cast<size_t>(kBucketBytes)});
    const std::vector<std::vector<size_t>> reversed(buckets.rbegin(),
                                                    buckets.rend());
    reducer_ = std::make_unique<c10d::Reducer>(
        parameters(), reversed, c10d_group_,
        std::vector<bool>(parameters().size(), false), kBucketBytes,
        /*find_unused_parameters=*/false,
        /*gradient_as_bucket_view=*/true,
        std::unordered_map<size_t, std::string>(),
        c10d::kDefaultFirstBucketBytes,
        /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false, std::vector<int64_t>());
  }

  void ReducerStep() {
    if (reducer_ == nullptr) MakeReducer();
    // As DDP's next step, with zero_grad(set_to_none=False).
    for (const at::Tensor& parameter : parameters()) {
      if (parameter.grad().defined()) parameter.grad().zero_();
    }
    reducer_->prepare_for_forward();
    const at::Tensor loss = layers_.Loss();
    reducer_->prepare_for_backward({});
    torch::autograd::backward({loss}, {});
  }

  void Measure(size_t number) {
    Way& way = ways_[number];
    Usage before;
    for (int64_t i = 0; i < settings_.steps + 2; ++i) {
      group_->Barrier("a step");
      if (i == 2) before = UsageNow();
      const double start = NowSeconds();
      way.step();
      group_->Barrier("a step");
      // Without the first two: memory is new, the Reducer makes its buckets
      // again.
      if (i > 1) way.seconds.push_back(NowSeconds() - start);
    }
    const Usage after = UsageNow();
    std::sort(way.seconds.begin(), way.seconds.end());
    if (group_->rank() == 0) Print(number, before, after);
  }

  void Print(size_t number, const Usage& before, const Usage& after) const {
    const Way& way = ways_[number];
    const double steps = static_cast<double>(settings_.steps);
    std::printf(
        "%2zu %-42s %6.1f ms (%.1f to %.1f)  %6.1f MB  core: %.0f ms, of the "
        "kernel %.0f ms, %.0f page faults",
        number, way.name.c_str(), 1e3 * way.median(), 1e3 * way.seconds.front(),
        1e3 * way.seconds.back(), static_cast<double>(way.bytes()) / 1e6,
        1e3 * (after.cpu - before.cpu) / steps,
        1e3 * (after.kernel - before.kernel) / steps,
        (after.faults - before.faults) / steps);
    const Way& nothing = ways_[kNothingSent];
    const Way& alone = ways_[kAllReduceAlone];
    if (way.as_all_reduce && !nothing.seconds.empty() &&
        !alone.seconds.empty()) {
      const double exposed = way.median() - nothing.median();
      std::printf("; hidden %.0f ms, %.0f%%", 1e3 * (alone.median() - exposed),
                  100 * (1 - exposed / alone.median()));
    }
    std::printf("\n");
    std::fflush(stdout);
  }

  const Settings& settings_;
  ProcessGroup* const group_;
  const Layers layers_;
  std::vector<int64_t> sizes_;
  int64_t numbers_ = 0;
  bool dropping_ = false;
  const at::Tensor zero_ = at::zeros({});
  at::Tensor flat_;
  std::vector<Way> ways_;
  std::unique_ptr<GradientSum> sum_;
  c10::intrusive_ptr<c10d::ProcessGroup> c10d_group_;
  std::unique_ptr<c10d::Reducer> reducer_;
};

void Measure(const Settings& settings, ProcessGroup* group) {
  at::set_num_threads(1);
  Comparison(settings, group).Run();
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) {
  t2t::Settings settings;
  int64_t* const values[] = {&settings.ranks, &settings.layers, &settings.width,
                             &settings.rows, &settings.steps};
  for (int i = 1; i < argc && i <= 5; ++i) *values[i - 1] = std::atoll(argv[i]);
  for (const std::string& number : t2t::Split(argc > 6 ? argv[6] : "", ',')) {
    if (!number.empty()) settings.ways.push_back(std::stoul(number));
  }
  ::close(t2t::ListenTcp("127.0.0.1", &settings.port));
  std::printf(
      "%d ranks, %d layers of %d x %d, %d rows; median of %d steps\n",
      static_cast<int>(settings.ranks), static_cast<int>(settings.layers),
      static_cast<int>(settings.width), static_cast<int>(settings.width),
      static_cast<int>(settings.rows), static_cast<int>(settings.steps));
  t2t::Job job(settings.ranks);
  job.StartAll(
      [&](t2t::ProcessGroup* group) { t2t::Measure(settings, group); });
  int code = 0;
  for (int64_t i = 0; i < settings.ranks; ++i) {
    const t2t::Job::End end = job.Wait(static_cast<size_t>(i));
    if (end.code == 0) continue;
    std::fprintf(stderr, "rank %d: %s\n", static_cast<int>(i),
                 end.message.c_str());
    code = 1;
  }
  return code;
}
