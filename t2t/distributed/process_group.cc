#include "t2t/distributed/process_group.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <c10/util/Flags.h>
#include <c10/util/Logging.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/log.h"
#include "t2t/base/plugin.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/busy_clock.h"
#include "t2t/distributed/launcher.h"
#include "t2t/distributed/lifeline.h"
#include "t2t/distributed/mpi/mpi_plugin.h"
#include "t2t/distributed/socket.h"
#include "t2t/ops/cuda/device.h"

C10_DECLARE_int(caffe2_log_level);

namespace t2t {

struct ProcessGroup::Pending {
  c10::intrusive_ptr<c10d::Work> work;
  std::vector<at::Tensor> tensors;
  bool on_device = false;
};

namespace {

using std::chrono::milliseconds;

// Gloo's own limit: Wait() has the real ones.
constexpr milliseconds kNoLimit = std::chrono::hours(24 * 365);
// How often a wait looks whether a rank is lost.
constexpr milliseconds kSlice{250};
constexpr char kLifeline[] = "t2t/lifeline";
constexpr char kVerdict[] = "t2t/verdict";

milliseconds Milliseconds(double seconds) {
  return milliseconds(std::max<int64_t>(1, std::llround(seconds * 1000)));
}

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string RanksText(const std::vector<int64_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0) text += ", ";
    if (i == 16) return text + "... (" + std::to_string(ranks.size()) + ")";
    text += std::to_string(ranks[i]);
  }
  return text;
}

// When the program exits, it is to do so at once: static destructors would wait
// for threads that hang in a collective.
void LeaveWithoutCleanup() {
  [[maybe_unused]] static const int registered = ::on_exit(
      [](int status, void*) {
        std::fflush(nullptr);
        ::_exit(status);
      },
      nullptr);
}

// Of a device's collective, which runs on a stream of its own: whether it is
// done there. The program waits for that, and not the device's stream alone
// (c10d's wait() without a limit), for two reasons. A rank that is lost, or a
// limit that is over, is noticed here; in a later wait for the device, as
// item() is, nobody would look. And what a collective read or wrote may be
// freed, or its storage given other memory (DropMemory()), as soon as Wait() is
// over: LibTorch's pool of memory gives it out again to the stream of the
// tensors' own, which knows nothing of the other one. Until then the tensors in
// Pending keep it. The other way round the collective's stream waits, when it
// is started, for what its tensors' stream was given before.
//
// NCCL's own wait with a limit gives the connection up where that is over.
bool CompletedWithin(c10d::Work* work, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!work->isCompleted()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(20);
  }
  return true;
}

// Over the processes `ranks` of mpirun's.
c10::intrusive_ptr<c10d::Backend> MakeMpi(const std::vector<int64_t>& ranks,
                                          int64_t rank, int64_t size,
                                          const std::string& name) {
  constexpr char kAsked[] = "--backend=mpi";
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr &&
      std::getenv("PMI_SIZE") == nullptr) {
    throw UsageError(std::string(kAsked) + ", but mpirun did not start this",
                     "ranks that mpirun started",
                     "start them with mpirun -n N, or use --backend=gloo");
  }
  auto* const make = reinterpret_cast<MakeMpiBackend*>(OpenPlugin(
      {"libt2t_mpi.so", "t2t/distributed/mpi", kMakeMpiBackend, kAsked,
       "install MPI (Debian: libopenmpi-dev, openmpi-bin) and build "
       "//t2t/distributed/mpi:libt2t_mpi.so, or use --backend=gloo"}));
  c10::intrusive_ptr<c10d::Backend> backend;
  make(ranks, rank, size, name, &backend);
  return backend;
}

// c10d tells each failed attempt at length; our own messages say what matters.
void SilenceC10d() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) {
    FLAGS_caffe2_log_level = c10::GLOG_FATAL;
  }
}

// The collectives over some backends.
class GlooCollectives : public ProcessGroup {
 public:
  Work StartAllReduce(const at::Tensor& tensor) override {
    std::vector<at::Tensor> tensors = {tensor};
    c10d::AllreduceOptions options;
    options.timeout = kNoLimit;
    return Keep([&] { return For(tensor)->allreduce(tensors, options); },
                tensors);
  }

  Work StartAllGather(const at::Tensor& input,
                      const at::Tensor& output) override {
    at::Tensor from = input;
    at::Tensor to = output;
    c10d::AllgatherOptions options;
    options.timeout = kNoLimit;
    return Keep([&] { return For(from)->_allgather_base(to, from, options); },
                {from, to});
  }

