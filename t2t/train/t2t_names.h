#ifndef T2T_TRAIN_T2T_NAMES_H_
#define T2T_TRAIN_T2T_NAMES_H_

#include <cstdint>
#include <string>

#include "t2t/base/flags.h"
#include "t2t/distributed/cluster.h"

namespace t2t {

// T2T's names for training on many devices. What can mean something here is
// accepted; the rest is an error that says what to use instead.
struct T2TNames {
  bool sync = true;  // T2T's default is false
  int64_t ps_replicas = 0;
  int64_t ps_gpu = 0;
  int64_t num_model_shards = 1;
  bool diet = false;

  void AddTo(Flags* flags);
  // tf_config: whether TF_CONFIG says who is in the job.
  void Check(const Cluster& cluster, bool tf_config) const;
};

// The schedule as this place in the job does it: run_std_server, where T2T's
// workers wait for a master's graph, is a rank that trains.
std::string ScheduleHere(const std::string& schedule, const Cluster& cluster);

// --hparams without the hparams of T2T's sharded models (num_model_shards,
// diet_experts), where they ask for what is done anyway; else they are errors.
std::string WithoutShardingHParams(const std::string& hparams);

}  // namespace t2t

#endif  // T2T_TRAIN_T2T_NAMES_H_
