// libt2t_mpi.so: collectives over MPI's non-blocking ones, for tensors on the
// CPU.

#include "t2t/distributed/mpi/mpi_plugin.h"

// The C++ interface, which MPI itself has given up, does not compile cleanly.
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace t2t {
namespace {

void Check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int size = 0;
  ::MPI_Error_string(code, text, &size);
  throw std::runtime_error(std::string(what) + ": " + text);
}

int Count(int64_t count) {
  if (count > std::numeric_limits<int>::max()) {
    throw std::runtime_error(
        "MPI takes 2147483647 elements at most at a time; lower --bucket_mb");
  }
  return static_cast<int>(count);
}

// MPI knows no bf16.
void SumBFloat16(void* from, void* to, int* count, MPI_Datatype*) {
  const auto* const x = static_cast<const c10::BFloat16*>(from);
  auto* const sum = static_cast<c10::BFloat16*>(to);
  for (int i = 0; i < *count; ++i) {
    sum[i] = static_cast<float>(sum[i]) + static_cast<float>(x[i]);
  }
}

class MpiWork : public c10d::Work {
 public:
  using c10d::Work::finish;
};

// The process' MPI. All of its calls are made by one thread, which also drives
// what is under way: MPI does not get on by itself.
class Mpi {
 public:
  // Starts it where it is not yet; ends it when the last one lets go.
  static std::shared_ptr<Mpi> Get() {
    static std::mutex mutex;
    static std::weak_ptr<Mpi> running;
    static bool ended = false;
    std::lock_guard<std::mutex> lock(mutex);
    std::shared_ptr<Mpi> mpi = running.lock();
    if (mpi != nullptr) return mpi;
    if (ended) throw std::runtime_error("MPI can't be started a second time");
    ended = true;
    mpi.reset(new Mpi);
    mpi->Call([&] { mpi->Init(); });
    running = mpi;
    return mpi;
  }

  ~Mpi() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  // Runs it on the thread; returns when it is done.
  void Call(const std::function<void()>& body) {
    auto work = c10::make_intrusive<MpiWork>();
    Add({work, [body] {
           body();
           return MPI_REQUEST_NULL;
         }});
    work->wait();
  }

  // start begins a collective, on the thread.
  c10::intrusive_ptr<c10d::Work> Start(std::function<MPI_Request()> start) {
    auto work = c10::make_intrusive<MpiWork>();
    Add({work, std::move(start)});
    return work;
  }

  MPI_Op bfloat16_sum() const { return bfloat16_sum_; }

 private:
  struct Task {
    c10::intrusive_ptr<MpiWork> work;
    // Keeps what MPI reads and writes until the task is done.
    std::function<MPI_Request()> start;
  };

  Mpi() : thread_([this] { Run(); }) {}

  void Init() {
    int provided = 0;
    Check(::MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided),
          "starting MPI");
    if (provided < MPI_THREAD_SERIALIZED) {
      throw std::runtime_error("this MPI does not work with threads");
    }
    ::MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    Check(::MPI_Op_create(SumBFloat16, /*commute=*/1, &bfloat16_sum_),
          "MPI_Op_create");
    started_ = true;
  }

  void Add(Task task) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
  }

  // The collectives under way.
  struct Running {
    std::vector<Task> tasks;
    std::vector<MPI_Request> requests;  // of each task
    std::vector<int> done;

    void Start(Task task) {
      try {
        const MPI_Request request = task.start();
        if (request == MPI_REQUEST_NULL) {
          task.work->finish();
        } else {
          requests.push_back(request);
          tasks.push_back(std::move(task));
        }
      } catch (...) {
        task.work->finish(std::current_exception());
      }
    }

    // Returns whether any has ended.
    bool FinishSome() {
      int count = 0;
      done.resize(requests.size());
      const int code =
          ::MPI_Testsome(static_cast<int>(requests.size()), requests.data(),
                         &count, done.data(), MPI_STATUSES_IGNORE);
      if (code != MPI_SUCCESS) {
        Fail(code);
        return true;
      }
      for (int i = 0; i < count; ++i) {
        tasks[static_cast<size_t>(done[static_cast<size_t>(i)])].work->finish();
      }
      for (size_t i = requests.size(); i-- > 0;) {
        if (requests[i] != MPI_REQUEST_NULL) continue;
        requests.erase(requests.begin() + static_cast<int64_t>(i));
        tasks.erase(tasks.begin() + static_cast<int64_t>(i));
      }
      return count > 0;
    }

    // Which one it was does not matter: the job ends.
    void Fail(int code) {
      for (Task& task : tasks) {
        try {
          Check(code, "an MPI collective");
        } catch (...) {
          task.work->finish(std::current_exception());
        }
      }
      tasks.clear();
      requests.clear();
    }
  };

  void Run() {
    Running running;
    int idle = 0;
    while (true) {
      std::deque<Task> fresh;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        if (running.tasks.empty()) {
          changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
          if (tasks_.empty()) break;
        }
        fresh.swap(tasks_);
      }
      for (Task& task : fresh) {
        running.Start(std::move(task));
        idle = 0;
      }
      if (running.tasks.empty()) continue;
      idle = running.FinishSome() ? 0 : idle + 1;
      // The processors are for computing.
      if (idle > 20) {
        ::usleep(idle > 200 ? 200 : 20);
      } else if (idle > 0) {
        ::sched_yield();
      }
    }
    if (started_) ::MPI_Finalize();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  bool started_ = false;
  MPI_Op bfloat16_sum_ = MPI_OP_NULL;
  std::thread thread_;  // last: it uses the others
};

