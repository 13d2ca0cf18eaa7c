#ifndef T2T_DISTRIBUTED_CLUSTER_SOURCES_H_
#define T2T_DISTRIBUTED_CLUSTER_SOURCES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/distributed/cluster.h"

namespace t2t {

// Of cluster.cc alone: what flags and variables say of the job, source by
// source.

// One setting, as each source has it. Sources that differ are a UsageError.
template <typename T>
class Setting {
 public:
  explicit Setting(std::string name) : name_(std::move(name)) {}

  void Add(const T& value, const std::string& source) {
    if (!value_) {
      value_ = value;
      source_ = source;
    } else if (*value_ != value) {
      throw UsageError(
          name_ + " is told in two ways: " + source_ + " and " + source,
          "sources that agree", "unset one of them");
    }
  }
  bool known() const { return value_.has_value(); }
  const T& value() const { return *value_; }
  const std::string& source() const { return source_; }

 private:
  std::string name_;
  std::optional<T> value_;
  std::string source_;
};

// What the sources say of the job.
struct JobSettings {
  Setting<int64_t> rank{"the rank"};
  Setting<int64_t> size{"the number of ranks"};
  Setting<int64_t> local_rank{"the local rank"};
  Setting<int64_t> local_size{"the number of ranks on this machine"};
  Setting<int64_t> start_here{"the number of ranks to start here"};
  Setting<std::string> address{"the rendezvous address"};
  Setting<int64_t> port{"the rendezvous port"};
  // Every rank is on this machine.
  bool one_machine = false;
  // Names the job, so that two jobs on a machine take two ports.
  std::string job_name;
};

// The environment's variables.
class Variables {
 public:
  explicit Variables(const Environment& environment)
      : environment_(environment) {}

  // nullptr where it is not set, or empty.
  const std::string* Find(const std::string& name) const;
  bool Has(const std::string& name) const { return Find(name) != nullptr; }
  static std::string Source(const std::string& name, const std::string& value) {
    return name + "=" + value;
  }
  void AddNumber(const std::string& name, int64_t low, int64_t high,
                 Setting<int64_t>* setting) const;
  void AddText(const std::string& name, Setting<std::string>* setting) const;
  // Where one is set, the other must be.
  void CheckBoth(const std::string& a, const std::string& b) const;

 private:
  const Environment& environment_;
};

void AddFlags(const ClusterFlags& flags, JobSettings* job);
// Returns the role: but for workers nothing else matters.
Cluster::Role AddTfConfig(const std::string& text, JobSettings* job);
// torchrun's and PyTorchJob's. For a PyTorchJob with several processes a
// machine, RANK and PET_NODE_RANK count machines and WORLD_SIZE processes.
void AddTorch(const Variables& variables, JobSettings* job);
void AddOpenMpi(const Variables& variables, JobSettings* job);
// Within an srun step only: a batch script sees SLURM_NTASKS as well, and is
// one process.
void AddSlurm(const Variables& variables, JobSettings* job);
void AddIndexedJob(const Variables& variables, JobSettings* job);

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_CLUSTER_SOURCES_H_
