#include "t2t/decode/file_decode.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <istream>
#include <numeric>
#include <ostream>
#include <set>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/output_file.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/decode/partial_file.h"
#include "t2t/formats/text_reader.h"
#include "t2t/text/text_encoder.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr char kPunctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
constexpr double kSecondsBetweenProgress = 10;

// A newline a model makes up would shift all lines behind it.
std::string WithoutDelimiter(std::string text, const std::string& delimiter) {
  return delimiter == "\n" ? ReplaceAll(std::move(text), "\n", " ") : text;
}

void CheckIsThere(const std::string& path, const std::string& expected,
                  const std::string& todo) {
  if (path == "-" || Exists(path)) return;
  throw MissingError("there is no file " + path, expected, todo);
}

// What each line asks the model for, before encoding.
std::vector<std::string> ReadLines(const std::string& path,
                                   const TextDecoder& decoder) {
  CheckIsThere(path, "a text, one input a line", "see --decode_from_file");
  const HParams& decode_hparams = decoder.decode_hparams();
  std::vector<std::string> lines =
      SplitLines(ReadText(path), decode_hparams.GetString("delimiter"));
  if (decoder.has_inputs()) {
    for (std::string& line : lines) line = std::string(StripPythonSpace(line));
    return lines;
  }
  // The space completes the token that a subword vocabulary makes of
  // punctuation and the space behind it.
  for (std::string& line : lines) {
    if (!line.empty() && std::string_view(kPunctuation).find(line.back()) !=
                             std::string_view::npos) {
      line += ' ';
    }
  }
  const int64_t repeats = decode_hparams.GetInt("num_decodes");
  const size_t once = lines.size();
  lines.reserve(once * repeats);
  for (int64_t i = 1; i < repeats; ++i) {
    std::copy_n(lines.begin(), once, std::back_inserter(lines));
  }
  return lines;
}

std::string Fingerprint(const FileDecodeOptions& options,
                        const std::vector<std::string>& lines,
                        const HParams& decode_hparams) {
  uint32_t crc = 0;
  for (const std::string& line : lines) {
    crc = Crc32c("\n", Crc32c(line, crc));
  }
  HParams settings = decode_hparams;
  settings.Remove("log_results");
  settings.Remove("batch_size");  // no result depends on it
  return options.identity + "\n" + settings.ToJson(-1) + "\n" +
         std::to_string(lines.size()) + " lines, crc32c " + std::to_string(crc);
}

std::vector<std::string> SplitTabs(const std::string& line) {
  std::vector<std::string> parts = Split(line, '\t');
  if (parts.size() > 2) {
    throw DataError("there are " + std::to_string(parts.size() - 1) + " tabs",
                    "one tab at most, between source and target");
  }
  for (std::string& part : parts) part = std::string(StripPythonSpace(part));
  return parts;
}

// Lines that can't be taken: said one by one at first, and counted. The others
// are done all the same.
class BadLines {
 public:
  explicit BadLines(std::string input) : input_(std::move(input)) {}

  std::string Where(size_t line) const {
    return input_ + " line " + std::to_string(line + 1);
  }

  // Runs body; false where the line is a bad one.
  template <typename Body>
  bool Try(size_t line, const Body& body) {
    try {
      body();
      return true;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) throw;
      constexpr int64_t kSaid = 10;
      if (count_ < kSaid) Warn(Where(line) + ": " + error.what());
      if (count_ == kSaid) Warn("further bad lines are only counted");
      ++count_;
      return false;
    }
  }

  int64_t count() const { return count_; }

 private:
  const std::string input_;
  int64_t count_ = 0;
};

class InteractiveSession {
 public:
  InteractiveSession(std::ostream* out, TextDecoder* decoder)
      : out_(*out),
        decoder_(decoder),
        settings_(decoder->mutable_decode_hparams()),
        samples_(std::max<int64_t>(settings_->GetInt("num_samples"), 1)) {}

  void PrintHelp();
  // Whether the line was a command, a wrong one too.
  bool TakeCommand(const std::string& line);
  void Decode(const std::string& line);
  int64_t refused() const { return refused_; }

 private:
  void DecodeOrThrow(const std::string& line);

  std::ostream& out_;
  TextDecoder* const decoder_;
  HParams* const settings_;
  int64_t samples_;
  std::string input_type_ = "text";
  uint64_t stream_ = 0;
  int64_t refused_ = 0;
};

void InteractiveSession::PrintHelp() {
  out_ << "INTERACTIVE MODE  num_samples=" << samples_
       << "  decode_length=" << settings_->GetInt("extra_length")
       << "  beam_size=" << settings_->GetInt("beam_size")
       << "  alpha=" << DoubleToString(settings_->GetDouble("alpha")) << "\n"
       << "  it=<input_type>     ('text' or 'label', default: text)\n"
       << "  ns=<num_samples>    (changes number of samples, default: 1)\n"
       << "  dl=<decode_length>  (changes decode length, default: 100)\n"
       << "  bs=<beam_size>      (changes the beam size; 1: greedy)\n"
       << "  al=<alpha>          (changes the length penalty)\n"
       << "  <" << (decoder_->has_inputs() ? "source_string" : "target_prefix")
       << ">     (decode)\n"
       << "  q                   (quit)\n>" << std::flush;
}

