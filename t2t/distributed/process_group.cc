#include "t2t/distributed/process_group.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <utility>

#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <c10/util/Flags.h>
#include <c10/util/Logging.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/plugin.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/collectives.h"
#include "t2t/distributed/mpi/mpi_plugin.h"
#include "t2t/distributed/rendezvous.h"
#include "t2t/ops/cuda/device.h"

C10_DECLARE_int(caffe2_log_level);

namespace t2t {
namespace {

using std::chrono::milliseconds;

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

class WorldGroup;

// Some ranks of a WorldGroup.
class SubGroup : public BackendCollectives {
 public:
  SubGroup(WorldGroup* world, std::vector<int64_t> ranks,
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
  WorldGroup* const world_;
  const std::vector<int64_t> ranks_;  // of the world
  int64_t rank_ = -1;
};

// All ranks of the job.
class WorldGroup : public BackendCollectives {
 public:
  WorldGroup(const Cluster& cluster, const Options& options)
      : cluster_(cluster),
        options_(options),
        rendezvous_(cluster, options.rendezvous_seconds,
                    options.silence_seconds) {
    SilenceC10d();
    // A lost rank's connection is an error to report, not the end. (RunMain's
    // handlers see to that, and to more.)
    struct sigaction action = {};
    ::sigaction(SIGPIPE, nullptr, &action);
    if (action.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
    try {
      rendezvous_.Meet();
      Connect();
    } catch (const Error&) {
      LeaveWithoutCleanup();
      throw;
    } catch (const std::exception& error) {
      LeaveWithoutCleanup();
      const std::string why = FirstLine(error.what());
      if (lifeline() != nullptr) Lost("the rendezvous", why);
      throw rendezvous_.MeetingError(why);
    }
  }

  ~WorldGroup() override {
    if (!failed_) return;
    for (auto& backend : some_) backend.release();
    ForgetBackends();
    rendezvous_.Forget();
  }

  int64_t rank() const override { return cluster_.rank; }
  int64_t size() const override { return cluster_.world_size; }

  void Wait(const Work& work, const std::string& what, Limit limit) override {
    const double start = NowSeconds();
    while (true) {
      if (work->on_device &&
          !CompletedWithin(work->work.get(), Rendezvous::kSlice)) {
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
        work->work->wait(Rendezvous::kSlice);
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
    if (lifeline()->loss()) Lost(what, "");
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
    if (lifeline()->loss()) Lost("", "");
  }

  void Fail(const std::string& why) override {
    failed_ = true;
    LeaveWithoutCleanup();
    lifeline()->Fail(why);
  }

  double waited_seconds() const override { return waited_seconds_; }

  std::unique_ptr<ProcessGroup> Sub(const std::vector<int64_t>& ranks,
                                    const std::string& name) override {
    return std::make_unique<SubGroup>(this, ranks, name);
  }

  // Connects some ranks, this one the rank-th of them.
  void ConnectSome(int64_t rank, const std::vector<int64_t>& ranks,
                   const std::string& name,
                   c10::intrusive_ptr<c10d::Backend>* cpu,
                   c10::intrusive_ptr<c10d::Backend>* device) {
    try {
      rendezvous_.RestartClock();
      MakeBackends(c10::make_intrusive<c10d::PrefixStore>("t2t/group/" + name,
                                                          rendezvous_.store()),
                   rank, ranks, name, cpu, device);
      some_.push_back(*cpu);
      some_.push_back(*device);
    } catch (const std::exception& error) {
      Lost("connecting the group " + name, FirstLine(error.what()));
    }
  }

  const std::shared_ptr<BusyClock>& clock() const { return clock_; }

  void LeaveIfLost(const std::string& what) {
    if (lifeline()->loss()) Lost(what, "");
  }

  [[noreturn]] void Lost(const std::string& what,
                         const std::string& why) override {
    failed_ = true;
    LeaveWithoutCleanup();
    const std::string where = what.empty() ? "" : "; this rank was in " + what;
    const std::string todo =
        "start the job again: it goes on from the last checkpoint";
    // A connection that broke may be the loss of a rank not yet told of.
    const auto loss = lifeline()->WaitForLoss(options_.silence_seconds + 1);
    if (!loss) {
      throw Error(ExitCode::kRetry, what + " failed: " + why, "", todo);
    }
    std::string name = rendezvous_.NameOf(loss->rank);
    if (!name.empty()) name = " (" + name + ")";
    name = "rank " + std::to_string(loss->rank) + name;
    throw Error(
        ExitCode::kRetry,
        (loss->rank == cluster_.rank ? "the others gave up on this rank: "
                                     : name + " is lost: ") +
            loss->why + where,
        "", todo);
  }

 private:
  Lifeline* lifeline() const { return rendezvous_.lifeline(); }

  void Connect() {
    std::vector<int64_t> ranks(static_cast<size_t>(cluster_.world_size));
    std::iota(ranks.begin(), ranks.end(), int64_t{0});
    MakeBackends(rendezvous_.store(), cluster_.rank, ranks, "", &backend_,
                 &device_backend_);
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
    *device = rendezvous_.Watched([store, rank, size] {
      return MakeDeviceBackend(
          c10::make_intrusive<c10d::PrefixStore>("device", store), rank, size);
    });
  }

  c10::intrusive_ptr<c10d::Backend> MakeGloo(
      const c10::intrusive_ptr<c10d::Store>& store, int64_t rank,
      int64_t size) {
    auto options = c10d::ProcessGroupGloo::Options::create(
        Milliseconds(rendezvous_.Left() + 1));
    const char* const interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices = {
        interface != nullptr && *interface != '\0'
            ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
            : c10d::ProcessGroupGloo::createDeviceForHostname(
                  rendezvous_.address())};
    return rendezvous_.Watched([=]() -> c10::intrusive_ptr<c10d::Backend> {
      auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
          store, static_cast<int>(rank), static_cast<int>(size), options);
      backend->setTimeout(kNoLimit);
      return backend;
    });
  }

  const Cluster cluster_;
  const Options options_;
  Rendezvous rendezvous_;
  // Of the groups made from this one, which may end before it is known that
  // something failed.
  std::vector<c10::intrusive_ptr<c10d::Backend>> some_;
  std::atomic<bool> failed_{false};
  double waited_seconds_ = 0;
};

SubGroup::SubGroup(WorldGroup* world, std::vector<int64_t> ranks,
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

std::unique_ptr<ProcessGroup> SubGroup::Sub(const std::vector<int64_t>& ranks,
                                            const std::string& name) {
  std::vector<int64_t> of_world;
  for (const int64_t rank : ranks) {
    of_world.push_back(ranks_.at(static_cast<size_t>(rank)));
  }
  return world_->Sub(of_world, name);
}

void SubGroup::Wait(const Work& work, const std::string& what, Limit limit) {
  // A rank of another group, which this one's collectives do not need, and
  // which has no reason to end before the next one of all ranks.
  world_->LeaveIfLost(what);
  world_->Wait(work, what, limit);
}

void SubGroup::CheckAlive() { world_->CheckAlive(); }

void SubGroup::Fail(const std::string& why) { world_->Fail(why); }

double SubGroup::waited_seconds() const { return world_->waited_seconds(); }

void SubGroup::Lost(const std::string& what, const std::string& why) {
  world_->Lost(what, why);
}

}  // namespace

std::unique_ptr<ProcessGroup> ProcessGroup::Join(const Cluster& cluster,
                                                 const Options& options) {
  return std::make_unique<WorldGroup>(cluster, options);
}

}  // namespace t2t
