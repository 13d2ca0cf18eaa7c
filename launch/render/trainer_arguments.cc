#include "launch/render/trainer_arguments.h"

#include <algorithm>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/settings.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr std::string_view kHParamsFlag = "--hparams=";

}  // namespace

std::string TrainerHParams(const Component& component) {
  std::string hparams = component.params.String("hparams");
  for (const std::string& argument : component.params.List("trainer_args")) {
    if (!StartsWith(argument, kHParamsFlag)) continue;
    hparams = JoinSettings(hparams, argument.substr(kHParamsFlag.size()));
  }
  return hparams;
}

std::vector<std::string> TrainerArguments(const Component& component,
                                          const std::string& schedule) {
  const Params& params = component.params;
  std::string output = params.String("output_dir");
  if (output.empty()) {
    output = params.String("claim_path") + "/train/" + component.name;
  }
  std::vector<std::string> arguments;
  const auto add = [&](const std::string& name, const std::string& value) {
    arguments.push_back(FlagArgument(name, value));
  };
  for (const char* const name : {"problem", "model", "hparams_set"}) {
    add(name, params.String(name));
  }
  const std::string hparams = TrainerHParams(component);
  if (!hparams.empty()) add("hparams", hparams);
  add("data_dir", params.String("data_dir"));
  add("output_dir", output);
  add("schedule", schedule.empty() ? "continuous_train_and_eval" : schedule);
  for (const char* const name : {"train_steps", "local_eval_frequency",
                                 "keep_checkpoint_max", "random_seed"}) {
    add(name, std::to_string(params.Int(name)));
  }
  add("threads", std::to_string(Threads(component)));
  for (const std::string& argument : params.List("trainer_args")) {
    if (!StartsWith(argument, "--")) {
      throw UsageError("the parameter trainer_args has '" + argument + "'",
                       "flags: --name=value");
    }
    if (!StartsWith(argument, kHParamsFlag)) {
      arguments.push_back(EscapeDollars(argument));
    }
  }
  return arguments;
}

void PutFlag(const std::string& argument, std::vector<std::string>* arguments) {
  const std::string start = argument.substr(0, argument.find('=') + 1);
  const auto is_it = [&](const std::string& other) {
    return StartsWith(other, start);
  };
  const auto place = std::find_if(arguments->begin(), arguments->end(), is_it);
  if (place == arguments->end()) {
    arguments->push_back(argument);
    return;
  }
  *place = argument;
  arguments->erase(std::remove_if(place + 1, arguments->end(), is_it),
                   arguments->end());
}

}  // namespace t2t
