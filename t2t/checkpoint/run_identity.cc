#include "t2t/checkpoint/run_identity.h"

#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

struct NamePair {
  const char* what;
  const char* flag;
  const std::string& saved;
  const std::string& here;
};

// Those that both know and that differ.
std::vector<NamePair> Changed(const RunIdentity& saved,
                              const RunIdentity& here) {
  std::vector<NamePair> changed;
  for (const NamePair& pair :
       {NamePair{"problem", "problem", saved.problem, here.problem},
        NamePair{"model", "model", saved.model, here.model},
        NamePair{"hparams set", "hparams_set", saved.hparams_set,
                 here.hparams_set}}) {
    if (pair.saved.empty() || pair.here.empty() || pair.saved == pair.here) {
      continue;
    }
    changed.push_back(pair);
  }
  return changed;
}

}  // namespace

Json RunIdentity::ToJson() const {
  Json json = Json::Object();
  json.Set("problem", problem);
  json.Set("model", model);
  json.Set("hparams_set", hparams_set);
  Json all = Json::Object();
  for (const auto& [feature, vocabulary] : vocabularies) {
    Json one = Json::Object();
    // Not where it lies: the same run writes the same bytes on any machine.
    one.Set("file", BaseName(vocabulary.file));
    one.Set("sha256", vocabulary.sha256);
    all.Set(feature, std::move(one));
  }
  json.Set("vocabularies", std::move(all));
  return json;
}

RunIdentity RunIdentity::FromJson(const Json& json) {
  RunIdentity run;
  run.problem = json.At("problem").AsString();
  run.model = json.At("model").AsString();
  run.hparams_set = json.At("hparams_set").AsString();
  for (const auto& [feature, one] : json.At("vocabularies").members()) {
    run.vocabularies[feature] = {one.At("file").AsString(),
                                 one.At("sha256").AsString()};
  }
  return run;
}

RunIdentity MakeRunIdentity(const std::string& problem,
                            const std::string& model,
                            const std::string& hparams_set,
                            const ProblemInfo& info) {
  RunIdentity run{problem, model, hparams_set, {}};
  std::map<std::string, std::string> hashes;  // by path
  for (const auto& [name, feature] : info.features) {
    const std::string& path = feature.vocab_path;
    if (path.empty()) continue;
    std::string& hash = hashes[path];
    if (hash.empty()) hash = Sha256(MappedFile(path).data());
    run.vocabularies[name] = {path, hash};
  }
  return run;
}

void PutIdentity(const RunIdentity& run, Json* meta) {
  meta->Set(kRunKey, run.ToJson());
}

RunIdentity IdentityIn(const Json& meta) {
  const Json* const found = meta.Find(kRunKey);
  return found == nullptr ? RunIdentity() : RunIdentity::FromJson(*found);
}

RunIdentity WithFlagsText(RunIdentity run, const std::string& output_dir) {
  const auto flags = ReadFlagsText(JoinPath(output_dir, "flags.txt"));
  const auto add = [&](const char* name, std::string* value) {
    const auto found = flags.find(name);
    if (value->empty() && found != flags.end()) *value = found->second;
  };
  add("problem", &run.problem);
  add("model", &run.model);
  add("hparams_set", &run.hparams_set);
  return run;
}

std::map<std::string, std::string> ReadFlagsText(const std::string& path) {
  std::map<std::string, std::string> flags;
  if (path.empty() || !Exists(path)) return flags;
  for (const std::string& line : Split(ReadFile(path), '\n')) {
    const size_t equals = line.find('=');
    if (!StartsWith(line, "--") || equals == std::string::npos) continue;
    flags[line.substr(2, equals - 2)] = line.substr(equals + 1);
  }
  return flags;
}

void CheckVocabularies(const RunIdentity& saved, const RunIdentity& here,
                       const std::string& from) {
  for (const auto& [feature, vocabulary] : here.vocabularies) {
    const auto found = saved.vocabularies.find(feature);
    if (found == saved.vocabularies.end() ||
        found->second.sha256 == vocabulary.sha256) {
      continue;
    }
    throw MismatchError(
        "the vocabulary of '" + feature + "', " + vocabulary.file +
            " (sha256 " + vocabulary.sha256 + "), is not the one of " + from,
        found->second.file + " with sha256 " + found->second.sha256,
        "name the --data_dir that holds this file, or train anew in another "
        "--output_dir");
  }
}

std::string ChangedNames(const RunIdentity& saved, const RunIdentity& here) {
  std::vector<std::string> texts;
  for (const NamePair& pair : Changed(saved, here)) {
    texts.push_back("the " + std::string(pair.what) + " is " + pair.here +
                    ", not " + pair.saved);
  }
  return Join(texts, ", and ");
}

void CheckSameRun(const RunIdentity& saved, const RunIdentity& here,
                  const std::string& output_dir) {
  std::vector<std::string> flags;
  for (const NamePair& pair : Changed(saved, here)) {
    flags.push_back("--" + std::string(pair.flag) + "=" + pair.saved);
  }
  if (flags.empty()) return;
  throw MismatchError("the run in " + output_dir +
                          " is another one: " + ChangedNames(saved, here),
                      "what it began with, " + Join(flags, " "),
                      "give these flags, or another --output_dir (with "
                      "--warm_start_from=" +
                          output_dir + " to start from its parameters)");
}

}  // namespace t2t
