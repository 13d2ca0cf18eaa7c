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

void Measure(const Settings& settings, ProcessGroup* group) {
  at::set_num_threads(1);
  const Layers layers(settings);
  const std::vector<at::Tensor>& parameters = layers.parameters;
  std::vector<int64_t> sizes;
  int64_t numbers = 0;
  for (const at::Tensor& parameter : parameters) {
    sizes.push_back(parameter.numel());
    numbers += parameter.numel();
  }
  const auto whole = [=] {
    return numbers * static_cast<int64_t>(sizeof(float));
  };
  const auto gradients = [&] {
    torch::autograd::grad({layers.Loss()}, parameters);
  };
  std::vector<Way> ways;
  // Where nothing is sent a gradient's memory is free at once, too.
  bool dropping = false;
  const at::Tensor zero = at::zeros({});
  for (const at::Tensor& parameter : parameters) {
    parameter.register_hook([&](const at::Tensor& gradient) {
      return dropping ? zero.expand(gradient.sizes()) : at::Tensor();
    });
  }
  ways.push_back({"nothing is sent",
                  [&] {
                    dropping = true;
                    gradients();
                    dropping = false;
                  },
                  [] { return int64_t{0}; },
                  {}});
  ways.push_back({"the forward pass of it",
                  [&] { layers.Loss(); },
                  [] { return int64_t{0}; },
                  {}});
  // The buckets alone, no backward pass to hide them behind.
  const at::Tensor flat = at::zeros(numbers);
  ways.push_back({"all-reduce alone, no computing",
                  [&] {
                    std::vector<ProcessGroup::Work> works;
                    const int64_t bucket = kBucketBytes / 4;
                    for (int64_t i = 0; i < numbers; i += bucket) {
                      works.push_back(group->StartAllReduce(
                          flat.narrow(0, i, std::min(bucket, numbers - i))));
                    }
                    for (const auto& work : works) group->Wait(work, "all");
                  },
                  whole,
                  {}});

  std::unique_ptr<GradientSum> sum;
  const auto add = [&](const std::string& name,
                       const GradientSum::Options& options) {
    // Made when its turn comes: its hooks are to be alone.
    ways.push_back({name,
                    [&, options] {
                      if (sum == nullptr) {
                        sum = std::make_unique<GradientSum>(
                            parameters, settings.ranks, group, options);
                      }
                      sum->Backward(group->rank(), true, gradients);
                      sum->Finish(0.5);
                    },
                    [&] { return sum->peak_bytes(); },
                    {},
                    options.owners == nullptr && !options.bf16});
  };
  GradientSum::Options options;
  options.bucket_bytes = kBucketBytes;
  add("GradientSum", options);
  options.deterministic = true;
  add("GradientSum, deterministic", options);
  options.deterministic = false;
  options.bf16 = true;
  add("GradientSum, bf16", options);
  options.bf16 = false;
  Partition::Options owners;
  owners.bucket_bytes = kBucketBytes;
  owners.ranks = settings.ranks;
  owners.parts = Partition::Parts::kOwners;
  owners.cut = 1 << 14;
  options.owners = std::make_shared<Partition>(sizes, owners);
  add("GradientSum, ZeRO stage 1 (to owners alone)", options);
  options.release = true;
  add("GradientSum, ZeRO stage 2 (and released)", options);

  auto c10d_group = MakeC10dGroup(settings, group->rank());
  std::unique_ptr<c10d::Reducer> reducer;
  ways.push_back(
      {"c10d::Reducer, gradients as bucket views",
       [&] {
         if (reducer == nullptr) {
           const auto [buckets, limits] =
               c10d::compute_bucket_assignment_by_size(
                   parameters,
                   {static_cast<size_t>(c10d::kDefaultFirstBucketBytes),
                    static_cast<size_t>(kBucketBytes)});
           const std::vector<std::vector<size_t>> reversed(buckets.rbegin(),
                                                           buckets.rend());
           reducer = std::make_unique<c10d::Reducer>(
               parameters, reversed, c10d_group,
               std::vector<bool>(parameters.size(), false), kBucketBytes,
               /*find_unused_parameters=*/false,
               /*gradient_as_bucket_view=*/true,
               std::unordered_map<size_t, std::string>(),
               c10d::kDefaultFirstBucketBytes,
               /*skip_all_reduce_unused_params=*/false,
               /*use_python_reducer=*/false, std::vector<int64_t>());
         }
         // As DDP's next step, with zero_grad(set_to_none=False).
         for (const at::Tensor& parameter : parameters) {
           if (parameter.grad().defined()) parameter.grad().zero_();
         }
         reducer->prepare_for_forward();
         const at::Tensor loss = layers.Loss();
         reducer->prepare_for_backward({});
         torch::autograd::backward({loss}, {});
       },
       whole,
       {},
       /*as_all_reduce=*/true});

  for (size_t number = 0; number < ways.size(); ++number) {
    const std::vector<size_t>& asked = settings.ways;
    if (!asked.empty() &&
        std::find(asked.begin(), asked.end(), number) == asked.end()) {
      continue;
    }
    Way& way = ways[number];
    Usage before;
    for (int64_t i = 0; i < settings.steps + 2; ++i) {
      group->Barrier("a step");
      if (i == 2) before = UsageNow();
      const double start = NowSeconds();
      way.step();
      group->Barrier("a step");
      // Without the first two: memory is new, the Reducer makes its buckets
      // again.
      if (i > 1) way.seconds.push_back(NowSeconds() - start);
    }
    const Usage after = UsageNow();
    const double steps = static_cast<double>(settings.steps);
    std::sort(way.seconds.begin(), way.seconds.end());
    if (group->rank() == 0) {
      const size_t last = way.seconds.size() - 1;
      std::printf(
          "%2zu %-42s %6.1f ms (%.1f to %.1f)  %6.1f MB  core: %.0f ms, of the "
          "kernel %.0f ms, %.0f page faults",
          number, way.name.c_str(), 1e3 * way.median(), 1e3 * way.seconds[0],
          1e3 * way.seconds[last], static_cast<double>(way.bytes()) / 1e6,
          1e3 * (after.cpu - before.cpu) / steps,
          1e3 * (after.kernel - before.kernel) / steps,
          (after.faults - before.faults) / steps);
      const Way& nothing = ways[kNothingSent];
      const Way& alone = ways[kAllReduceAlone];
      if (way.as_all_reduce && !nothing.seconds.empty() &&
          !alone.seconds.empty()) {
        const double exposed = way.median() - nothing.median();
        std::printf("; hidden %.0f ms, %.0f%%",
                    1e3 * (alone.median() - exposed),
                    100 * (1 - exposed / alone.median()));
      }
      std::printf("\n");
      std::fflush(stdout);
    }
    sum.reset();
  }
  reducer.reset();
  group->Barrier("the end");
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
