#include "t2t/bin/decoder/decode.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/output_file.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/decode/dataset_decode.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/file_decode.h"
#include "t2t/decode/load_model.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/formats/text_reader.h"
#include "t2t/metrics/bleu.h"

namespace t2t {
namespace {

// The output is written; what went wrong in it is told by the exit code too.
void ThrowIfBad(int64_t bad_lines, int64_t lines, const std::string& what) {
  if (bad_lines == 0) return;
  throw DataError(std::to_string(bad_lines) + " of " + std::to_string(lines) +
                      " lines could not be taken (see the warnings); " + what,
                  "", "the other lines are whole: nothing to be done for them");
}

void LogBleu(const std::string& reference, const std::string& decodes) {
  const std::vector<std::string> references =
      ReadTextLines(ExpandUser(reference));
  const std::vector<std::string> translations = ReadTextLines(decodes);
  Log(Format("BLEU_uncased = %6.2f",
             T2TBleu(references, translations, /*case_sensitive=*/false)));
  Log(Format("BLEU_cased = %6.2f",
             T2TBleu(references, translations, /*case_sensitive=*/true)));
}

void Score(const DecoderFlags& flags, TextDecoder* decoder) {
  const FileScores scores = ScoreFile(ExpandUser(flags.score_file), decoder);
  const std::string output = flags.NamedOutput(decoder->decode_hparams());
  WriteOutput(FindOutput(output.empty() ? "-" : output),
              ScoresText(scores.scores));
  ThrowIfBad(scores.bad_lines, static_cast<int64_t>(scores.scores.size()),
             "their score is nan");
}

// Returns where the decodes are.
std::string FromFile(const DecoderFlags& flags, const LoadedModel& loaded,
                     TextDecoder* decoder, FileDecodeReport* report) {
  const HParams& decode_hparams = decoder->decode_hparams();
  FileDecodeOptions options;
  options.input = flags.InputPath(decode_hparams);
  options.output = flags.NamedOutput(decode_hparams);
  if (options.output.empty()) {
    // The input's name has the shard already.
    HParams unsharded = decode_hparams;
    unsharded.Set("shards", 1);
    options.output =
        DecodeFilename(options.input, loaded.model_name, loaded.hparams_set,
                       loaded.problem_name, unsharded);
  }
  options.identity =
      loaded.Identity() + ", random seed " + std::to_string(flags.random_seed);
  *report = DecodeFile(options, decoder);
  Log(Format("%s in %.1f s into ",
             Count(report->lines - report->resumed, "line").c_str(),
             report->seconds) +
      (options.output == "-" ? "the standard output" : options.output));
  if (flags.keep_timestamp && IsPlainFile(options.output)) {
    std::filesystem::last_write_time(
        options.output,
        std::filesystem::last_write_time(loaded.weights.files.front()));
  }
  return options.output;
}

std::string FromDataset(const DecoderFlags& flags, const LoadedModel& loaded,
                        TextDecoder* decoder) {
  const HParams& decode_hparams = decoder->decode_hparams();
  DatasetDecodeOptions options;
  options.problem = loaded.problem.get();
  options.data_dir = loaded.data_dir;
  options.split = flags.Split();
  const std::string wanted =
      ExpandUser(decode_hparams.GetString("decode_to_file"));
  // (Without a file the decodes go to the standard output.)
  if (!wanted.empty() && wanted != "-") {
    options.output =
        DecodeFilename(wanted, loaded.model_name, loaded.hparams_set,
                       loaded.problem_name, decode_hparams);
  }
  DecodeDataset(options, decoder, &std::cout);
  std::cout.flush();
  if (!options.output.empty()) Log("decodes are in " + options.output);
  return options.output;
}

// Where blocks of symbols were checked at once: how much that spared.
void LogBlocks(const TextDecoder& decoder) {
  const SearchCount count = decoder.count();
  if (!count.in_blocks || count.row_steps == 0) return;
  Log(Format("%lld decoder calls for %lld symbols: %.2f symbols a call",
             static_cast<long long>(count.row_steps),
             static_cast<long long>(count.symbols),
             static_cast<double>(count.symbols) /
                 static_cast<double>(count.row_steps)));
}

}  // namespace

void Decode(const DecoderFlags& flags, const HParams& decode_hparams) {
  const LoadedModel loaded = LoadModel(flags.load);
  TextDecoder decoder(loaded.model.get(), decode_hparams,
                      static_cast<uint64_t>(flags.random_seed));
  if (!flags.score_file.empty()) {
    Score(flags, &decoder);
    return;
  }
  const std::string note =
      NoteOnSampling(loaded.model->hparams(), decode_hparams);
  if (!note.empty()) Warn(note);
  if (flags.decode_interactive) {
    const int64_t refused = DecodeInteractively(std::cin, std::cout, &decoder);
    // At a terminal they were seen.
    if (refused == 0 || ::isatty(STDIN_FILENO) == 1) return;
    throw DataError(std::to_string(refused) + " lines can't be decoded", "",
                    "see the messages between the decodes");
  }
  FileDecodeReport report;
  const std::string decodes = flags.decode_from_file.empty()
                                  ? FromDataset(flags, loaded, &decoder)
                                  : FromFile(flags, loaded, &decoder, &report);
  LogBlocks(decoder);
  const std::string& reference = decode_hparams.GetString("decode_reference");
  if (!reference.empty() && !decodes.empty()) LogBleu(reference, decodes);
  ThrowIfBad(report.bad_lines, report.lines, "they are empty in the output");
}

}  // namespace t2t
