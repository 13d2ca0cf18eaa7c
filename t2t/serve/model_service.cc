#include "t2t/serve/model_service.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <future>
#include <initializer_list>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/log.h"

namespace t2t {
namespace {

// What is said of it to clients; the log says more.
constexpr char kModelFailed[] = "the model failed";

double ResidentBytes() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) *
         static_cast<double>(::sysconf(_SC_PAGESIZE));
}

PredictResult Failure(ServeCode code, const std::string& error) {
  PredictResult result;
  result.code = code;
  result.error = error;
  return result;
}

// Puts what the model threw where it belongs; whether it did.
bool TakeErrors(const std::vector<std::string>& errors,
                const std::vector<size_t>& places,
                std::vector<std::string>* row_errors) {
  bool failed = false;
  for (size_t i = 0; i < errors.size(); ++i) {
    if (errors[i].empty()) continue;
    Warn("a row failed: " + errors[i]);
    failed = true;
    (*row_errors)[places[i]] = kModelFailed;
  }
  return failed;
}

// Puts outputs where they belong, with their texts; rows without an output
// are empty.
void TakeOutputs(const Servable& servable, const std::vector<size_t>& places,
                 const std::vector<bool>& wants_text,
                 std::vector<Prediction> outputs, PredictResult* result) {
  const size_t beams = static_cast<size_t>(std::max<int64_t>(result->beams, 1));
  result->predictions.resize(wants_text.size());
  result->texts.resize(wants_text.size());
  for (size_t i = 0; i < places.size(); ++i) {
    result->predictions[places[i]] = std::move(outputs[i]);
  }
  for (size_t i = 0; i < wants_text.size(); ++i) {
    result->predictions[i].hypotheses.resize(beams);
    if (!wants_text[i]) continue;
    for (const auto& hypothesis : result->predictions[i].hypotheses) {
      result->texts[i].push_back(
          hypothesis.ids.empty() ? "" : servable.Decode(hypothesis.ids));
    }
  }
}

// What a request's rows have become. places: which of its inputs each row is;
// errors: of all inputs.
PredictResult ResultOf(const ServedVersion& served,
                       const std::vector<size_t>& places,
                       const std::vector<bool>& wants_text,
                       const std::vector<std::string>& errors,
                       bool has_row_errors, ServableQueue::Reply reply) {
  if (reply.status == BatchStatus::kDeadline) {
    return Failure(ServeCode::kDeadlineExceeded, "the request waited too long");
  }
  if (reply.status == BatchStatus::kCancelled) {
    return Failure(ServeCode::kCancelled, "the request was cancelled");
  }
  PredictResult result;
  result.row_errors = errors;
  result.version = served.version;
  result.gives_int32 = served.servable->gives_int32();
  result.beams = served.servable->beams();
  const bool failed = TakeErrors(reply.errors, places, &result.row_errors);
  if (failed && (!has_row_errors || reply.status == BatchStatus::kFailed)) {
    return Failure(ServeCode::kInternal, kModelFailed);
  }
  try {
    TakeOutputs(*served.servable, places, wants_text, std::move(reply.outputs),
                &result);
  } catch (const std::exception& error) {
    Warn("an output has no text: " + std::string(error.what()));
    return Failure(ServeCode::kInternal, kModelFailed);
  }
  return result;
}

}  // namespace

const char* ServeCodeName(ServeCode code) {
  switch (code) {
    case ServeCode::kOk:
      return "OK";
    case ServeCode::kCancelled:
      return "CANCELLED";
    case ServeCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ServeCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case ServeCode::kNotFound:
      return "NOT_FOUND";
    case ServeCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case ServeCode::kUnimplemented:
      return "UNIMPLEMENTED";
    case ServeCode::kUnavailable:
      return "UNAVAILABLE";
    case ServeCode::kUnauthenticated:
      return "UNAUTHENTICATED";
    case ServeCode::kInternal:
      break;
  }
  return "INTERNAL";
}

