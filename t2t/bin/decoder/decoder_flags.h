#ifndef T2T_BIN_DECODER_DECODER_FLAGS_H_
#define T2T_BIN_DECODER_DECODER_FLAGS_H_

#include <cstdint>
#include <string>

#include "t2t/base/flags.h"
#include "t2t/decode/load_options.h"
#include "t2t/hparams/hparams.h"
#include "t2t/problem/problem.h"

namespace t2t {

// t2t-decoder's flags.
struct DecoderFlags {
  LoadModelOptions load;
  std::string decode_hparams;
  std::string decode_from_file;
  std::string decode_to_file;
  std::string decode_reference;
  std::string score_file;
  std::string dataset_split;
  bool decode_interactive = false;
  bool eval_use_test_set = false;
  bool keep_timestamp = false;
  bool decode_in_memory = false;
  int64_t decode_shards = 1;
  int64_t worker_id = 0;
  int64_t random_seed = 0;
  int64_t threads = 0;
  std::string device = "auto";

  void AddTo(Flags* flags);

  // What is decoded; "": the dataset.
  std::string InputPath(const HParams& decode_hparams) const;
  // Where the lines that are decoded go, by the flags; "": the model's names
  // are needed to tell.
  std::string NamedOutput(const HParams& decode_hparams) const;
  DataSplit Split() const;
  // Throws, before the work, where something can't be read or written.
  void CheckFiles(const HParams& decode_hparams) const;
};

// Whether it is a file, and no pipe or "-".
bool IsPlainFile(const std::string& path);

}  // namespace t2t

#endif  // T2T_BIN_DECODER_DECODER_FLAGS_H_