  Work StartAllToAll(const at::Tensor& input,
                     const std::vector<int64_t>& input_counts,
                     const at::Tensor& output,
                     const std::vector<int64_t>& output_counts) override {
    at::Tensor from = input;
    at::Tensor to = output;
    std::vector<int64_t> from_counts = input_counts;
    std::vector<int64_t> to_counts = output_counts;
    c10d::AllToAllOptions options;
    options.timeout = kNoLimit;
    return Keep(
        [&] {
          return For(from)->alltoall_base(to, from, to_counts, from_counts,
                                          options);
        },
        {from, to});
  }

  Work StartBroadcast(const at::Tensor& tensor) override {
    std::vector<at::Tensor> tensors = {tensor};
    c10d::BroadcastOptions options;
    options.rootRank = 0;
    options.timeout = kNoLimit;
    return Keep([&] { return For(tensor)->broadcast(tensors, options); },
                tensors);
  }

  double under_way_seconds() const override {
    return clock_ == nullptr ? 0 : clock_->Seconds(NowSeconds());
  }

  // Ends with the error that tells of the rank lost.
  [[noreturn]] virtual void Lost(const std::string& what,
                                 const std::string& why) = 0;

 protected:
  // Their threads may wait for a lost rank for ever.
  void ForgetBackends() {
    backend_.release();
    device_backend_.release();
  }

  c10::intrusive_ptr<c10d::Backend> backend_;         // for tensors of the CPU
  c10::intrusive_ptr<c10d::Backend> device_backend_;  // null: no other device
  // Null: others than Gloo do not tell when a collective has ended.
  std::shared_ptr<BusyClock> clock_;

 private:
  c10d::Backend* For(const at::Tensor& tensor) const {
    return (tensor.device().is_cpu() ? backend_ : device_backend_).get();
  }

  // Ranks that take different connections would wait for each other.
  void CheckDevices(const std::vector<at::Tensor>& tensors) const {
    const at::Device device = tensors[0].device();
    const bool same = std::all_of(
        tensors.begin(), tensors.end(),
        [&](const at::Tensor& tensor) { return tensor.device() == device; });
    if (same && For(tensors[0]) != nullptr) return;
    throw Error(ExitCode::kInternal,
                "a collective of tensors on " + device.str() +
                    (same ? ", which has no connection"
                          : " and on " + tensors.back().device().str()));
  }

  template <typename F>
  Work Keep(const F& start, std::vector<at::Tensor> tensors) {
    CheckDevices(tensors);
    auto pending = std::make_shared<Pending>();
    pending->tensors = std::move(tensors);
    pending->on_device = !pending->tensors[0].device().is_cpu();
    try {
      if (clock_ != nullptr) clock_->Begin(NowSeconds());
      pending->work = start();
      if (clock_ != nullptr) {
        pending->work->getFuture()->addCallback(
            [clock = clock_](c10::ivalue::Future&) {
              clock->End(NowSeconds());
            });
      }
    } catch (const std::exception& error) {
      Lost("a collective", FirstLine(error.what()));
    }
    return pending;
  }
};

class GlooGroup;

// Some ranks of a GlooGroup.
class GlooSubGroup : public GlooCollectives {
 public:
  GlooSubGroup(GlooGroup* world, std::vector<int64_t> ranks,
               const std::string& name);

  int64_t rank() const override { return rank_; }
  int64_t size() const override { return static_cast<int64_t>(ranks_.size()); }
  std::unique_ptr<ProcessGroup> Sub(const std::vector<int64_t>& ranks,
                                    const std::string& name) override;
  void Wait(const Work& work, const std::string& what, Limit limit) override;
  void CheckAlive() override;
  void Fail(const std::string& why) override;
  double waited_seconds() const override;
  [[noreturn]] void Lost(const std::string& what,
                         const std::string& why) override;

 private:
  GlooGroup* const world_;
  const std::vector<int64_t> ranks_;  // of the world
  int64_t rank_ = -1;
};