ModelService::ModelService(const ModelServiceOptions& options,
                           const VersionOptions& versions,
                           VersionManager::Load load)
    : ModelService(options) {
  Load(versions, std::move(load));
}

ModelService::ModelService(const ModelServiceOptions& options)
    : options_(options) {
  const std::vector<double> seconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                       0.5,   1,    2.5,   5,    10,  30};
  metrics_.AddHistogram("t2t_request_seconds", "From request to answer.",
                        seconds);
  metrics_.AddHistogram("t2t_batch_seconds", "A batch's time in the model.",
                        seconds);
  metrics_.AddHistogram("t2t_batch_rows", "Rows of a batch.",
                        {1, 2, 4, 8, 16, 32, 64, 128});
  for (const auto& [family, type, help] :
       std::initializer_list<std::array<const char*, 3>>{
           {"t2t_requests_total", "counter",
            "Answered requests by protocol and code."},
           {"t2t_rows_total", "counter", "Rows the model has seen."},
           {"t2t_dropped_rows_total", "counter",
            "Rows that left their batch early: cancelled or too late."},
           {"t2t_input_tokens_total", "counter",
            "Input tokens the model has seen."},
           {"t2t_output_tokens_total", "counter",
            "Tokens of the best hypotheses."},
           {"t2t_batches_total", "counter", "Batches run."},
           {"t2t_queue_rows", "gauge", "Rows that wait."},
           {"t2t_queue_tokens", "gauge", "Tokens that wait."},
           {"t2t_model_version", "gauge", "The newest version served."},
           {"t2t_version_swaps_total", "counter", "Versions that took over."},
           {"process_resident_memory_bytes", "gauge", "Resident memory."}}) {
    metrics_.Describe(family, type, help);
  }
}

void ModelService::Load(const VersionOptions& versions,
                        VersionManager::Load load) {
  versions_.emplace(versions, std::move(load), [this](Servable* servable) {
    return StartQueue(servable);
  });
  is_loaded_ = true;
}

std::unique_ptr<ServableQueue> ModelService::StartQueue(Servable* servable) {
  return std::make_unique<ServableQueue>(
      options_.batching,
      [this, servable](const std::vector<Servable::Ids>& rows,
                       const ServableQueue::IsGone& is_gone) {
        return RunBatch(servable, rows, is_gone);
      });
}

std::vector<Prediction> ModelService::RunBatch(
    Servable* servable, const std::vector<Servable::Ids>& rows,
    const ServableQueue::IsGone& is_gone) {
  const double start = NowSeconds();
  std::vector<bool> gone(rows.size());
  std::vector<Prediction> predictions =
      servable->Predict(rows, [&](size_t row) {
        if (!gone[row] && is_gone(row)) {
          gone[row] = true;
          metrics_.Count("t2t_dropped_rows_total");
        }
        return gone[row];
      });
  int64_t inputs = 0;
  int64_t outputs = 0;
  for (const Servable::Ids& row : rows) {
    inputs += static_cast<int64_t>(row.size());
  }
  for (const Prediction& prediction : predictions) {
    if (prediction.hypotheses.empty()) continue;
    outputs += static_cast<int64_t>(prediction.hypotheses[0].ids.size());
  }
  metrics_.Count("t2t_batches_total");
  metrics_.Count("t2t_rows_total", static_cast<int64_t>(rows.size()));
  metrics_.Count("t2t_input_tokens_total", inputs);
  metrics_.Count("t2t_output_tokens_total", outputs);
  metrics_.Observe("t2t_batch_rows", static_cast<double>(rows.size()));
  metrics_.Observe("t2t_batch_seconds", NowSeconds() - start);
  return predictions;
}

Servable::Ids ModelService::Encode(const Servable& servable,
                                   const PredictCall& call, size_t row,
                                   std::string* error) const {
  const PredictInput& input = call.inputs[row];
  *error = input.error;
  if (!error->empty()) return {};
  Servable::Ids ids;
  try {
    ids = input.is_text ? servable.Encode(input.bytes)
                        : servable.EncodeExample(input.bytes);
  } catch (const Error& exception) {
    *error = exception.what();
    return {};
  }
  if (static_cast<int64_t>(ids.size()) > options_.max_input_tokens) {
    *error = std::to_string(ids.size()) + " tokens; at most " +
             std::to_string(options_.max_input_tokens) + " are taken";
    return {};
  }
  if (ids.empty() && servable.gives_class() && !call.is_text_only) {
    *error = "the input is empty: nothing has no class";
  }
  return ids;
}

