#ifndef T2T_DISTRIBUTED_PROCESS_GROUP_H_
#define T2T_DISTRIBUTED_PROCESS_GROUP_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/distributed/cluster.h"

namespace t2t {

// A job's ranks, connected: c10d's TCPStore to meet at, Gloo (or MPI, and NCCL
// between GPUs) for the data, a
// Lifeline to know who is lost. Every rank makes the same calls in the same
// order. A call that can't be done because a rank is lost, or that takes longer
// than its limit, throws an Error with kRetry that names the rank; after it the
// program is to end (it then exits without running static destructors, since
// Gloo's threads may hang).
class ProcessGroup {
 public:
  struct Options {
    double rendezvous_seconds = 300;
    double collective_seconds = 600;
    // A rank that is silent for so long is lost.
    double silence_seconds = 5;
    // What moves tensors of the CPU: "gloo", or "mpi" under mpirun (in
    // libt2t_mpi.so). Those of a GPU are NCCL's.
    std::string backend = "gloo";
  };
  enum class Limit { kCollective, kNone };

  // A collective under way.
  struct Pending;
  using Work = std::shared_ptr<Pending>;

  // Meets the other ranks. Where some don't come in time the error of every
  // rank names them.
  static std::unique_ptr<ProcessGroup> Join(const Cluster& cluster,
                                            const Options& options);
  virtual ~ProcessGroup() = default;

  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;

  // The group of some of the ranks, in this order, to be called by all of them
  // and by no other; name tells it from others of the same ranks. Its limits
  // and messages are those of this group, which must outlive it: a rank lost
  // anywhere is an error in each group.
  virtual std::unique_ptr<ProcessGroup> Sub(const std::vector<int64_t>& ranks,
                                            const std::string& name) = 0;

  // Contiguous tensors, on the CPU or on ComputeDevice(), which must live until
  // Wait().
  virtual Work StartAllReduce(const at::Tensor& tensor) = 0;  // sum
  // 1-D; output: size() times as long, by rank.
  virtual Work StartAllGather(const at::Tensor& input,
                              const at::Tensor& output) = 0;
  // 1-D; counts by rank.
  virtual Work StartAllToAll(const at::Tensor& input,
                             const std::vector<int64_t>& input_counts,
                             const at::Tensor& output,
                             const std::vector<int64_t>& output_counts) = 0;
  // From rank 0.
  virtual Work StartBroadcast(const at::Tensor& tensor) = 0;
  // what: for the message ("the sum of gradients").
  virtual void Wait(const Work& work, const std::string& what,
                    Limit limit = Limit::kCollective) = 0;

  void AllReduce(const at::Tensor& tensor, const std::string& what);
  at::Tensor AllGather(const at::Tensor& input, const std::string& what);
  void Broadcast(const at::Tensor& tensor, const std::string& what);
  // This rank's shard of the sum of all: 1-D, cut into size() equal shards. The
  // sum is taken in the order of the ranks.
  at::Tensor ReduceScatter(const at::Tensor& input, const std::string& what);
  // 1-D; counts by rank.
  at::Tensor AllToAll(const at::Tensor& input,
                      const std::vector<int64_t>& input_counts,
                      const std::vector<int64_t>& output_counts,
                      const std::string& what);
  // Rank 0's text, to all.
  std::string BroadcastText(const std::string& text, const std::string& what);
  // Until every rank is here. With kNone as long as all of them live: while
  // rank 0 evaluates or writes.
  void Barrier(const std::string& what, Limit limit = Limit::kCollective);

  // Throws where a rank is known to be lost.
  virtual void CheckAlive() = 0;
  // Tells the others that this rank ends with an error.
  virtual void Fail(const std::string& why) = 0;
  // Seconds spent in Wait() so far, those in groups made from this one too.
  virtual double waited_seconds() const = 0;
  // Seconds so far in which a collective was under way, from its start here to
  // its end, in groups made from this one too; what is so at the same time
  // counts once. 0: not known, but with Gloo alone.
  virtual double under_way_seconds() const = 0;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_PROCESS_GROUP_H_
