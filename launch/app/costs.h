#ifndef T2T_LAUNCH_APP_COSTS_H_
#define T2T_LAUNCH_APP_COSTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "launch/render/component.h"
#include "t2t/base/json.h"

namespace t2t {

// What a step costs one process, as `t2t-trainer --dry_run --json` says.
struct ModelCost {
  int64_t parameters = 0;
  double weight_bytes = 0;
  double gradient_bytes = 0;  // that ranks exchange
  double optimizer_bytes = 0;
  double checkpoint_bytes = 0;
  bool half = false;  // computes in 16 bits
  // Of a full batch; false where the trainer could not run one, for this
  // reason: then the two are 0.
  bool step_known = false;
  std::string why_no_step;
  double flops = 0;             // matrix products, forwards and backwards
  double activation_bytes = 0;  // about

  double state_bytes() const {
    return weight_bytes + gradient_bytes + optimizer_bytes;
  }
};

// What t2t-trainer is asked, of a component that trains or evaluates a model.
struct CostQuestion {
  std::string problem, model, hparams_set, hparams;
  // Where the vocabularies are on this machine; "": nowhere, or none is needed.
  std::string data_dir;
  std::map<std::string, int64_t> vocabularies;  // sizes by feature
  // Else they are the problem's approximate ones.
  bool vocabulary_known = false;
  // What the answer depends on, for people and as a sum: the model, the
  // vocabularies, and all hparams but those of the learning rate.
  std::string key;

  // data_dirs: where vocabularies may be. Throws for names and hparams that
  // there are not, and for problems whose sizes nobody knows yet.
  static CostQuestion Of(const Component& component,
                         const std::vector<std::string>& data_dirs);
};

// Answers that are kept in a file of the app, costs.json, and travel with it:
// so an app renders the same on a machine without a t2t-trainer. The file is
// made again where it is lost; its lines are sorted, an entry changes only
// where its question is asked again for another version of the answers.
class Costs {
 public:
  // The trainer's object. Throws where it can't be asked (kMissing: it isn't
  // there) or refuses.
  using Ask = std::function<Json(const CostQuestion&)>;

  // Knows nothing and keeps nothing on disk.
  Costs() = default;
  // The file may not be there yet. Throws a DataError where it is no such file.
  explicit Costs(const std::string& path);

  // From now on what is not known is asked, and kept. (Without: the file alone
  // counts.)
  void AskBy(Ask ask) { ask_ = std::move(ask); }

  // Throws, with the reason in a line, where there is no answer. Where nobody
  // can be asked a line on stderr says once what is missing.
  ModelCost Of(const CostQuestion& question);

 private:
  void Keep(const CostQuestion& question, const Json& answer);

  std::string path_;
  std::map<std::string, Json> answers_;        // by key
  std::map<std::string, std::string> failed_;  // by key: why
  Ask ask_;
  double seconds_ = 0;  // that were spent on asking
  bool said_ = false;
};

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_COSTS_H_
