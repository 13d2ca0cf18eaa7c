// Each problem that has a name of T2T's is what T2T registers under that name:
// features, modalities, vocabularies, splits and shards, metrics, the corpora's
// files (tests/golden/problems/facts.txt, made by tools/golden/
// problem_facts.py). What differs, and why, stands here.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "problems/problem_testing.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/problem/describe.h"

namespace t2t {
namespace {

constexpr char kFacts[] = "tests/golden/problems/facts.txt";
// So that a commit which loses or adds one says so.
constexpr size_t kRegistered = 355;

std::map<std::string, Json> Facts() {
  std::map<std::string, Json> facts;
  for (const std::string& line : Split(ReadFile(kFacts), '\n')) {
    if (line.empty()) continue;
    Json fact = Json::Parse(line);
    const std::string name = fact.At("name").AsString();
    facts.emplace(name, std::move(fact));
  }
  return facts;
}

// "<problem>: <fact>", with the reason.
const std::map<std::string, std::string>& Differences() {
  static const auto& differences = *new std::map<std::string, std::string>{
      {"tiny_algo: shards", "T2T writes 1 and says 10"},
      // Its images have no targets in T2T either.
      {"image_celeba: modalities", "there are no targets"},
      {"image_cifar10_plain_gen_flat: modalities", "there are no targets"},
      {"image_imagenet64_gen_flat: modalities", "there are no targets"},
      {"image_vqav2_rcnn_feature_tokens10k_labels3k: modalities",
       "the objects' places have one"},
      // T2T names a problem that isn't there, and so can't make it.
      {"languagemodel_en_wiki_lm_squad_concat_subwords: modalities",
       "not known"},
      {"languagemodel_en_wiki_lm_squad_concat_subwords: space_ids",
       "not known"},
      {"parsing_icelandic16k: size of targets", "that of the file"},
      {"squad_concat_positioned: data", "T2T's overwrites squad's"},
      {"squad_concat_shared_vocab: data", "T2T's overwrites squad's"},
      // T2T's real vectors say that there are inputs, and there are none.
      {"timeseries_toy_problem_no_inputs: modalities", "there are no inputs"},
      {"timeseries_toy_problem_no_inputs: size of inputs",
       "there are no inputs"},
      {"timeseries_toy_problem_no_inputs: space_ids", "there are no inputs"},
  };
  return differences;
}

// Of whole families.
bool IsKnownDifference(const std::string& key) {
  if (Differences().count(key) > 0) return true;
  const std::string fact = key.substr(key.find(':') + 2);
  // bAbI's inputs have no modality in T2T, so that no model can take them.
  if (StartsWith(key, "babi_qa_")) return fact == "modalities";
  // T2T's separator is the id behind its vocabulary, and so is embedded as
  // whatever lies there.
  if (StartsWith(key, "algorithmic_addition_") ||
      StartsWith(key, "algorithmic_multiplication_")) {
    return StartsWith(fact, "size of ");
  }
  // T2T's name of a file that it never makes.
  if (StartsWith(key, "programming_desc2code_")) return fact == "file";
  // A mixture's shards are those of its members.
  if (MakeProblem(key.substr(0, key.find(':')))->mixture) {
    return fact == "shards";
  }
  // T2T writes 10 of dev and 10 of test, and says 1 of dev.
  if (StartsWith(key, "genomics_")) return fact == "shards";
  // Its vocabularies are vocab.source and vocab.target, whatever T2T says of
  // their file.
  return StartsWith(key, "seq2edits_textnorm") &&
         (fact == "file" || fact == "vocabulary" || fact == "about");
}

// What isn't written where it is so (tools/golden/problem_facts.py has the
// same).
Json Usual(const std::string& key, const std::string& name) {
  if (key == "data") return name;
  if (key == "loss_multiplier") return 1.0;
  if (key == "packed_length" || key == "max_samples_for_vocab") return 0;
  if (key == "inputs_prefix" || key == "targets_prefix") return "";
  Json usual = Json::Array();
  if (key == "space_ids") {
    usual.Append(0);
    usual.Append(0);
    return usual;
  }
  if (key != "metrics") return {};
  for (const std::string& metric : TextEvalMetrics()) usual.Append(metric);
  return usual;
}

void Expect(const std::string& key, bool is_so, const std::string& ours,
            const std::string& t2ts) {
  if (IsKnownDifference(key)) {
    EXPECT_FALSE(is_so) << key << " differs no more";
    return;
  }
  EXPECT_TRUE(is_so) << key << " is " << ours << ", T2T's " << t2ts;
}

std::string VocabularyKind(const Problem& problem) {
  using Kind = Vocabulary::Kind;
  for (const char* const feature : {"inputs", "targets"}) {
    const auto found = problem.features.find(feature);
    if (found == problem.features.end()) continue;
    switch (found->second.vocabulary.kind) {
      case Kind::kBytes:
        return "character";
      case Kind::kSubwords:
        return "subwords";
      case Kind::kTokens:
      case Kind::kWords:
        return "tokens";
      default:
        return "none";
    }
  }
  return "none";
}

Json ModalitiesOf(const Problem& problem) {
  Json modalities = Json::Object();
  for (const auto& [name, feature] : problem.features) {
    if (!feature.in_shards_only) modalities.Set(name, feature.modality);
  }
  return modalities;
}

// Sizes that are known without data.
std::string SizeOf(const FeatureSpec& feature) {
  using Kind = Vocabulary::Kind;
  const Vocabulary& vocabulary = feature.vocabulary;
  switch (vocabulary.kind) {
    case Kind::kBytes:
      return "258";
    case Kind::kLabels:
      return std::to_string(vocabulary.labels.size());
    case Kind::kInts:
      return std::to_string(vocabulary.size + kNumReservedTokens);
    case Kind::kPixels:
    case Kind::kNone:
      return std::to_string(vocabulary.size);
    case Kind::kCustom:
      return vocabulary.has_file()
                 ? "that of the file"
                 : std::to_string(vocabulary.load("")->vocab_size());
    default:
      return "that of the file";
  }
}

Json SpaceIds(const Problem& problem) {
  Json spaces = Json::Array();
  for (const char* const name : {"inputs", "targets"}) {
    const auto found = problem.features.find(name);
    spaces.Append(found == problem.features.end() ? 0 : found->second.space_id);
  }
  return spaces;
}

void CompareFiles(const std::string& name, const Json& facts,
                  const Problem& problem) {
  const Json* const files = facts.Find("files");
  if (files == nullptr) return;
  std::set<std::string> ours;
  for (const CorpusUse& use : problem.corpora) {
    for (const CorpusFile& file : use.corpus.files) ours.insert(file.name);
  }
  for (const Json& file : files->items()) {
    Expect(name + ": files", ours.count(file.AsString()) > 0, "without it",
           file.AsString());
  }
}

void CompareSizes(const std::string& name, const Json& facts,
                  const Problem& problem) {
  const Json* const sizes = facts.Find("sizes");
  if (sizes == nullptr) return;
  for (const auto& [feature, size] : sizes->members()) {
    const auto found = problem.features.find(feature);
    std::string ours =
        found == problem.features.end() ? "none" : SizeOf(found->second);
    // With the ids of tasks and classes.
    if (problem.mixture && ours == "258") {
      ours = std::to_string(problem.Info("").features.at(feature).vocab_size);
    }
    Expect(name + ": size of " + feature, ours == size.ToString(), ours,
           size.ToString());
  }
}

void Compare(const std::string& name, const Json& facts) {
  const auto problem = MakeProblem(name);
  const auto same = [&](const std::string& key, const Json& ours) {
    const Json* const fact = facts.Find(key);
    const Json t2ts = fact != nullptr ? *fact : Usual(key, name);
    if (t2ts.is_null()) return;
    Expect(name + ": " + key, t2ts.ToString() == ours.ToString(),
           ours.ToString(), t2ts.ToString());
  };
  const auto feature = [&](const char* of) {
    const auto found = problem->features.find(of);
    return found == problem->features.end() ? FeatureSpec() : found->second;
  };
  const FeatureSpec targets = feature("targets");
  const bool has_inputs = problem->features.count("inputs") > 0;
  const FeatureSpec text = has_inputs ? feature("inputs") : targets;
  same("data", problem->data_name);
  same("modalities", ModalitiesOf(*problem));
  const Json ours = ProblemFacts(*problem);
  same("shards", ours.At("splits"));
  same("metrics", ours.At("metrics"));
  same("loss_multiplier", problem->loss_multiplier);
  same("packed_length", problem->packed_length);
  same("vocabulary", VocabularyKind(*problem));
  same("space_ids", SpaceIds(*problem));
  same("inputs_prefix", has_inputs ? text.prefix : "");
  same("targets_prefix", targets.prefix);
  const bool own = text.vocabulary.of_problem.empty() &&
                   text.vocabulary.kind != Vocabulary::Kind::kBytes;
  if (own) {
    same("about", text.vocabulary.size);
    same("max_samples_for_vocab", text.vocabulary.max_samples);
  }
  if (const Json* const file = facts.Find("file");
      file != nullptr && !file->is_null()) {
    // (Of two vocabularies T2T's are <file>.<language>.)
    Expect(name + ": file", StartsWith(text.vocabulary.file, file->AsString()),
           text.vocabulary.file, file->AsString());
  }
  CompareSizes(name, facts, *problem);
  CompareFiles(name, facts, *problem);
}

TEST(FactsTest, AreT2Ts) {
  const std::map<std::string, Json> all = Facts();
  ASSERT_EQ(all.size(), 373u);
  std::vector<std::string> missing;
  for (const auto& [name, facts] : all) {
    if (Problems().Has(name)) {
      Compare(name, facts);
    } else {
      missing.push_back(name);
    }
  }
  std::printf("%zu of T2T's %zu problems are registered; not here:\n",
              all.size() - missing.size(), all.size());
  for (const std::string& name : missing) std::printf("  %s\n", name.c_str());
  EXPECT_EQ(all.size() - missing.size(), kRegistered);
  for (const auto& [difference, reason] : Differences()) {
    EXPECT_TRUE(Problems().Has(difference.substr(0, difference.find(':'))))
        << difference;
  }
}

}  // namespace
}  // namespace t2t
