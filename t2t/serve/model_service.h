#ifndef T2T_SERVE_MODEL_SERVICE_H_
#define T2T_SERVE_MODEL_SERVICE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "t2t/serve/batch_queue.h"
#include "t2t/serve/metrics.h"
#include "t2t/serve/servable.h"
#include "t2t/serve/version_manager.h"

namespace t2t {

// gRPC's codes.
enum class ServeCode {
  kOk = 0,
  kCancelled = 1,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

const char* ServeCodeName(ServeCode code);

struct ModelServiceOptions {
  std::string name = "default";
  BatchOptions batching;
  int64_t max_input_tokens = 512;  // a row
  int64_t max_rows = 256;          // a request
  // For Attend(), whose answer grows with their product.
  int64_t max_attention_tokens = 100;
};

struct PredictInput {
  std::string bytes;
  bool is_text = true;  // else a serialized tf.Example
  std::string error;    // where it is known to be wrong before it is encoded
};

// What Predict() is asked.
struct PredictCall {
  std::optional<int64_t> version;  // else the newest
  std::vector<PredictInput> inputs;
  // Whether the caller can say what is wrong with a row beside the others'
  // answers. Where it can't, one bad row refuses the call.
  bool has_row_errors = false;
  // Whether only texts are wanted: then a classifier says "" to nothing.
  bool is_text_only = false;
};

struct PredictResult {
  ServeCode code = ServeCode::kOk;
  std::string error;
  int64_t version = 0;
  std::vector<Prediction> predictions;
  // Texts of the predictions' hypotheses: one list a row.
  std::vector<std::vector<std::string>> texts;
  // What is wrong with each row; empty where nothing is.
  std::vector<std::string> row_errors;
  bool gives_int32 = true;
  int64_t beams = 0;
};

struct AttentionResult {
  ServeCode code = ServeCode::kOk;
  std::string error;
  int64_t version = 0;
  std::string text;
  AttentionWeights attention;
};

// What REST and gRPC have in common: a request's checks, its way through the
// queue, its deadline, and the counts of all that.
class ModelService {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Done = std::function<void(PredictResult)>;

  // Serves nothing until Load().
  explicit ModelService(const ModelServiceOptions& options);
  ModelService(const ModelServiceOptions& options,
               const VersionOptions& versions, VersionManager::Load load);

  // Loads what there is to serve; throws where that is nothing. Once.
  void Load(const VersionOptions& versions, VersionManager::Load load);
  // Whether Load() is done. Before that only name() and the metrics may be
  // asked for.
  bool is_loaded() const { return is_loaded_; }

  // done is called once, on this or another thread. When *cancelled (may be
  // null) becomes true, the work ends at the next step.
  void Predict(const PredictCall& call, Time deadline, Done done,
               std::shared_ptr<const std::atomic<bool>> cancelled = nullptr);
  // The same; returns at the deadline at the latest, or soon after is_gone
  // (may be empty) says that nobody waits.
  PredictResult PredictAndWait(const PredictCall& call, Time deadline,
                               const std::function<bool()>& is_gone = nullptr);
  // The newest version's answer to a text, and where it looked. One at a time
  // besides the batches.
  AttentionResult Attend(const std::string& text, Time deadline,
                         const std::function<bool()>& is_gone = nullptr);

  const std::string& name() const { return options_.name; }
  VersionManager& versions() { return *versions_; }
  Metrics& metrics() { return metrics_; }
  // With the gauges of this moment.
  std::string MetricsText();
  // Counts a request that was answered.
  void CountAnswer(const std::string& protocol, const std::string& code,
                   double seconds);

 private:
  // A row's ids, none where nothing is to be said; or what is wrong with it.
  Servable::Ids Encode(const Servable& servable, const PredictCall& call,
                       size_t row, std::string* error) const;

  struct EncodedRows {
    std::vector<ServableQueue::Row> rows;
    // Which input each row is: texts of white space need no model.
    std::vector<size_t> places;
    std::vector<std::string> errors;  // of every input; "" where it is right
    int64_t tokens = 0;
  };
  // Returns what is answered where the request, or one of its rows, is wrong.
  std::optional<PredictResult> Refuse(const PredictCall& call,
                                      const ServedVersion* served) const;
  std::optional<PredictResult> EncodeRows(const Servable& servable,
                                          const PredictCall& call,
                                          EncodedRows* encoded) const;
  std::unique_ptr<ServableQueue> StartQueue(Servable* servable);
  std::vector<Prediction> RunBatch(Servable* servable,
                                   const std::vector<Servable::Ids>& rows,
                                   const ServableQueue::IsGone& is_gone);

  const ModelServiceOptions options_;
  Metrics metrics_;
  std::atomic<bool> is_loaded_{false};
  std::timed_mutex attention_mutex_;
  std::optional<VersionManager> versions_;  // last: its queues use the rest
};

}  // namespace t2t

#endif  // T2T_SERVE_MODEL_SERVICE_H_
