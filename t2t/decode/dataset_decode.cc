#include "t2t/decode/dataset_decode.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <ostream>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/output_file.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/example.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/input/input_item.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// Examples are sorted by length among so many, and written in their own order.
constexpr size_t kWindow = 4096;

std::vector<std::string> FilesOf(const Problem& problem,
                                 const DatasetDecodeOptions& options) {
  if (!problem.mixture)
    return problem.DataFiles(options.data_dir, options.split);
  throw UsageError(
      "the examples of " + problem.name + " are those of several problems",
      "a problem with examples of its own",
      "decode from a file with --decode_from_file and "
      "--decode_hparams=multiproblem_task_id=N, the task's id");
}

// The split's examples as the model takes them, in the files' order.
class Examples {
 public:
  Examples(const DatasetDecodeOptions& options, const TextDecoder& decoder)
      : problem_(*options.problem),
        hparams_(decoder.model()->hparams()),
        left_(decoder.decode_hparams().GetInt("num_samples")),
        files_(FilesOf(problem_, options)) {
    if (problem_.packed_length > 0) {
      throw UsageError(
          "an example of " + problem_.name + " is several texts, packed",
          "a problem whose examples are one text each",
          "decode from a file with --decode_from_file");
    }
    const int64_t shards = decoder.decode_hparams().GetInt("shards");
    if (shards <= 1) return;
    const int64_t shard = decoder.decode_hparams().GetInt("shard_id");
    if (shard >= static_cast<int64_t>(files_.size())) {
      throw UsageError(
          "decode hparam shard_id=" + std::to_string(shard),
          "less than the " + std::to_string(files_.size()) + " data files");
    }
    files_ = {files_[shard]};
  }

  bool Next(Example* example) {
    if (left_ == 0) return false;
    for (;;) {
      if (reader_ == nullptr) {
        if (next_file_ == files_.size()) return false;
        reader_ = std::make_unique<TfRecordReader>(files_[next_file_++]);
      }
      std::string record;
      if (!reader_->Next(&record)) {
        reader_.reset();
        continue;
      }
      *example = ParseExample(record);
      if (!problem_.Preprocess(example, Mode::kPredict, hparams_)) continue;
      --left_;
      return true;
    }
  }

 private:
  const Problem& problem_;
  const HParams& hparams_;
  int64_t left_;  // negative: all
  std::vector<std::string> files_;
  size_t next_file_ = 0;
  std::unique_ptr<TfRecordReader> reader_;
};

std::vector<int64_t> IdsOf(const Example& example, const std::string& name) {
  const auto found = example.features.find(name);
  if (found == example.features.end()) return {};
  return IntegersOf(found->second);
}

// Padding at the end is no part of a sentence.
std::vector<int64_t> WithoutPadding(std::vector<int64_t> ids) {
  while (!ids.empty() && ids.back() == kPadId) ids.pop_back();
  return ids;
}

// Inputs that are no symbols (pixels, numbers), as a batch of one shape.
Features InputFeatures(const std::vector<const Example*>& examples,
                       const FeatureInfo& info) {
  std::vector<std::string> bytes(examples.size());
  std::vector<InputItem> items(examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    Example inputs;
    inputs.features["inputs"] = examples[i]->features.at("inputs");
    AppendItem(inputs, &bytes[i]);
    items[i].bytes = bytes[i];
  }
  InputOptions options;
  options.training = false;
  if (!info.shape.empty()) options.fixed_shapes["inputs"] = info.shape;
  for (InputItem& item : items) MeasureItem(options, &item);
  return ToFeatures(AssembleBatch(options, items.data(), items.size()));
}

class Output {
 public:
  Output(const std::string& decodes, const std::string& delimiter,
         std::ostream* echo)
      : delimiter_(delimiter), echo_(echo) {
    if (decodes.empty()) return;
    // T2T puts the other endings in the place of the last one.
    const std::string base = decodes.substr(0, decodes.rfind('.'));
    const auto open = [](const std::string& path) {
      return std::make_unique<OutputFile>(
          FindOutput(path, /*make_folder=*/true));
    };
    decodes_ = open(decodes);
    targets_ = open(base + ".targets");
    inputs_ = open(base + ".inputs");
  }

  void Write(const std::string& input, const std::string& output,
             const std::string& target) {
    if (decodes_ == nullptr) {
      if (echo_ != nullptr) *echo_ << output << delimiter_;
      return;
    }
    Put(decodes_.get(), output);
    Put(targets_.get(), target);
    Put(inputs_.get(), input);
  }

  void Commit() {
    if (decodes_ == nullptr) return;
    targets_->Commit();
    inputs_->Commit();
    decodes_->Commit();
  }

