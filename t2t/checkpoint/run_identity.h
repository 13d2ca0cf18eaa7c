#ifndef T2T_CHECKPOINT_RUN_IDENTITY_H_
#define T2T_CHECKPOINT_RUN_IDENTITY_H_

#include <map>
#include <string>

#include "t2t/base/json.h"
#include "t2t/problem/problem.h"

namespace t2t {

// Where an exported model's metadata, or a checkpoint's meta, says whose it is.
constexpr char kRunKey[] = "run";

// What names a run, and a model that came of it: checkpoints and exports carry
// it, so that one is not taken for another of the same shapes.
struct RunIdentity {
  struct Vocabulary {
    std::string file;    // its path, or what was kept of that: its name
    std::string sha256;  // of its bytes
  };

  // Empty: not known.
  std::string problem;
  std::string model;
  std::string hparams_set;
  // By feature, of those that have a file; none: not known, or no file.
  std::map<std::string, Vocabulary> vocabularies;

  Json ToJson() const;
  // Throws a DataError where it is not what ToJson() writes.
  static RunIdentity FromJson(const Json& json);
};

// Reads the vocabulary files.
RunIdentity MakeRunIdentity(const std::string& problem,
                            const std::string& model,
                            const std::string& hparams_set,
                            const ProblemInfo& info);

// In a checkpoint's meta; those of before it was kept know nothing.
void PutIdentity(const RunIdentity& run, Json* meta);
RunIdentity IdentityIn(const Json& meta);
// The same, with what the meta lacks out of the flags.txt that t2t-trainer
// leaves in its output_dir: names, no vocabularies.
RunIdentity WithFlagsText(RunIdentity run, const std::string& output_dir);

// The flags of a flags.txt, by name; none where it is not there.
std::map<std::string, std::string> ReadFlagsText(const std::string& path);

// Throws a mismatch error where a feature has another vocabulary than `from`
// (a checkpoint, say) was made with. What one of them does not know is taken
// for the same.
void CheckVocabularies(const RunIdentity& saved, const RunIdentity& here,
                       const std::string& from);
// The same for the names of problem, model and set: what is changed, as "the
// problem is a, not b"; empty where nothing is.
std::string ChangedNames(const RunIdentity& saved, const RunIdentity& here);
// Throws a mismatch error where the run in output_dir is another one.
void CheckSameRun(const RunIdentity& saved, const RunIdentity& here,
                  const std::string& output_dir);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_RUN_IDENTITY_H_
