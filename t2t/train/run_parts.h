#ifndef T2T_TRAIN_RUN_PARTS_H_
#define T2T_TRAIN_RUN_PARTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/checkpoint/run_identity.h"
#include "t2t/distributed/process_group.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"
#include "t2t/train/run_config.h"
#include "t2t/train/tensor_parallel_mesh.h"

namespace t2t {

// A run with what LibTorch makes of it: this rank's model, and what rank 0 has
// told the others.
class RunParts {
 public:
  // group: null where the job has one rank. over: the run has ended, and this
  // is its rank 0 alone, which evaluates at most.
  RunParts(const RunConfig& config, ProcessGroup* group, bool over);

  const RunConfig& config;
  const ExperimentFlags& flags;
  ProcessGroup* const group;
  const bool over;
  HParams hparams;
  ProblemInfo info;
  RunIdentity identity;
  std::vector<std::string> metrics;          // that an evaluation computes
  std::unique_ptr<TensorParallelMesh> mesh;  // null: the model is whole
  std::unique_ptr<Model> model;
  // Of the model's meta tensors: in ZeRO's stage 3, and in a dry run.
  std::map<std::string, DrawParameter> initial_values;

  // Rank 0 writes and prints, and decides what evaluations mean.
  bool IsFirst() const { return group == nullptr || group->rank() == 0; }
  // What rank 0 finds, for all ranks.
  bool FromFirst(const std::function<bool()>& body) const;
  std::unique_ptr<InputPipeline> Input(DataSplit split, Mode mode,
                                       uint64_t seed) const;
  // The same of a member of the run's mixture, which outlives it.
  std::unique_ptr<InputPipeline> Input(const Problem& problem, DataSplit split,
                                       Mode mode, uint64_t seed) const;
  // A metric that a flag gives by T2T's tag or by the end of it.
  std::string FindMetric(const std::string& flag, const std::string& tag) const;

 private:
  void GenerateData() const;
  void ShareHParams();
  void NoteWithoutEffect() const;
  int64_t DefaultThreads() const;
  void MakeOwnModel();
};

}  // namespace t2t

#endif  // T2T_TRAIN_RUN_PARTS_H_
