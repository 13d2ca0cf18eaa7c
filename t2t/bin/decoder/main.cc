// t2t-decoder: decodes from a file, from a problem's data or from the
// terminal, and scores files.

#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/process_end.h"
#include "t2t/base/settings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/bin/decoder/decoder_flags.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/load_options.h"

namespace t2t {
namespace {

HParams MakeDecodeHParams(const DecoderFlags& flags, const Flags& parsed) {
  std::string overrides = JoinSettings(
      ExportedDecodeHParams(flags.load.export_dir), flags.decode_hparams);
  const auto append = [&](const std::string& name, const std::string& value) {
    overrides = JoinSettings(overrides, name + "=" + value);
  };
  if (parsed.WasGiven("decode_shards")) {
    append("shards", std::to_string(flags.decode_shards));
  }
  if (parsed.WasGiven("worker_id")) {
    append("shard_id", std::to_string(flags.worker_id));
  }
  HParams decode_hparams = DecodeHParams(overrides);
  if (!flags.decode_to_file.empty()) {
    decode_hparams.Set("decode_to_file", flags.decode_to_file);
  }
  if (!flags.decode_reference.empty()) {
    decode_hparams.Set("decode_reference", flags.decode_reference);
  }
  if (flags.decode_in_memory) decode_hparams.Set("decode_in_memory", true);
  for (const std::string& note : NotesOnDecodeHParams(decode_hparams)) {
    std::fprintf(stderr, "%s\n", note.c_str());
  }
  return decode_hparams;
}

int Main(int argc, char** argv) {
  DecoderFlags flags;
  NameFlags names;
  Flags parser("Decodes with a trained model, or scores translations.",
               "t2t-decoder --data_dir=data --output_dir=train "
               "--decode_from_file=in.txt --decode_to_file=out.txt "
               "--decode_hparams=beam_size=4,alpha=0.6");
  names.AddTo(&parser);
  flags.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  if (!flags.decode_from_file.empty() || !flags.decode_to_file.empty()) {
    OutliveReaders("");
  }
  names.Register();
  const HParams decode_hparams = MakeDecodeHParams(flags, parser);
  flags.Split();
  flags.CheckFiles(decode_hparams);
  CheckModel(flags.load);
  const TorchHalf& torch = LoadTorchHalf();
  torch.set_threads(flags.threads);
  torch.use_device(flags.device);
  torch.decode(flags, decode_hparams);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
