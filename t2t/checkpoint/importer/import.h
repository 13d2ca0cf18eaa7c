#ifndef T2T_CHECKPOINT_IMPORTER_IMPORT_H_
#define T2T_CHECKPOINT_IMPORTER_IMPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/checkpoint/importer/import_options.h"
#include "t2t/checkpoint/importer/variables.h"

namespace t2t {

struct ImportReport {
  std::string checkpoint;  // read
  std::string written;
  int64_t step = 0;
  std::string problem, model, hparams_set;
  int64_t parameters = 0;
  MappedVariables variables;  // without the tensors
  std::vector<std::string> unknown_hparams;
  std::vector<std::string> vocabulary;  // the files copied

  std::string Text() const;
};

// Makes output_dir a model directory of ours out of T2T's: the checkpoint,
// hparams.json, flags.txt and the vocabulary. Everything is read and checked
// before anything is written.
ImportReport Import(const ImportOptions& options);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_IMPORTER_IMPORT_H_