bool InteractiveSession::TakeCommand(const std::string& line) {
  const std::string command = line.substr(0, 3);
  const std::string value = line.size() > 3 ? line.substr(3) : "";
  if (command == "ns=" || command == "dl=" || command == "bs=") {
    const int64_t least = command == "dl=" ? 0 : 1;
    const int64_t most = command == "dl=" ? 1000000 : 1000;
    int64_t number = 0;
    if (!ParseInt(value, &number) || number < least || number > most) {
      out_ << "'" << value << "' is not a whole number of " << least
           << " or more, up to " << most << "\n";
    } else if (command == "ns=") {
      samples_ = number;
    } else {
      settings_->Set(command == "dl=" ? "extra_length" : "beam_size", number);
    }
    return true;
  }
  if (command == "al=") {
    double alpha = 0;
    if (ParseDouble(value, &alpha) && std::isfinite(alpha)) {
      settings_->Set("alpha", alpha);
    } else {
      out_ << "'" << value << "' is not a number\n";
    }
    return true;
  }
  if (command == "it=") {
    if (value == "text" || value == "label") {
      input_type_ = value;
    } else {
      out_ << "'" << value << "' is neither text nor label\n";
    }
    return true;
  }
  return false;
}

void InteractiveSession::Decode(const std::string& line) {
  try {
    DecodeOrThrow(line);
  } catch (const std::exception& error) {
    // Such as one that is too long for the model or the memory.
    ++refused_;
    out_ << "this line can't be decoded: " << error.what() << "\n";
  }
}

void InteractiveSession::DecodeOrThrow(const std::string& line) {
  std::vector<int64_t> ids;
  if (input_type_ == "label") {
    int64_t label = 0;
    if (!ParseInt(line, &label)) {
      throw DataError("'" + line + "' is not a whole number");
    }
    decoder_->CheckInputId(label);
    ids = {label};
  } else if (decoder_->has_inputs() && StripPythonSpace(line).empty()) {
    out_ << "\n";
    return;
  } else {
    ids = decoder_->Encode(line);
  }
  std::vector<TextDecoder::Request> requests;
  for (int64_t i = 0; i < samples_; ++i) requests.push_back({ids, stream_++});
  const bool beams = settings_->GetBool("return_beams");
  for (const auto& hypotheses : decoder_->Decode(requests)) {
    for (size_t i = 0; i < hypotheses.size(); ++i) {
      const std::string text = decoder_->OutputText(hypotheses[i].ids);
      if (beams) {
        out_ << "BEAM " << i << ":\n\"" << text << "\"\tScore:"
             << Format("%f", static_cast<double>(hypotheses[i].score)) << "\n";
      } else {
        out_ << text << "\n";
      }
    }
  }
}

at::Tensor OneRow(std::vector<int64_t> ids) {
  ids.push_back(kEosId);
  return at::tensor(ids, at::kLong).unsqueeze(0);
}

}  // namespace

std::vector<std::string> SplitLines(std::string_view text,
                                    const std::string& delimiter) {
  std::vector<std::string> lines;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(delimiter, at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + delimiter.size();
  }
  return lines;
}

namespace {

// Lines that are still to be decoded.
struct OpenLines {
  std::vector<std::vector<int64_t>> ids;  // by line
  // Longest first: what doesn't fit into memory shows at once.
  std::vector<size_t> order;
};

OpenLines EncodeLines(const std::vector<std::string>& lines,
                      const TextDecoder& decoder, BadLines* bad,
                      PartialFile* partial) {
  OpenLines open;
  open.ids.resize(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    if (partial->Has(static_cast<int64_t>(i))) continue;
    if (lines[i].empty() && decoder.has_inputs()) {
      partial->Add(static_cast<int64_t>(i), "");
      continue;
    }
    if (bad->Try(i, [&] { open.ids[i] = decoder.Encode(lines[i]); })) {
      open.order.push_back(i);
    }
  }
  std::stable_sort(open.order.begin(), open.order.end(),
                   [&](size_t a, size_t b) {
                     return open.ids[a].size() > open.ids[b].size();
                   });
  return open;
}

// Writes what is done to `partial` after each batch.
void DecodeLines(const std::vector<std::string>& lines, OpenLines open,
                 TextDecoder* decoder, PartialFile* partial,
                 FileDecodeReport* report) {
  const std::string& delimiter =
      decoder->decode_hparams().GetString("delimiter");
  std::vector<int64_t> lengths;
  for (const size_t i : open.order) {
    lengths.push_back(static_cast<int64_t>(open.ids[i].size()));
  }
  const double start = NowSeconds();
  double last_progress = start;
  for (const auto& [begin, end] : decoder->Batches(lengths)) {
    std::vector<TextDecoder::Request> requests;
    for (size_t at = begin; at < end; ++at) {
      requests.push_back({std::move(open.ids[open.order[at]]), open.order[at]});
    }
    const auto results = decoder->Decode(requests);
    for (size_t at = begin; at < end; ++at) {
      const std::vector<Hypothesis>& hypotheses = results[at - begin];
      for (const Hypothesis& hypothesis : hypotheses) {
        report->tokens += static_cast<int64_t>(hypothesis.ids.size());
      }
      decoder->LogResult(lines[open.order[at]], hypotheses);
      partial->Add(
          static_cast<int64_t>(open.order[at]),
          WithoutDelimiter(decoder->OutputLine(hypotheses), delimiter));
    }
    partial->Flush();
    report->seconds = NowSeconds() - start;
    if (end == open.order.size() ||
        NowSeconds() - last_progress > kSecondsBetweenProgress) {
      last_progress = NowSeconds();
      Log(Format(
          "decoded %zu of %zu %s, %.1f sentences/s", end, open.order.size(),
          Plural(static_cast<int64_t>(open.order.size()), "line").c_str(),
          static_cast<double>(end) / std::max(report->seconds, 1e-9)));
    }
  }
}

}  // namespace