class MpiBackend : public c10d::Backend {
 public:
  MpiBackend(std::shared_ptr<Mpi> mpi, MPI_Comm communicator, int rank,
             int size)
      : c10d::Backend(rank, size),
        mpi_(std::move(mpi)),
        communicator_(communicator) {}

  const std::string getBackendName() const override { return "mpi"; }

  c10::intrusive_ptr<c10d::Work> allreduce(
      std::vector<at::Tensor>& tensors,
      const c10d::AllreduceOptions& options) override {
    const at::Tensor tensor = One(tensors);
    const MPI_Datatype type = SumType(tensor.scalar_type());
    const MPI_Op op = OpOf(options.reduceOp, tensor.scalar_type());
    return mpi_->Start([this, tensor, type, op] {
      MPI_Request request = MPI_REQUEST_NULL;
      Check(::MPI_Iallreduce(MPI_IN_PLACE, tensor.mutable_data_ptr(),
                             Count(tensor.numel()), type, op, communicator_,
                             &request),
            "MPI_Iallreduce");
      return request;
    });
  }

  c10::intrusive_ptr<c10d::Work> broadcast(
      std::vector<at::Tensor>& tensors,
      const c10d::BroadcastOptions& options) override {
    const at::Tensor tensor = One(tensors);
    const int root = static_cast<int>(options.rootRank);
    return mpi_->Start([this, tensor, root] {
      MPI_Request request = MPI_REQUEST_NULL;
      Check(::MPI_Ibcast(tensor.mutable_data_ptr(), Count(tensor.numel()),
                         MoveType(tensor), root, communicator_, &request),
            "MPI_Ibcast");
      return request;
    });
  }

  c10::intrusive_ptr<c10d::Work> _allgather_base(
      at::Tensor& output, at::Tensor& input,
      const c10d::AllgatherOptions&) override {
    CheckPlain(input);
    CheckPlain(output);
    if (output.numel() != input.numel() * size_) {
      throw std::runtime_error("an output that is not every rank's input");
    }
    return mpi_->Start([this, input, output] {
      MPI_Request request = MPI_REQUEST_NULL;
      Check(::MPI_Iallgather(input.const_data_ptr(), Count(input.numel()),
                             MoveType(input), output.mutable_data_ptr(),
                             Count(input.numel()), MoveType(output),
                             communicator_, &request),
            "MPI_Iallgather");
      return request;
    });
  }

  c10::intrusive_ptr<c10d::Work> alltoall_base(
      at::Tensor& output, at::Tensor& input, std::vector<int64_t>& output_sizes,
      std::vector<int64_t>& input_sizes,
      const c10d::AllToAllOptions&) override {
    CheckPlain(input);
    CheckPlain(output);
    // MPI reads them until it is done.
    auto sent = std::make_shared<Parts>(input_sizes, input, size_);
    auto received = std::make_shared<Parts>(output_sizes, output, size_);
    return mpi_->Start([this, input, output, sent, received] {
      MPI_Request request = MPI_REQUEST_NULL;
      Check(::MPI_Ialltoallv(input.const_data_ptr(), sent->counts.data(),
                             sent->places.data(), MoveType(input),
                             output.mutable_data_ptr(), received->counts.data(),
                             received->places.data(), MoveType(output),
                             communicator_, &request),
            "MPI_Ialltoallv");
      return request;
    });
  }

 private:
  // Of dimension 0, by rank; no sizes: even ones.
  struct Parts {
    Parts(const std::vector<int64_t>& sizes, const at::Tensor& tensor,
          int ranks) {
      std::vector<int64_t> rows = sizes;
      if (rows.empty()) {
        rows.assign(static_cast<size_t>(ranks), tensor.size(0) / ranks);
      }
      const int64_t total =
          std::accumulate(rows.begin(), rows.end(), int64_t{0});
      if (rows.size() != static_cast<size_t>(ranks) ||
          total != tensor.size(0)) {
        throw std::runtime_error("parts that are not the whole tensor");
      }
      const int64_t row = total == 0 ? 0 : tensor.numel() / total;
      int64_t place = 0;
      for (const int64_t count : rows) {
        counts.push_back(Count(count * row));
        places.push_back(Count(place));
        place += count * row;
      }
    }
    std::vector<int> counts;
    std::vector<int> places;
  };