class GlooGroup : public GlooCollectives {
 public:
  GlooGroup(const Cluster& cluster, const Options& options)
      : cluster_(cluster), options_(options) {
    SilenceC10d();
    // A lost rank's connection is an error to report, not the end. (RunMain's
    // handlers see to that, and to more.)
    struct sigaction action = {};
    ::sigaction(SIGPIPE, nullptr, &action);
    if (action.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
    deadline_ = NowSeconds() + options.rendezvous_seconds;
    try {
      Meet();
      Connect();
    } catch (const Error&) {
      LeaveWithoutCleanup();
      throw;
    } catch (const std::exception& error) {
      LeaveWithoutCleanup();
      const std::string why = FirstLine(error.what());
      if (lifeline_ != nullptr) Lost("the rendezvous", why);
      throw MeetingError(why);
    }
  }

  ~GlooGroup() override {
    if (!failed_) return;
    for (auto& backend : some_) backend.release();
    ForgetBackends();
    store_.release();
  }

  int64_t rank() const override { return cluster_.rank; }
  int64_t size() const override { return cluster_.world_size; }

  void Wait(const Work& work, const std::string& what, Limit limit) override {
    const double start = NowSeconds();
    while (true) {
      if (work->on_device && !CompletedWithin(work->work.get(), kSlice)) {
        LeaveIfLate(what, limit, start);
        continue;
      }
      // A slice that is over throws, too.
      const bool completed = work->work->isCompleted();
      try {
        // NCCL's wait() does not tell of an error in each of its modes.
        if (work->on_device && work->work->exception() != nullptr) {
          std::rethrow_exception(work->work->exception());
        }
        work->work->wait(kSlice);
        break;
      } catch (const std::exception& error) {
        if (completed) Lost(what, FirstLine(error.what()));
        if (work->work->isCompleted()) continue;
      }
      LeaveIfLate(what, limit, start);
    }
    waited_seconds_ += NowSeconds() - start;
  }

  // start: of waiting.
  void LeaveIfLate(const std::string& what, Limit limit, double start) {
    if (lifeline_->loss()) Lost(what, "");
    if (limit == Limit::kCollective &&
        NowSeconds() - start > options_.collective_seconds) {
      const std::string why =
          what + " has not come to an end within " +
          DoubleToString(options_.collective_seconds) +
          " s (--collective_timeout_seconds), though every rank is alive";
      Fail(why);
      throw Error(ExitCode::kRetry, why, "",
                  "look at the ranks' own messages, then start the job "
                  "again: it goes on from the last checkpoint");
    }
  }

  void CheckAlive() override {
    if (lifeline_->loss()) Lost("", "");
  }

  void Fail(const std::string& why) override {
    failed_ = true;
    LeaveWithoutCleanup();
    lifeline_->Fail(why);
  }

  double waited_seconds() const override { return waited_seconds_; }

  std::unique_ptr<ProcessGroup> Sub(const std::vector<int64_t>& ranks,
                                    const std::string& name) override {
    return std::make_unique<GlooSubGroup>(this, ranks, name);
  }

  // Connects some ranks, this one the rank-th of them.
  void ConnectSome(int64_t rank, const std::vector<int64_t>& ranks,
                   const std::string& name,
                   c10::intrusive_ptr<c10d::Backend>* cpu,
                   c10::intrusive_ptr<c10d::Backend>* device) {
    try {
      deadline_ = NowSeconds() + options_.rendezvous_seconds;
      MakeBackends(
          c10::make_intrusive<c10d::PrefixStore>("t2t/group/" + name, store_),
          rank, ranks, name, cpu, device);
      some_.push_back(*cpu);
      some_.push_back(*device);
    } catch (const std::exception& error) {
      Lost("connecting the group " + name, FirstLine(error.what()));
    }
  }

  const std::shared_ptr<BusyClock>& clock() const { return clock_; }

  void LeaveIfLost(const std::string& what) {
    if (lifeline_->loss()) Lost(what, "");
  }

  [[noreturn]] void Lost(const std::string& what,
                         const std::string& why) override {
    failed_ = true;
    LeaveWithoutCleanup();
    const std::string where = what.empty() ? "" : "; this rank was in " + what;
    const std::string todo =
        "start the job again: it goes on from the last checkpoint";
    // A connection that broke may be the loss of a rank not yet told of.
    const auto loss = lifeline_->WaitForLoss(options_.silence_seconds + 1);
    if (!loss) {
      throw Error(ExitCode::kRetry, what + " failed: " + why, "", todo);
    }
    const std::string name =
        "rank " + std::to_string(loss->rank) +
        (static_cast<size_t>(loss->rank) < names_.size()
             ? " (" + names_[static_cast<size_t>(loss->rank)] + ")"
             : "");
    throw Error(
        ExitCode::kRetry,
        (loss->rank == cluster_.rank ? "the others gave up on this rank: "
                                     : name + " is lost: ") +
            loss->why + where,
        "", todo);
  }

 private:
  double Left() const { return std::max(0.1, deadline_ - NowSeconds()); }

  std::string Place() const {
    return cluster_.address + ":" + std::to_string(cluster_.port);
  }

  Error MeetingError(const std::string& why) const {
    const std::string who = "rank " + std::to_string(cluster_.rank) + " of " +
                            std::to_string(cluster_.world_size);
    const std::string todo =
        "see that every rank is started with the same number of ranks and "
        "rendezvous address, then start the job again";
    if (cluster_.rank == 0) {
      return Error(ExitCode::kRetry,
                   who + " can't be met at " + Place() + ": " + why,
                   "a port that is free", todo);
    }
    return Error(ExitCode::kRetry,
                 who + " can't reach rank 0 at " + Place() + " (waited for " +
                     DoubleToString(options_.rendezvous_seconds) +
                     " s): " + why,
                 "rank 0 is there", todo);
  }

  // Every rank enters its name at rank 0, which says whether all came.
  void Meet() {
    const bool first = cluster_.rank == 0;
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(cluster_.port);
    options.isServer = first;
    options.waitWorkers = false;
    options.timeout = Milliseconds(options_.rendezvous_seconds);
    const char* const fd = std::getenv(kListenFdVariable);
    int64_t listening = 0;
    if (first && fd != nullptr && ParseInt(fd, &listening)) {
      options.masterListenFd = static_cast<int>(listening);
    }
    store_ = c10::make_intrusive<c10d::TCPStore>(cluster_.address, options);
    address_ = LocalAddressTowards(cluster_.address);
    if (address_.empty()) {
      throw Error(ExitCode::kRetry,
                  "the host '" + cluster_.address + "' is not known");
    }
    if (first) {
      lifeline_ = Lifeline::Listen(address_, options_.silence_seconds);
      store_->set(kLifeline,
                  Bytes(std::to_string(lifeline_->port()) + " " + address_));
      const std::string verdict = WaitForRanks();
      store_->set(kVerdict, Bytes(verdict));
      TakeVerdict(verdict);
      return;
    }
    const std::vector<std::string> place =
        Split(Await(store_, kLifeline, Left()), ' ');
    int64_t port = 0;
    if (place.size() != 2 || !ParseInt(place[0], &port)) {
      throw Error(ExitCode::kRetry, Place() + " is not this job's rank 0");
    }
    lifeline_ = Lifeline::Connect(place[1], port, cluster_.rank, Name(),
                                  options_.silence_seconds);
    // A little longer than rank 0, whose message says more.
    TakeVerdict(Watched([store = store_, seconds = Left() + 10] {
      return Await(store, kVerdict, seconds);
    }));
  }

  // This process, and in a second line the number of ranks it knows of.
  std::string Name() const {
    return HostName() + ", pid " + std::to_string(::getpid()) + "\n" +
           std::to_string(cluster_.world_size);
  }

  static std::string Await(const c10::intrusive_ptr<c10d::Store>& store,
                           const std::string& key, double seconds) {
    store->wait({key}, Milliseconds(seconds));
    const std::vector<uint8_t> bytes = store->get(key);
    return std::string(bytes.begin(), bytes.end());
  }

  // make(), which may wait for a rank for long, in a thread of its own: it is
  // left behind where one is lost.
  template <typename F>
  std::invoke_result_t<F> Watched(F make) {
    std::packaged_task<std::invoke_result_t<F>()> task(std::move(make));
    auto result = task.get_future();
    std::thread(std::move(task)).detach();
    while (result.wait_for(kSlice) != std::future_status::ready) {
      if (lifeline_->loss()) throw std::runtime_error("a rank is lost");
    }
    return result.get();
  }

  static std::vector<uint8_t> Bytes(const std::string& text) {
    return {text.begin(), text.end()};
  }

  // Rank 0: "ok" and every rank's name, or what is wrong.
  std::string WaitForRanks() {
    double pause = 0.005;
    double next_line = NowSeconds() + 10;
    while (!lifeline_->Complete(cluster_.world_size)) {
      const double now = NowSeconds();
      if (now > deadline_) {
        return Missing() + " of " + std::to_string(cluster_.world_size) +
               " did not come to " + Place() + " within " +
               DoubleToString(options_.rendezvous_seconds) + " s";
      }
      if (now > next_line) {
        Log("waiting for " + Missing() + " at " + Place());
        next_line = now + 10;
      }
      ::usleep(static_cast<useconds_t>(pause * 1e6));
      pause = std::min(0.2, pause * 1.5);
    }
    std::map<int64_t, std::string> names = lifeline_->here();
    names[0] = Name();
    std::string verdict = "ok";
    for (int64_t rank = 0; rank < cluster_.world_size; ++rank) {
      const std::vector<std::string> lines = Split(names[rank], '\n');
      if (lines.size() != 2 ||
          lines[1] != std::to_string(cluster_.world_size)) {
        return "rank " + std::to_string(rank) + " (" + lines[0] +
               ") was told of " + (lines.size() == 2 ? lines[1] : "?") +
               " ranks, rank 0 of " + std::to_string(cluster_.world_size);
      }
      verdict += "\n" + lines[0];
    }
    return verdict;
  }

  std::string Missing() const {
    const std::map<int64_t, std::string> here = lifeline_->here();
    std::vector<int64_t> missing;
    for (int64_t rank = 1; rank < cluster_.world_size; ++rank) {
      if (here.count(rank) == 0) missing.push_back(rank);
    }
    return RanksText(missing);
  }

  void TakeVerdict(const std::string& verdict) {
    std::vector<std::string> lines = Split(verdict, '\n');
    if (lines[0] != "ok") {
      // The others are to have read it before the store goes.
      if (cluster_.rank == 0) ::usleep(1'000'000);
      throw Error(ExitCode::kRetry, verdict, "every rank",
                  "see why it did not start, then start the job again");
    }
    lines.erase(lines.begin());
    names_ = lines;
    if (static_cast<int64_t>(names_.size()) != cluster_.world_size) {
      throw Error(ExitCode::kRetry,
                  "rank " + std::to_string(cluster_.rank) + " was told of " +
                      std::to_string(cluster_.world_size) +
                      " ranks, rank 0 of " + std::to_string(names_.size()),
                  "one number of ranks", "start all with the same");
    }
  }

  void Connect() {
    std::vector<int64_t> ranks(static_cast<size_t>(cluster_.world_size));
    std::iota(ranks.begin(), ranks.end(), int64_t{0});
    MakeBackends(store_, cluster_.rank, ranks, "", &backend_, &device_backend_);
    if (options_.backend != "mpi" && device_backend_ == nullptr) {
      clock_ = std::make_shared<BusyClock>();
    }
  }

  void MakeBackends(const c10::intrusive_ptr<c10d::Store>& store, int64_t rank,
                    const std::vector<int64_t>& ranks, const std::string& name,
                    c10::intrusive_ptr<c10d::Backend>* cpu,
                    c10::intrusive_ptr<c10d::Backend>* device) {
    const auto size = static_cast<int64_t>(ranks.size());
    *cpu = options_.backend == "mpi"
               ? MakeMpi(ranks, cluster_.rank, cluster_.world_size, name)
               : MakeGloo(store, rank, size);
    *device = Watched([store, rank, size] {
      return MakeDeviceBackend(
          c10::make_intrusive<c10d::PrefixStore>("device", store), rank, size);
    });
  }

  c10::intrusive_ptr<c10d::Backend> MakeGloo(
      const c10::intrusive_ptr<c10d::Store>& store, int64_t rank,
      int64_t size) {
    auto options =
        c10d::ProcessGroupGloo::Options::create(Milliseconds(Left() + 1));
    const char* const interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices = {
        interface != nullptr && *interface != '\0'
            ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
            : c10d::ProcessGroupGloo::createDeviceForHostname(address_)};
    return Watched([=]() -> c10::intrusive_ptr<c10d::Backend> {
      auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
          store, static_cast<int>(rank), static_cast<int>(size), options);
      backend->setTimeout(kNoLimit);
      return backend;
    });
  }

