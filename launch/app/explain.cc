#include "launch/app/explain.h"

#include <algorithm>
#include <map>
#include <memory>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "hparams/describe.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/hparams.h"
#include "t2t/hparams/keys.h"
#include "t2t/problem/data_facts.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

struct CodeHelp {
  int code;
  const char* text;
};

// The table of t2t/base/error.h, then what containers and t2t-launch add.
const std::vector<CodeHelp>& CodeHelps() {
  static const auto* const helps = new std::vector<CodeHelp>{
      {0, "done"},
      {1, "a bug: an unexpected exception"},
      {2, "a flag, a model's, problem's or set's name, or an hparam is wrong"},
      {3, "damaged or contradicting input data"},
      {4, "a file or folder that must be there is not"},
      {5, "disk full, no permission, a failed write"},
      {6, "the loss is not a number any more"},
      {7, "checkpoint, vocabulary and hyperparameters do not fit together"},
      {20, "t2t-launch run and wait: the workload has failed"},
      {21, "t2t-launch run and wait: not done in time"},
      {126, "the image's program can't be run"},
      {127, "the image has no such program"},
      {130, "stopped by SIGINT; the checkpoint is written"},
      {134, "SIGABRT: the program gave up"},
      {137,
       "SIGKILL: the memory limit, a node that went away, or a grace period "
       "that was over"},
      {138,
       "another process of the job was lost, SIGTERM left no time to write the "
       "checkpoint, or another passing fault"},
      {139, "SIGSEGV: a crash"},
      {143, "stopped by SIGTERM; the checkpoint is written"},
  };
  return *helps;
}

template <typename List>
bool Has(const List& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string DescribeProblem(const std::string& name) {
  const ProblemSpec spec = ParseProblemName(name);
  const std::unique_ptr<Problem> problem = MakeProblem(name);
  std::string text = name + ": a problem";
  if (spec.was_reversed) text += ", inputs and targets change places";
  if (spec.was_copy) text += ", the inputs are the targets too";
  text += "\n  metrics: " + Join(problem->metrics, ", ") + "\n";
  if (problem->takes_text_files) {
    text += "  t2t-datagen takes --train_src and --train_tgt\n";
  }
  const DataFacts data = DataFactsOf(name);
  if (data.train_shards > 0) {
    text += "  shards: " + std::to_string(data.train_shards) +
            " of training, " + std::to_string(data.other_shards) +
            " of dev and test\n";
  }
  if (data.downloads) text += "  t2t-datagen downloads its text\n";
  return text + "  data: t2t-launch generate datagen --problem=" + name + "\n";
}

std::string DescribeField(const std::string& path) {
  const std::string last = path.substr(path.rfind('.') + 1);
  for (const auto& [field, help] : FieldHelps()) {
    if (field == last) return field + ": " + help + "\n";
  }
  return "";
}

}  // namespace

// A table: as long as it has rows.
const std::vector<std::pair<std::string, std::string>>& FieldHelps() {
  static const auto* const helps =
      new std::vector<std::pair<std::string, std::string>>{
          {"podFailurePolicy",
           "a Job's rule by exit code: the codes below 128 of the programs' "
           "table end it, nodes that go away do not count; needs restartPolicy "
           "Never"},
          {"backoffLimit",
           "how often a Job tries again: the parameter retries (times the "
           "Pods, where one lost rank ends all)"},
          {"restartPolicy",
           "ExitCode is Kubeflow's: from 128 on again, below never. Never in a "
           "Pod: its Job makes a new one"},
          {"completionMode",
           "Indexed: each Pod gets a number, JOB_COMPLETION_INDEX, which "
           "becomes its rank or shard"},
          {"podReplacementPolicy",
           "Failed: a new Pod only when the old one has ended, so that no two "
           "have one rank"},
          {"terminationGracePeriodSeconds",
           "from SIGTERM to SIGKILL: preemption_grace_seconds for the "
           "checkpoint, and half a minute"},
          {"publishNotReadyAddresses",
           "ranks look for each other before any of them is ready"},
          {"clusterIP", "None: a headless Service, a name for each rank"},
          {"subdomain", "the headless Service that gives the Pod its name"},
          {"emptyDir",
           "a folder of the Pod: /tmp, and with medium Memory /dev/shm for "
           "NCCL, which counts as the Pod's memory"},
          {"readOnlyRootFilesystem",
           "the programs write to claims and /tmp alone"},
          {"runAsNonRoot", "the \"restricted\" security standard"},
          {"seccompProfile", "the \"restricted\" security standard"},
          {"allowPrivilegeEscalation", "the \"restricted\" security standard"},
          {"capabilities", "the \"restricted\" security standard: none"},
          {"fsGroupChangePolicy",
           "OnRootMismatch: a large claim is not walked through at each start"},
          {"automountServiceAccountToken",
           "false: the programs do not talk to the cluster"},
          {"enableServiceLinks",
           "false: other Services' variables stay out of the environment"},
          {"requests", "what the scheduler keeps free: cpu, memory, gpus"},
          {"limits", "what a Pod may take at most: cpu_limit, memory_limit"},
          {"tolerations", "GPU and spot nodes, and the parameter tolerations"},
          {"nodeSelector", "node_selector, and spot_label for spot nodes"},
          {"startupProbe",
           "a model may load and warm for minutes before the other probes "
           "count; trainings have no probes, none can kill a rendezvous"},
          {"readinessProbe", "/readyz: a server without a model gets nothing"},
          {"livenessProbe", "/healthz: a server that hangs is started again"},
          {"preStop",
           "clients are sent elsewhere before the server stops to listen"},
          {"maxUnavailable", "servers that may be away at once"},
          {"failurePolicy",
           "a JobSet starts all ranks again, but for codes that are permanent"},
          {"slotsPerWorker", "ranks of a worker: one a GPU"},
          {"cleanPodPolicy",
           "Running: what still runs when the job ends is removed, logs stay"},
          {"ttlSecondsAfterFinished", "how long a finished Job stays"},
          {"podSelector", "whom a NetworkPolicy is for: this component's Pods"},
          {"setOwnerReference", "a step's job goes when its workflow goes"},
          {"concurrencyPolicy", "Forbid: one run of a schedule at a time"},
      };
  return *helps;
}

