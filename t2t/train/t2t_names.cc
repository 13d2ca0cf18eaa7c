#include "t2t/train/t2t_names.h"

#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"

namespace t2t {
namespace {

void CheckModelShards(const std::string& given, int64_t shards) {
  if (shards == 1) return;
  if (shards < 1) throw UsageError(given, "1, or more");
  throw UsageError(given + ": this model is not one that T2T splits by hand",
                   "a model's parts spread over ranks by --mesh_shape",
                   "use --mesh_shape=\"model:" + std::to_string(shards) +
                       "\"; where it is the optimizer's state that does not "
                       "fit, --zero_stage=2");
}

void CheckDiet(const std::string& given, bool diet) {
  if (!diet) return;
  throw UsageError(
      given + ": there are no diet variables", "other ways to save memory",
      "use --hparams=optimizer=adafactor, which keeps as little of the second "
      "moments as diet does, and with several ranks --zero_stage=2");
}

}  // namespace

void T2TNames::AddTo(Flags* flags) {
  flags->Add("sync", &sync,
             "T2T's; training is always synchronous: --nosync is refused with "
             "several ranks.");
  flags->Add("ps_replicas", &ps_replicas,
             "T2T's number of parameter servers; they are not needed.",
             Range::AtLeast(0));
  flags->Add("ps_gpu", &ps_gpu, "T2T's GPUs of a parameter server.",
             Range::AtLeast(0));
  flags->Add("num_model_shards", &num_model_shards,
             "T2T's; above 1 --mesh_shape is to be used instead.",
             Range::AtLeast(1));
  flags->Add("diet", &diet,
             "T2T's diet variables; use --hparams=optimizer=adafactor and "
             "--zero_stage instead.");
}

void T2TNames::Check(const Cluster& cluster, bool tf_config) const {
  for (const auto& [name, value] :
       {std::pair<const char*, int64_t>{"--ps_replicas=", ps_replicas},
        {"--ps_gpu=", ps_gpu}}) {
    const std::string given = name + std::to_string(value);
    if (value < 0) throw UsageError(given, "0, or more");
    if (value == 0) continue;
    if (!tf_config) {
      throw UsageError(
          given + ", but there are no parameter servers here",
          "ranks that all compute and hold the parameters together",
          "start ranks instead, --worker_cpu=N on one machine or "
          "--worker_replicas=N on several; --zero_stage=1, 2 or 3 "
          "spreads what each would have over them");
    }
    Log("note: " + given +
        ": the ps tasks of TF_CONFIG are not needed and end at once");
  }
  if (!sync && (cluster.distributed() || ps_replicas > 0)) {
    throw UsageError("--sync=false with several processes",
                     "synchronous training: a step is of all ranks together",
                     "leave --sync out");
  }
  CheckModelShards("--num_model_shards=" + std::to_string(num_model_shards),
                   num_model_shards);
  CheckDiet("--diet", diet);
}

std::string ScheduleHere(const std::string& schedule, const Cluster& cluster) {
  if (schedule != "run_std_server") return schedule;
  if (cluster.distributed() && cluster.rank > 0) {
    Log("rank " + std::to_string(cluster.rank) +
        ": --schedule=run_std_server is --schedule=train here");
    return "train";
  }
  throw UsageError(
      "--schedule=run_std_server: there is no server that waits for graphs",
      "each process trains as one of the ranks",
      "start every one with the same flags and --schedule=train; a ps task of "
      "TF_CONFIG is not needed, and ends at once");
}

std::string WithoutShardingHParams(const std::string& hparams) {
  std::vector<std::string> kept;
  for (const std::string& pair : Split(hparams, ',')) {
    const size_t equals = pair.find('=');
    const std::string name =
        equals == std::string::npos ? pair : pair.substr(0, equals);
    const std::string value =
        equals == std::string::npos ? "" : pair.substr(equals + 1);
    if (name == "num_model_shards") {
      int64_t shards = 0;
      if (!ParseInt(value, &shards)) {
        throw UsageError("hparam " + pair, "a whole number");
      }
      CheckModelShards("hparam " + pair, shards);
    } else if (name == "diet_experts") {
      bool diet = false;
      if (!ParseBool(value, &diet)) {
        throw UsageError("hparam " + pair, "true or false");
      }
      CheckDiet("hparam " + pair, diet);
    } else {
      kept.push_back(pair);
    }
  }
  return Join(kept, ",");
}

MeshFlags MeshOfHParams(const std::string& mesh_shape,
                        const std::string& layout, const HParams& hparams,
                        int64_t ranks) {
  MeshFlags flags{mesh_shape, layout, ""};
  const std::string asked = StringOr(hparams, "mesh_shape", "");
  if (flags.layout.empty() && (!mesh_shape.empty() || !asked.empty())) {
    flags.layout = StringOr(hparams, "layout", "");
  }
  if (!mesh_shape.empty() || asked.empty()) return flags;
  int64_t devices = 1;
  for (const std::string& axis : Split(ReplaceAll(asked, ";", ","), ',')) {
    int64_t size = 0;
    const size_t colon = axis.find(':');
    if (colon != std::string::npos &&
        ParseInt(Trim(axis.substr(colon + 1)), &size) && size > 0 &&
        size < 1 << 20) {
      devices *= size;
    }
  }
  if (devices == ranks) {
    flags.shape = asked;
    return flags;
  }
  flags.layout = layout;
  if (devices == 1) return flags;
  flags.note =
      "the hparams' mesh_shape=" + asked + " is of " + std::to_string(devices) +
      " devices and the job of " + std::to_string(ranks) +
      (ranks == 1 ? " rank, which holds" : " ranks, each of which holds") +
      " the whole model; start " + std::to_string(devices) +
      " ranks, or give --mesh_shape";
  return flags;
}

}  // namespace t2t
