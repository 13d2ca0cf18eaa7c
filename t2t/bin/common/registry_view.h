#ifndef T2T_BIN_COMMON_REGISTRY_VIEW_H_
#define T2T_BIN_COMMON_REGISTRY_VIEW_H_

#include <string>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

// The registries as people look at them: --registry_help, with filters and as
// JSON.

// A name of a registry.
struct RegistryEntry {
  // "models", "problems", "hparams sets", "hparams ranges", "modalities",
  // "metrics" or "optimizers".
  std::string registry;
  // What it stands with: a family of models, a file of problems; "": nothing.
  std::string group;
  std::string name;
  std::string help;  // a line
  // A model of T2T's, or a set of one, that can't be used yet: false.
  bool here = true;
};

// All names that a filter matches, by registry and group. A filter is a list of
// "registry:pattern", "registry" or "pattern" with commas between; '*' and '?'
// in a pattern are as in a shell; of a registry's name the first word does
// ("hparams:transformer_*" are sets). "": all. Throws a usage error where a
// part of it matches nothing.
std::vector<RegistryEntry> RegistryEntries(const std::string& filter);

// For people: by registry, each group under its heading, and what is not here
// apart.
std::string RegistryText(const std::vector<RegistryEntry>& entries);

// An array of {"registry", "group", "name", "help", "here"} and what else is
// known of a name: "paper" and "default_set" of a model, "family" and "parent"
// of a set, ProblemFacts() of a problem.
Json RegistryJson(const std::vector<RegistryEntry>& entries);

// What a program answers to --registry_help=`flag` ("true": the flag alone);
// `json`: as JSON.
std::string RegistryHelp(const std::string& flag, bool json);

}  // namespace t2t

#endif  // T2T_BIN_COMMON_REGISTRY_VIEW_H_