std::string DescribeParam(const ParamSpec& spec) {
  std::string kind = ParamTypeName(spec.type);
  if (!spec.choices.empty()) {
    std::vector<std::string> choices;
    for (const std::string& choice : spec.choices) {
      if (!choice.empty()) choices.push_back(choice);
    }
    kind = Join(choices, "|");
  }
  return "  " + spec.name + "=" + ParamText(spec.initial) + "\n      " +
         spec.help + " (" + kind + ")\n";
}

std::string DescribePrototype(const Prototype& prototype) {
  std::string text = prototype.name + ": " + prototype.help + "\n\n";
  for (const ParamSpec& spec : prototype.params) text += DescribeParam(spec);
  return text;
}

std::string DescribeExitCode(int code) {
  std::string text = "exit code " + std::to_string(code) + ": ";
  bool known = false;
  for (const CodeHelp& help : CodeHelps()) {
    if (help.code != code) continue;
    text += help.text;
    known = true;
  }
  if (!known) {
    text += code > 128 ? "ended by signal " + std::to_string(code - 128)
                       : "no code of these programs";
  }
  if (code == 0 || code == 20 || code == 21) return text + "\n";
  return text + "\n  below 128 the same command would fail in the same way: " +
         (code < 128 ? "it is not tried again\n"
                     : "this one is, so it is tried again\n");
}

std::string Explain(const std::string& what) {
  int64_t code = 0;
  if (ParseInt(what, &code)) {
    if (code < 0 || code > 255) {
      throw UsageError("there is no exit code " + what, "0 to 255");
    }
    return DescribeExitCode(static_cast<int>(code));
  }
  const size_t dot = what.find('.');
  std::vector<std::string> names;
  for (const Prototype& prototype : Prototypes()) {
    names.push_back(prototype.name);
    if (prototype.name == what) return DescribePrototype(prototype);
    if (prototype.name == what.substr(0, dot)) {
      const Params params(prototype.params);
      return DescribeParam(params.Spec(what.substr(dot + 1)));
    }
  }
  const std::vector<std::string> sets = HParamsSets().Names();
  if (Has(sets, what)) return DescribeHParams(what, LookUpHParams(what));
  if (FindCatalogueModel(what) != nullptr) return DescribeModel(what);
  if (FindHParamKey(what) != nullptr) return DescribeHParam(what);
  const std::vector<std::string> problems = Problems().Names();
  if (Has(problems, ParseProblemName(what).base_name)) {
    return DescribeProblem(what);
  }
  const std::string field = DescribeField(what);
  if (!field.empty()) return field;
  for (const std::vector<std::string>& more : {sets, ModelsHere(), problems}) {
    names.insert(names.end(), more.begin(), more.end());
  }
  for (const auto& [name, help] : FieldHelps()) names.push_back(name);
  const std::string near = DidYouMean(what.substr(what.rfind('.') + 1), names);
  throw UsageError("nothing is known of '" + what + "'",
                   near.empty() ? "an exit code, a component, a prototype or "
                                  "its parameter, a set, a model, a problem, a "
                                  "field of manifests"
                                : near,
                   "kubectl explain knows every field of manifests");
}

}  // namespace t2t