  const Cluster cluster_;
  const Options options_;
  double deadline_;
  std::string address_;
  std::vector<std::string> names_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::unique_ptr<Lifeline> lifeline_;
  // Of the groups made from this one, which may end before it is known that
  // something failed.
  std::vector<c10::intrusive_ptr<c10d::Backend>> some_;
  std::atomic<bool> failed_{false};
  double waited_seconds_ = 0;
};

GlooSubGroup::GlooSubGroup(GlooGroup* world, std::vector<int64_t> ranks,
                           const std::string& name)
    : world_(world), ranks_(std::move(ranks)) {
  std::string full_name = name;
  for (size_t i = 0; i < ranks_.size(); ++i) {
    full_name += (i == 0 ? " of " : ",") + std::to_string(ranks_[i]);
    if (ranks_[i] == world->rank()) rank_ = static_cast<int64_t>(i);
  }
  if (rank_ < 0) {
    throw Error(ExitCode::kInternal, "rank " + std::to_string(world->rank()) +
                                         " makes the group " + full_name +
                                         ", in which it is not");
  }
  world->ConnectSome(rank_, ranks_, full_name, &backend_, &device_backend_);
  clock_ = world->clock();
}

std::unique_ptr<ProcessGroup> GlooSubGroup::Sub(
    const std::vector<int64_t>& ranks, const std::string& name) {
  std::vector<int64_t> of_world;
  for (const int64_t rank : ranks) {
    of_world.push_back(ranks_.at(static_cast<size_t>(rank)));
  }
  return world_->Sub(of_world, name);
}

