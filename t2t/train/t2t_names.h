#ifndef T2T_TRAIN_T2T_NAMES_H_
#define T2T_TRAIN_T2T_NAMES_H_

#include <cstdint>
#include <string>

#include "t2t/base/flags.h"
#include "t2t/distributed/cluster.h"
#include "t2t/hparams/hparams.h"

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

// What --mesh_shape and --layout are to say.
struct MeshFlags {
  std::string shape;
  std::string layout;
  std::string note;  // to be told to the user; may be empty
};

// T2T's models on a mesh have mesh_shape and layout among their hparams. They
// hold where --mesh_shape and --layout are not given and the job has as many
// ranks as they ask for; in a job of another size each rank holds the whole
// model, which the note says.
MeshFlags MeshOfHParams(const std::string& mesh_shape,
                        const std::string& layout, const HParams& hparams,
                        int64_t ranks);

}  // namespace t2t

#endif  // T2T_TRAIN_T2T_NAMES_H_