std::optional<PredictResult> ModelService::EncodeRows(
    const Servable& servable, const PredictCall& call,
    EncodedRows* encoded) const {
  encoded->errors.resize(call.inputs.size());
  size_t bad = 0;
  size_t first_bad = 0;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    Servable::Ids ids = Encode(servable, call, i, &encoded->errors[i]);
    if (!encoded->errors[i].empty()) {
      if (++bad == 1) first_bad = i;
      if (call.has_row_errors && bad < call.inputs.size()) continue;
      PredictResult refusal = Failure(ServeCode::kInvalidArgument,
                                      "row " + std::to_string(first_bad) +
                                          ": " + encoded->errors[first_bad]);
      refusal.row_errors = std::move(encoded->errors);
      return refusal;
    }
    if (ids.empty()) continue;
    const auto length = static_cast<int64_t>(ids.size());
    encoded->tokens += length;
    encoded->rows.push_back({std::move(ids), length});
    encoded->places.push_back(i);
  }
  return std::nullopt;
}

std::optional<PredictResult> ModelService::Refuse(
    const PredictCall& call, const ServedVersion* served) const {
  if (served == nullptr) {
    const std::string version = call.version.has_value()
                                    ? "Specific(" + options_.name + ", " +
                                          std::to_string(*call.version) + ")"
                                    : "Latest(" + options_.name + ")";
    return Failure(ServeCode::kNotFound,
                   "Servable not found for request: " + version);
  }
  if (call.inputs.empty() ||
      static_cast<int64_t>(call.inputs.size()) > options_.max_rows) {
    return Failure(ServeCode::kInvalidArgument,
                   "the request has " + std::to_string(call.inputs.size()) +
                       " rows; between 1 and " +
                       std::to_string(options_.max_rows) + " are taken");
  }
  return std::nullopt;
}

void ModelService::Predict(const PredictCall& call, Time deadline, Done done,
                           std::shared_ptr<const std::atomic<bool>> cancelled) {
  const std::shared_ptr<ServedVersion> served = versions_->Get(call.version);
  EncodedRows encoded;
  std::optional<PredictResult> refusal = Refuse(call, served.get());
  if (!refusal) refusal = EncodeRows(*served->servable, call, &encoded);
  if (!refusal &&
      !served->queue->CanHold(static_cast<int64_t>(encoded.rows.size()),
                              encoded.tokens)) {
    refusal = Failure(ServeCode::kInvalidArgument,
                      "the request's " + std::to_string(encoded.tokens) +
                          " tokens are more than the queue holds; split it");
  }
  if (refusal) {
    done(std::move(*refusal));
    return;
  }
  std::vector<bool> wants_text;
  for (const PredictInput& input : call.inputs) {
    wants_text.push_back(input.is_text);
  }
  const auto finish =
      [served, places = encoded.places, wants_text, errors = encoded.errors,
       has_row_errors = call.has_row_errors, done](ServableQueue::Reply reply) {
        done(ResultOf(*served, places, wants_text, errors, has_row_errors,
                      std::move(reply)));
      };
  if (encoded.rows.empty()) {
    finish({});
    return;
  }
  switch (served->queue->Submit(std::move(encoded.rows), deadline, finish,
                                std::move(cancelled))) {
    case BatchStatus::kOk:
      break;
    case BatchStatus::kFull:
      done(Failure(ServeCode::kResourceExhausted,
                   "the server is at its limit; try again"));
      break;
    default:
      done(Failure(ServeCode::kUnavailable, "the server is stopping"));
      break;
  }
}