void GlooSubGroup::Wait(const Work& work, const std::string& what,
                        Limit limit) {
  // A rank of another group, which this one's collectives do not need, and
  // which has no reason to end before the next one of all ranks.
  world_->LeaveIfLost(what);
  world_->Wait(work, what, limit);
}

void GlooSubGroup::CheckAlive() { world_->CheckAlive(); }

void GlooSubGroup::Fail(const std::string& why) { world_->Fail(why); }

double GlooSubGroup::waited_seconds() const { return world_->waited_seconds(); }

void GlooSubGroup::Lost(const std::string& what, const std::string& why) {
  world_->Lost(what, why);
}

}  // namespace

std::unique_ptr<ProcessGroup> ProcessGroup::Join(const Cluster& cluster,
                                                 const Options& options) {
  return std::make_unique<GlooGroup>(cluster, options);
}

void ProcessGroup::AllReduce(const at::Tensor& tensor,
                             const std::string& what) {
  Wait(StartAllReduce(tensor), what);
}

at::Tensor ProcessGroup::AllGather(const at::Tensor& input,
                                   const std::string& what) {
  std::vector<int64_t> shape = input.sizes().vec();
  shape.insert(shape.begin(), size());
  const at::Tensor output = at::empty(size() * input.numel(), input.options());
  Wait(StartAllGather(input.flatten(), output), what);
  return output.view(shape);
}

