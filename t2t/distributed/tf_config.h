#ifndef T2T_DISTRIBUTED_TF_CONFIG_H_
#define T2T_DISTRIBUTED_TF_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

// What TF_CONFIG says of a process and its job.
struct TfConfig {
  enum class Task { kTraining, kEvaluator, kParameterServer };

  Task task = Task::kTraining;
  // "host:port" of all that train, by rank: the chief (or master), then the
  // workers. Empty where the process is alone.
  std::vector<std::string> addresses;
  int64_t rank = 0;
  std::string place;  // "worker 1", for messages
  std::string job;    // "1 chief, 2 worker", for messages
};

// Reads TF_CONFIG in every form that TensorFlow takes: parts that are missing,
// null or empty say nothing; an index may be a text; a job's tasks may be an
// object from index to address. Throws a usage error that names the part that
// is missing or wrong.
TfConfig ReadTfConfig(const std::string& text);

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_TF_CONFIG_H_