FileDecodeReport DecodeFile(const FileDecodeOptions& options,
                            TextDecoder* decoder) {
  const HParams& decode_hparams = decoder->decode_hparams();
  const std::string& delimiter = decode_hparams.GetString("delimiter");
  const std::vector<std::string> lines = ReadLines(options.input, *decoder);
  const OutputPlace place = FindOutput(options.output, /*make_folder=*/true);
  CheckDecodeOutput(place, {options.input});
  // What goes into a pipe can't be gone on with.
  const std::string kept = place.is_file() ? place.path + kPartialSuffix : "";
  PartialFile partial(kept, Fingerprint(options, lines, decode_hparams));
  FileDecodeReport report;
  report.lines = static_cast<int64_t>(lines.size());
  report.resumed = static_cast<int64_t>(partial.results().size());
  if (report.resumed > 0) {
    Log("going on with " + kept + ": " + std::to_string(report.resumed) +
        " of " + Count(report.lines, "line") +
        (report.lines == 1 ? " is done" : " are done"));
  }

  BadLines bad(TextName(options.input));
  OpenLines open = EncodeLines(lines, *decoder, &bad, &partial);
  report.bad_lines = bad.count();
  DecodeLines(lines, std::move(open), decoder, &partial, &report);

  OutputFile output(place);
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto result = partial.results().find(static_cast<int64_t>(i));
    if (result != partial.results().end()) output.Write(result->second);
    output.Write(delimiter);
  }
  output.Commit();
  partial.Remove();
  return report;
}

FileScores ScoreFile(const std::string& path, TextDecoder* decoder) {
  CheckIsThere(path, "one \"source<tab>target\" a line", "see --score_file");
  const at::NoGradGuard no_grad;
  Model* model = decoder->model();
  const auto& features = model->info().features;
  const FeatureInfo& target_info = features.at("targets");
  const bool has_inputs = decoder->has_inputs();
  if (target_info.encoder == nullptr) {
    throw UsageError("the targets of " + model->info().name + " are no text",
                     "a problem with text targets", "see --problem");
  }
  BadLines bad(TextName(path));
  const auto score = [&](const std::string& line) {
    const std::vector<std::string> parts = SplitTabs(line);
    if (has_inputs && parts.size() < 2) {
      throw DataError("there is no tab", "source<tab>target");
    }
    Features row;
    row["targets"] =
        decoder->is_class_label()
            ? at::tensor(target_info.encoder->Encode(parts.back()), at::kLong)
                  .unsqueeze(0)
            : OneRow(target_info.encoder->Encode(parts.back()));
    if (has_inputs) {
      row["inputs"] =
          OneRow(features.at("inputs").encoder->Encode(parts.front()));
    }
    return model->Loss(row, Mode::kEval).Total().to(at::kDouble).item<double>();
  };
  const std::vector<std::string> lines = ReadTextLines(path);
  FileScores scores;
  for (size_t i = 0; i < lines.size(); ++i) {
    double value = std::nan("");
    bad.Try(i, [&] { value = score(lines[i]); });
    scores.scores.push_back(value);
  }
  scores.bad_lines = bad.count();
  return scores;
}

std::string ScoresText(const std::vector<double>& scores) {
  std::string text;
  for (const double score : scores) text += Format("%.6f\n", score);
  return text;
}

int64_t DecodeInteractively(std::istream& in, std::ostream& out,
                            TextDecoder* decoder) {
  InteractiveSession session(&out, decoder);
  std::string line;
  for (;;) {
    session.PrintHelp();
    if (!std::getline(in, line) || line == "q") return session.refused();
    if (!session.TakeCommand(line)) session.Decode(line);
  }
}

}  // namespace t2t