at::Tensor ProcessGroup::AllToAll(const at::Tensor& input,
                                  const std::vector<int64_t>& input_counts,
                                  const std::vector<int64_t>& output_counts,
                                  const std::string& what) {
  const at::Tensor output = at::empty(
      std::accumulate(output_counts.begin(), output_counts.end(), int64_t{0}),
      input.options());
  Wait(StartAllToAll(input, input_counts, output, output_counts), what);
  return output;
}

at::Tensor ProcessGroup::ReduceScatter(const at::Tensor& input,
                                       const std::string& what) {
  const int64_t piece = input.numel() / size();
  const std::vector<int64_t> counts(static_cast<size_t>(size()), piece);
  at::Tensor pieces =
      AllToAll(input, counts, counts, what).view({size(), piece});
  at::Tensor sum = pieces[0];
  for (int64_t i = 1; i < size(); ++i) sum.add_(pieces[i]);
  return sum;
}

void ProcessGroup::Broadcast(const at::Tensor& tensor,
                             const std::string& what) {
  if (tensor.numel() > 0) Wait(StartBroadcast(tensor), what);
}

std::string ProcessGroup::BroadcastText(const std::string& text,
                                        const std::string& what) {
  const at::Tensor length = at::full(1, static_cast<int64_t>(text.size()),
                                     at::TensorOptions().dtype(at::kLong));
  Broadcast(length, what);
  const at::Tensor bytes = at::empty(length.item<int64_t>(), at::kByte);
  char* const data = reinterpret_cast<char*>(bytes.mutable_data_ptr<uint8_t>());
  if (rank() == 0) std::copy(text.begin(), text.end(), data);
  Broadcast(bytes, what);
  return std::string(data, static_cast<size_t>(bytes.numel()));
}

void ProcessGroup::Barrier(const std::string& what, Limit limit) {
  Wait(StartAllReduce(at::zeros(1)), what, limit);
}

}  // namespace t2t