PredictResult ModelService::PredictAndWait(
    const PredictCall& call, Time deadline,
    const std::function<bool()>& is_gone) {
  constexpr auto kLook = std::chrono::milliseconds(20);
  const auto promise = std::make_shared<std::promise<PredictResult>>();
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  std::future<PredictResult> future = promise->get_future();
  Predict(
      call, deadline,
      [promise](PredictResult r) { promise->set_value(std::move(r)); },
      cancelled);
  while (true) {
    const Time now = std::chrono::steady_clock::now();
    const Time until = is_gone ? std::min(deadline, now + kLook) : deadline;
    if (future.wait_until(until) == std::future_status::ready) {
      return future.get();
    }
    if (until == deadline) {
      return Failure(ServeCode::kDeadlineExceeded, "the request took too long");
    }
    if (is_gone()) {
      *cancelled = true;
      return Failure(ServeCode::kCancelled, "the request was cancelled");
    }
  }
}

AttentionResult ModelService::Attend(const std::string& text, Time deadline,
                                     const std::function<bool()>& is_gone) {
  AttentionResult result;
  const auto fail = [&](ServeCode code, const std::string& error) {
    result.code = code;
    result.error = error;
    return result;
  };
  const std::shared_ptr<ServedVersion> served = versions_->Get({});
  if (served == nullptr) {
    return fail(ServeCode::kUnavailable, "the server is stopping");
  }
  const Servable& servable = *served->servable;
  Servable::Ids input;
  try {
    input = servable.Encode(text);
  } catch (const Error& error) {
    return fail(ServeCode::kInvalidArgument, error.what());
  }
  if (input.empty()) {
    return fail(ServeCode::kInvalidArgument, "there is no text");
  }
  const int64_t most = options_.max_attention_tokens;
  if (static_cast<int64_t>(input.size()) > most) {
    return fail(ServeCode::kInvalidArgument,
                "the text has " + std::to_string(input.size()) +
                    " tokens; attention is shown for at most " +
                    std::to_string(most));
  }
  const PredictResult predicted =
      PredictAndWait({served->version, {{text, true}}}, deadline, is_gone);
  if (predicted.code != ServeCode::kOk) {
    return fail(predicted.code, predicted.error);
  }
  Servable::Ids output = predicted.predictions[0].hypotheses[0].ids;
  if (static_cast<int64_t>(output.size()) > most) output.resize(most);
  const std::unique_lock<std::timed_mutex> lock(attention_mutex_, deadline);
  if (!lock.owns_lock()) {
    return fail(ServeCode::kDeadlineExceeded, "the request waited too long");
  }
  std::optional<AttentionWeights> attention;
  try {
    attention = servable.Attend(input, output);
  } catch (const std::exception& error) {
    Warn("attention: " + std::string(error.what()));
    return fail(ServeCode::kInternal, kModelFailed);
  }
  if (!attention.has_value()) {
    return fail(ServeCode::kUnimplemented,
                "this model has no attention weights to show");
  }
  result.version = predicted.version;
  result.text = predicted.texts[0][0];
  result.attention = *std::move(attention);
  return result;
}

std::string ModelService::MetricsText() {
  metrics_.Set("process_resident_memory_bytes", ResidentBytes());
  if (!is_loaded_) return metrics_.ToText();
  if (const std::shared_ptr<ServedVersion> served = versions_->Get({})) {
    const ServableQueue::Load load = served->queue->load();
    metrics_.Set("t2t_queue_rows", static_cast<double>(load.rows));
    metrics_.Set("t2t_queue_tokens", static_cast<double>(load.tokens));
    metrics_.Set("t2t_model_version", static_cast<double>(served->version));
  }
  metrics_.Set("t2t_version_swaps_total",
               static_cast<double>(versions_->swaps()));
  return metrics_.ToText();
}

void ModelService::CountAnswer(const std::string& protocol,
                               const std::string& code, double seconds) {
  metrics_.Count("t2t_requests_total{protocol=\"" + protocol + "\",code=\"" +
                 code + "\"}");
  metrics_.Observe("t2t_request_seconds", seconds);
}

}  // namespace t2t
