#ifndef T2T_CHECKPOINT_IMPORTER_IMPORT_OPTIONS_H_
#define T2T_CHECKPOINT_IMPORTER_IMPORT_OPTIONS_H_

#include <string>

namespace t2t {

// An empty name is looked up in t2t_dir/flags.txt.
struct ImportOptions {
  std::string t2t_dir;
  std::string output_dir;
  std::string checkpoint_path;  // a prefix; empty: the latest of t2t_dir
  std::string data_dir;         // where the vocabulary is
  std::string problem;
  std::string model;
  std::string hparams_set;
  std::string hparams;  // overrides
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_IMPORTER_IMPORT_OPTIONS_H_