  static void CheckPlain(const at::Tensor& tensor) {
    if (tensor.is_contiguous() && tensor.device().is_cpu()) return;
    throw std::runtime_error("MPI takes contiguous tensors on the CPU");
  }

  static at::Tensor One(const std::vector<at::Tensor>& tensors) {
    if (tensors.size() != 1) throw std::runtime_error("one tensor at a time");
    CheckPlain(tensors[0]);
    return tensors[0];
  }

  // For moving alone, a type of the elements' size.
  static MPI_Datatype MoveType(const at::Tensor& tensor) {
    switch (tensor.element_size()) {
      case 1:
        return MPI_UINT8_T;
      case 2:
        return MPI_UINT16_T;
      case 4:
        return MPI_UINT32_T;
      case 8:
        return MPI_UINT64_T;
      default:
        throw std::runtime_error("elements of a size that MPI has no type of");
    }
  }

  static MPI_Datatype SumType(at::ScalarType type) {
    switch (type) {
      case at::kFloat:
        return MPI_FLOAT;
      case at::kDouble:
        return MPI_DOUBLE;
      case at::kLong:
        return MPI_INT64_T;
      case at::kInt:
        return MPI_INT32_T;
      case at::kByte:
        return MPI_UINT8_T;
      case at::kBFloat16:
        return MPI_UINT16_T;
      default:
        throw std::runtime_error(
            std::string("MPI does not add up tensors of ") +
            c10::toString(type));
    }
  }

  MPI_Op OpOf(const c10d::ReduceOp& op, at::ScalarType type) const {
    const bool is_bfloat16 = type == at::kBFloat16;
    if (op == c10d::ReduceOp::SUM) {
      return is_bfloat16 ? mpi_->bfloat16_sum() : MPI_SUM;
    }
    if (!is_bfloat16 && op == c10d::ReduceOp::MAX) return MPI_MAX;
    if (!is_bfloat16 && op == c10d::ReduceOp::MIN) return MPI_MIN;
    throw std::runtime_error("a reduction that MPI is not asked for here");
  }

  const std::shared_ptr<Mpi> mpi_;
  const MPI_Comm communicator_;
};

MPI_Comm Connect(const std::vector<int64_t>& ranks, int64_t rank, int64_t size,
                 const std::string& name) {
  int world_size = 0;
  int world_rank = 0;
  Check(::MPI_Comm_size(MPI_COMM_WORLD, &world_size), "MPI_Comm_size");
  Check(::MPI_Comm_rank(MPI_COMM_WORLD, &world_rank), "MPI_Comm_rank");
  if (world_size != size || world_rank != rank) {
    throw std::runtime_error("this is rank " + std::to_string(rank) + " of " +
                             std::to_string(size) + ", but for MPI " +
                             std::to_string(world_rank) + " of " +
                             std::to_string(world_size));
  }
  MPI_Comm communicator = MPI_COMM_NULL;
  MPI_Group world = MPI_GROUP_NULL;
  MPI_Group group = MPI_GROUP_NULL;
  std::vector<int> members(ranks.begin(), ranks.end());
  Check(::MPI_Comm_group(MPI_COMM_WORLD, &world), "MPI_Comm_group");
  Check(::MPI_Group_incl(world, static_cast<int>(members.size()),
                         members.data(), &group),
        "MPI_Group_incl");
  // The tag tells groups apart that are made at the same time.
  const int tag = static_cast<int>(std::hash<std::string>()(name) % 32768);
  Check(::MPI_Comm_create_group(MPI_COMM_WORLD, group, tag, &communicator),
        "MPI_Comm_create_group");
  ::MPI_Group_free(&group);
  ::MPI_Group_free(&world);
  ::MPI_Comm_set_errhandler(communicator, MPI_ERRORS_RETURN);
  return communicator;
}

}  // namespace
}  // namespace t2t

extern "C" __attribute__((visibility("default"))) void T2tMakeMpiBackend(
    const std::vector<int64_t>& ranks, int64_t rank, int64_t size,
    const std::string& name, c10::intrusive_ptr<c10d::Backend>* backend) {
  const std::shared_ptr<t2t::Mpi> mpi = t2t::Mpi::Get();
  MPI_Comm communicator = MPI_COMM_NULL;
  int own = 0;
  mpi->Call([&] {
    communicator = t2t::Connect(ranks, rank, size, name);
    t2t::Check(::MPI_Comm_rank(communicator, &own), "MPI_Comm_rank");
  });
  *backend = c10::make_intrusive<t2t::MpiBackend>(
      mpi, communicator, own, static_cast<int>(ranks.size()));
}