 private:
  void Put(OutputFile* writer, std::string text) {
    // A newline inside would shift all lines behind it.
    if (delimiter_ == "\n") text = ReplaceAll(std::move(text), "\n", " ");
    writer->Write(text);
    writer->Write(delimiter_);
  }

  const std::string delimiter_;
  std::ostream* const echo_;
  std::unique_ptr<OutputFile> decodes_, targets_, inputs_;
};

std::vector<std::vector<Hypothesis>> DecodeWindow(
    const std::vector<Example>& examples, int64_t first, uint64_t pass,
    TextDecoder* decoder) {
  const ProblemInfo& info = decoder->model()->info();
  const bool as_ids =
      !decoder->has_inputs() ||
      TraitsOfModality(info.features.at("inputs").modality).is_plain_symbols;
  std::vector<std::vector<int64_t>> ids(examples.size());
  std::vector<int64_t> lengths(examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    if (!as_ids) {
      const std::vector<int64_t>& shape = info.features.at("inputs").shape;
      lengths[i] = shape.empty() ? 1 : shape[0];
    } else if (decoder->has_inputs()) {
      ids[i] = WithoutPadding(IdsOf(examples[i], "inputs"));
      lengths[i] = static_cast<int64_t>(ids[i].size());
    }
  }
  std::vector<size_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lengths[a] > lengths[b]; });
  std::vector<int64_t> sorted_lengths;
  for (const size_t i : order) sorted_lengths.push_back(lengths[i]);

  std::vector<std::vector<Hypothesis>> results(examples.size());
  for (const auto& [begin, end] : decoder->Batches(sorted_lengths)) {
    std::vector<TextDecoder::Request> requests;
    std::vector<const Example*> chosen;
    std::vector<uint64_t> streams;
    for (size_t at = begin; at < end; ++at) {
      streams.push_back(
          Rng::Combine(pass, static_cast<uint64_t>(first) + order[at]));
      chosen.push_back(&examples[order[at]]);
      if (as_ids) {
        requests.push_back({std::move(ids[order[at]]), streams.back()});
      }
    }
    auto decoded = as_ids
                       ? decoder->Decode(requests)
                       : decoder->DecodeFeatures(
                             InputFeatures(chosen, info.features.at("inputs")),
                             {sorted_lengths.begin() + begin,
                              sorted_lengths.begin() + end},
                             streams);
    for (size_t at = begin; at < end; ++at) {
      results[order[at]] = std::move(decoded[at - begin]);
    }
  }
  return results;
}

}  // namespace

int64_t DecodeDataset(const DatasetDecodeOptions& options, TextDecoder* decoder,
                      std::ostream* echo) {
  const HParams& decode_hparams = decoder->decode_hparams();
  const int64_t passes = decode_hparams.GetInt("num_decodes");
  const bool beams = decode_hparams.GetBool("return_beams");
  const bool scores = beams && decode_hparams.GetBool("write_beam_scores");
  int64_t count = 0;
  for (int64_t pass = 0; pass < passes; ++pass) {
    std::string name = options.output;
    if (passes > 1 && !name.empty()) {
      const size_t dot = name.rfind('.');
      name.insert(dot == std::string::npos ? name.size() : dot,
                  Format("-%05d", static_cast<int>(pass)));
    }
    Output output(name, decode_hparams.GetString("delimiter"), echo);
    Examples source(options, *decoder);
    const double start = NowSeconds();
    count = 0;
    for (bool more = true; more;) {
      std::vector<Example> examples;
      Example example;
      while (examples.size() < kWindow && (more = source.Next(&example))) {
        examples.push_back(std::move(example));
      }
      const auto results =
          DecodeWindow(examples, count, static_cast<uint64_t>(pass), decoder);
      for (size_t i = 0; i < examples.size(); ++i) {
        const std::string input =
            decoder->InputText(IdsOf(examples[i], "inputs"));
        const std::string target =
            decoder->OutputText(IdsOf(examples[i], "targets"));
        decoder->LogResult(input, results[i]);
        if (decode_hparams.GetBool("log_results")) {
          Log("Inference results TARGET: " + target);
        }
        for (const Hypothesis& hypothesis : results[i]) {
          std::string text = decoder->OutputText(hypothesis.ids);
          if (scores) {
            text += Format("\t%.2f", static_cast<double>(hypothesis.score));
          }
          output.Write(input, text, target);
        }
      }
      count += static_cast<int64_t>(examples.size());
    }
    output.Commit();
    const double seconds = NowSeconds() - start;
    Log(Format("decoded %s, %.1f sentences/s", Count(count, "example").c_str(),
               static_cast<double>(count) / std::max(seconds, 1e-9)));
  }
  return count;
}

}  // namespace t2t
