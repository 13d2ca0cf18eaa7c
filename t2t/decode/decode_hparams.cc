#include "t2t/decode/decode_hparams.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/key_rules.h"

namespace t2t {
namespace {

HParams Defaults() {
  HParams h;
  h.Add("save_images", false);
  h.Add("log_results", true);
  h.Add("extra_length", 100);
  h.Add("min_length_ratio", 0.0);
  h.Add("batch_size", 0);
  h.Add("beam_size", 4);
  h.Add("alpha", 0.6);
  h.Add("eos_penalty", 0.0);
  h.Add("block_size", 0);
  h.Add("guess_and_check_top_k", 0);
  h.Add("guess_and_check_epsilon", -1);
  h.Add("insertion_parallel", false);
  h.Add("return_beams", false);
  h.Add("write_beam_scores", false);
  h.Add("max_input_size", -1);
  h.Add("identity_output", false);
  h.Add("num_samples", -1);
  h.Add("delimiter", "\n");
  h.Add("decode_to_file", "");
  h.Add("decode_reference", "");
  h.Add("decode_in_memory", false);
  h.Add("decode_timeout_mins", 240);
  h.Add("summaries_log_dir", "decode");
  h.Add("shards", 1);
  h.Add("shard_id", 0);
  h.Add("shards_start_offset", 0);
  h.Add("shard_google_format", false);
  h.Add("num_decodes", 1);
  h.Add("force_decode_length", false);
  h.Add("display_decoded_images", false);
  h.Add("multiproblem_task_id", -1);
  h.Add("frames_per_second", 10);
  h.Add("skip_eos_postprocess", false);
  h.Add("border_percent", 2);
  h.Add("max_display_outputs", 10);
  h.Add("max_display_decodes", 5);
  h.Add("vgg_ckpt_path", "");
  h.Add("mlperf_decode_step", 0.0);
  h.Add("mlperf_threshold", 25.0);
  h.Add("mlperf_success", false);
  h.Add("export_extra_infer_outputs", "");
  return h;
}

// Those that do nothing here, with why.
const std::pair<const char*, const char*> kWithoutEffect[] = {
    {"save_images", "decoded images are not saved"},
    {"guess_and_check_epsilon", "blocks of pixels are not built in"},
    {"insertion_parallel", "insertion models are not built in"},
    {"decode_in_memory", "results are always handed on as they come"},
    {"decode_timeout_mins", "the decoder doesn't wait for checkpoints"},
    {"summaries_log_dir", "the decoder writes no summaries"},
    {"display_decoded_images", "the decoder writes no summaries"},
    {"frames_per_second", "video is not built in"},
    {"border_percent", "video is not built in"},
    {"max_display_outputs", "video is not built in"},
    {"max_display_decodes", "video is not built in"},
    {"vgg_ckpt_path", "video is not built in"},
    {"mlperf_decode_step", "MLPerf's log is not written"},
    {"mlperf_threshold", "MLPerf's log is not written"},
    {"mlperf_success", "MLPerf's log is not written"},
    {"export_extra_infer_outputs", "there is no SavedModel to export to"},
};

const std::vector<KeyRule>& Rules() {
  static const auto* const rules = new std::vector<KeyRule>{
      NumberRule("beam_size", Range::AtLeast(1)),
      NumberRule("batch_size", Range::AtLeast(0)),
      NumberRule("alpha", Range()),
      NumberRule("eos_penalty", Range()),
      NumberRule("min_length_ratio", Range::AtLeast(0)),
      NumberRule("extra_length", Range::AtLeast(0)),
      NumberRule("block_size", Range::AtLeast(0)),
      NumberRule("guess_and_check_top_k", Range::AtLeast(0)),
      NumberRule("max_input_size", Range::AtLeast(-1)),
      NumberRule("multiproblem_task_id", Range::AtLeast(-1)),
      NumberRule("num_samples", Range::AtLeast(-1)),
      NumberRule("num_decodes", Range::AtLeast(1)),
      NumberRule("shards", Range::AtLeast(1)),
      NumberRule("shard_id", Range::AtLeast(0)),
      NumberRule("shards_start_offset", Range::AtLeast(0)),
      NumberRule("decode_timeout_mins", Range::AtLeast(0)),
      NumberRule("frames_per_second", Range::AtLeast(0)),
      NumberRule("border_percent", Range::AtLeast(0)),
      NumberRule("max_display_outputs", Range::AtLeast(0)),
      NumberRule("max_display_decodes", Range::AtLeast(0)),
  };
  return *rules;
}

// str(float) of Python: 1 is "1.0".
std::string PythonFloat(double value) {
  const std::string text = DoubleToString(value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

}  // namespace

HParams DecodeHParams(const std::string& overrides) {
  HParams h = Defaults();
  try {
    h.Parse(overrides);
  } catch (const Error& error) {
    throw UsageError(std::string("--decode_hparams: ") + error.what());
  }
  CheckByRules(h, Rules(), "decode hparam");
  if (h.GetInt("max_input_size") == 0) {
    throw UsageError("decode hparam max_input_size=0",
                     "1 or more, or -1 (any size)");
  }
  if (h.GetInt("block_size") > 1 && h.GetInt("beam_size") > 1) {
    throw UsageError(
        "decode hparam block_size=" + std::to_string(h.GetInt("block_size")) +
            " with beam_size=" + std::to_string(h.GetInt("beam_size")),
        "greedy decoding: blocks are checked against it", "set beam_size=1");
  }
  if (h.GetInt("shard_id") >= h.GetInt("shards")) {
    throw UsageError(
        "decode hparam shard_id=" + std::to_string(h.GetInt("shard_id")),
        "less than shards=" + std::to_string(h.GetInt("shards")));
  }
  if (h.GetString("delimiter").empty()) {
    throw UsageError("decode hparam delimiter is empty",
                     "a text between lines");
  }
  return h;
}

std::vector<std::string> NotesOnDecodeHParams(const HParams& decode_hparams) {
  const HParams defaults = Defaults();
  std::vector<std::string> notes;
  for (const auto& [name, why] : kWithoutEffect) {
    if (decode_hparams.Get(name) != defaults.Get(name)) {
      notes.push_back(std::string("note: decode hparam ") + name +
                      " has no effect here: " + why);
    }
  }
  const auto changed = [&](const char* name) {
    return decode_hparams.Get(name) != defaults.Get(name);
  };
  if (decode_hparams.GetInt("beam_size") == 1) {
    for (const char* const name : {"alpha", "return_beams"}) {
      if (!changed(name)) continue;
      notes.push_back("note: decode hparam " + std::string(name) +
                      " has no effect with beam_size=1: use beam_size=4");
    }
  }
  if (decode_hparams.GetInt("shards") == 1) {
    for (const char* const name :
         {"shards_start_offset", "shard_google_format"}) {
      if (!changed(name)) continue;
      notes.push_back("note: decode hparam " + std::string(name) +
                      " has no effect with shards=1: set shards");
    }
  }
  if (decode_hparams.GetBool("write_beam_scores") &&
      !decode_hparams.GetBool("return_beams")) {
    notes.push_back(
        "note: decode hparam write_beam_scores has no effect without "
        "return_beams=True");
  }
  if (decode_hparams.GetBool("force_decode_length") &&
      decode_hparams.GetInt("beam_size") > 1) {
    notes.push_back(
        "note: decode hparam force_decode_length has no effect on beam "
        "search, as in T2T");
  }
  return notes;
}

std::string NoteOnSampling(const HParams& model_hparams,
                           const HParams& decode_hparams) {
  const int64_t beam_size = decode_hparams.GetInt("beam_size");
  if (beam_size <= 1 || !model_hparams.Has("sampling_method")) return "";
  const std::string& method = model_hparams.GetString("sampling_method");
  if (method == "argmax") return "";
  return "sampling_method=" + method +
         " has no effect with beam_size=" + std::to_string(beam_size) +
         ", as in T2T: --decode_hparams=beam_size=1 samples";
}

std::string AddShardToFilename(const std::string& filename,
                               const HParams& decode_hparams) {
  const int64_t shards = decode_hparams.GetInt("shards");
  if (shards <= 1) return filename;
  const int64_t shard = decode_hparams.GetInt("shard_id") +
                        decode_hparams.GetInt("shards_start_offset");
  if (decode_hparams.GetBool("shard_google_format")) {
    return filename + Format("-%05lld-of-%05lld", static_cast<long long>(shard),
                             static_cast<long long>(shards));
  }
  return filename + Format("%.3lld", static_cast<long long>(shard));
}

std::string DecodeFilename(const std::string& base, const std::string& model,
                           const std::string& hparams_set,
                           const std::string& problem,
                           const HParams& decode_hparams) {
  const std::string sharded = AddShardToFilename(base, decode_hparams);
  const std::string ending =
      "beam" + std::to_string(decode_hparams.GetInt("beam_size")) + ".alpha" +
      PythonFloat(decode_hparams.GetDouble("alpha")) + ".decodes";
  if (sharded.find(ending) != std::string::npos) return sharded;
  return sharded + "." + model + "." + hparams_set + "." + problem + "." +
         ending;
}

}  // namespace t2t
