#ifndef T2T_DECODE_TEXT_DECODER_H_
#define T2T_DECODE_TEXT_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "t2t/decode/search.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"

namespace t2t {

// A model with what the decode hparams say: ids or features in, hypotheses
// out, and the texts of both.
class TextDecoder {
 public:
  // The sampling is a function of seed and each request's stream.
  TextDecoder(Model* model, HParams decode_hparams, uint64_t seed);

  // One sentence to decode: its input ids with the end symbol, or the prefix
  // to go on from where the problem has no inputs.
  struct Request {
    std::vector<int64_t> ids;
    uint64_t stream = 0;
  };

  // An input line's ids, cut to max_input_size, with the end symbol (none
  // behind a language model's prefix).
  std::vector<int64_t> Encode(std::string_view line) const;

  // Throws a DataError where the model's input has no such id.
  void CheckInputId(int64_t id) const;

  // is_gone: see SearchOptions.
  std::vector<std::vector<Hypothesis>> Decode(
      const std::vector<Request>& requests,
      std::function<bool(size_t row)> is_gone = nullptr) const;
  // The same on features from a dataset: lengths are the inputs' true lengths.
  std::vector<std::vector<Hypothesis>> DecodeFeatures(
      const Features& features, const std::vector<int64_t>& lengths,
      const std::vector<uint64_t>& streams,
      std::function<bool(size_t row)> is_gone = nullptr) const;

  // Ids up to the end symbol as text; label names; the ids themselves with
  // identity_output.
  std::string OutputText(const std::vector<int64_t>& ids) const;
  std::string InputText(const std::vector<int64_t>& ids) const;
  // A line of the output file: the best hypothesis' text, or with
  // return_beams all of them, and with write_beam_scores their scores, between
  // tabs.
  std::string OutputLine(const std::vector<Hypothesis>& hypotheses) const;
  // The lines T2T logs for one result.
  void LogResult(const std::string& input,
                 const std::vector<Hypothesis>& hypotheses) const;

  // Sentences for one batch: [begin, end) over lengths, which are in
  // descending order. batch_size of them, or by the tokens they hold where
  // batch_size is 0.
  std::vector<std::pair<size_t, size_t>> Batches(
      const std::vector<int64_t>& lengths) const;

  bool has_inputs() const { return model_->info().has_inputs(); }
  bool is_class_label() const { return is_class_label_; }
  const HParams& decode_hparams() const { return decode_hparams_; }
  HParams* mutable_decode_hparams() { return &decode_hparams_; }
  Model* model() const { return model_; }
  // Of all greedy searches so far.
  SearchCount count() const;

 private:
  const FeatureInfo& InputInfo() const;
  SearchOptions MakeOptions() const;
  std::vector<std::vector<Hypothesis>> DecodeLabels(
      const Features& features) const;
  std::string ToText(const FeatureInfo& info, const std::vector<int64_t>& ids,
                     bool keep_all) const;

  Model* model_;
  HParams decode_hparams_;
  uint64_t seed_;
  bool is_class_label_;
  // No end symbol is looked for in the output (images, labels).
  bool keeps_all_ids_;
  // Requests may come from several threads.
  mutable std::mutex count_mutex_;
  mutable SearchCount count_;
};

}  // namespace t2t

#endif  // T2T_DECODE_TEXT_DECODER_H_
