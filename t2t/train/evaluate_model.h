#ifndef T2T_TRAIN_EVALUATE_MODEL_H_
#define T2T_TRAIN_EVALUATE_MODEL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/distributed/process_group.h"
#include "t2t/formats/image.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"
#include "t2t/parallel/sharded_parameters.h"

namespace t2t {

// The ranks that evaluate a model together. All of them read the same input;
// batch i is for the ranks whose place is i modulo `places`. Without a group:
// this process alone.
struct EvaluationRanks {
  ProcessGroup* group = nullptr;
  int64_t place = 0;
  int64_t places = 1;
  // One rank of each place; the others of a split model have the same numbers.
  bool counts = true;
  // ZeRO stage 3: the model's, or null.
  ShardedParameters* parameters = nullptr;
};

// The mean metrics over at most max_batches batches, on every rank; the same
// bits however many places share the batches. Where a rank got SIGTERM or
// SIGINT all throw after the same batch.
//
// `images`, where it isn't null and targets are images: gets T2T's
// image_summary on the rank that has the first batch, the first of them, each
// pixel as the model finds it likeliest, and then the same as they are.
std::map<std::string, double> EvaluateModel(
    Model* model, InputPipeline* input,
    const std::vector<std::string>& metric_names, int64_t max_batches,
    const EvaluationRanks& ranks = {}, std::vector<Image>* images = nullptr);

}  // namespace t2t

#endif  // T2T_TRAIN_EVALUATE_MODEL_H_
