#include "t2t/problem/describe.h"

#include <map>
#include <set>
#include <vector>

#include "t2t/base/strings.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// In a line; ProblemFacts() has all.
constexpr size_t kNamedCorpora = 2;

const char* KindName(Vocabulary::Kind kind) {
  using Kind = Vocabulary::Kind;
  switch (kind) {
    case Kind::kNone:
      return "none";
    case Kind::kBytes:
      return "bytes";
    case Kind::kSubwords:
      return "subwords";
    case Kind::kTokens:
      return "tokens";
    case Kind::kWords:
      return "words";
    case Kind::kLabelFile:
    case Kind::kLabels:
      return "labels";
    case Kind::kInts:
      return "numbers";
    case Kind::kPixels:
      return "pixel values";
    case Kind::kCustom:
      return "its own";
  }
  return "";
}

int64_t SizeOf(const Vocabulary& vocabulary) {
  return vocabulary.kind == Vocabulary::Kind::kLabels
             ? static_cast<int64_t>(vocabulary.labels.size())
             : vocabulary.size;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return sizes.empty() ? "" : " " + Join(sizes, " x ");
}

// The corpora's names, each once, in the order of their use.
std::vector<std::string> CorpusNames(const Problem& problem) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const CorpusUse& use : problem.corpora) {
    if (seen.insert(use.corpus.name).second) names.push_back(use.corpus.name);
  }
  return names;
}

Json Listed(const std::vector<std::string>& texts) {
  Json list = Json::Array();
  for (const std::string& text : texts) list.Append(text);
  return list;
}

Json FeatureFacts(const FeatureSpec& feature) {
  Json facts = Json::Object();
  facts.Set("modality", feature.modality);
  facts.Set("vocabulary", KindName(feature.vocabulary.kind));
  const int64_t size = SizeOf(feature.vocabulary);
  if (size > 0) facts.Set("size", size);
  if (feature.vocabulary.has_file()) facts.Set("file", feature.vocabulary.file);
  if (!feature.shape.empty()) {
    Json shape = Json::Array();
    for (const int64_t length : feature.shape) shape.Append(length);
    facts.Set("shape", std::move(shape));
  }
  return facts;
}

Json CorporaFacts(const Problem& problem) {
  Json corpora = Json::Array();
  std::set<std::string> seen;
  for (const CorpusUse& use : problem.corpora) {
    const Corpus& corpus = use.corpus;
    if (!seen.insert(corpus.name).second) continue;
    Json facts = Json::Object();
    facts.Set("name", corpus.name);
    if (!corpus.addresses.empty()) {
      facts.Set("addresses", Listed(corpus.addresses));
    }
    if (corpus.bytes > 0) facts.Set("bytes", corpus.bytes);
    if (!corpus.home.empty()) facts.Set("home", corpus.home);
    corpora.Append(std::move(facts));
  }
  return corpora;
}

}  // namespace

std::string DescribeFeature(const FeatureSpec& feature) {
  using Kind = Vocabulary::Kind;
  const Vocabulary& vocabulary = feature.vocabulary;
  const int64_t size = SizeOf(vocabulary);
  const std::string count = size > 0 ? std::to_string(size) + " " : "";
  switch (vocabulary.kind) {
    case Kind::kBytes:
      return "text, bytes";
    case Kind::kSubwords:
    case Kind::kTokens:
    case Kind::kWords:
      return "text, " + count + KindName(vocabulary.kind);
    case Kind::kLabelFile:
    case Kind::kLabels:
      return TraitsOfModality(feature.modality).is_class_label
                 ? "one of " + count + "labels"
                 : "any of " + count + "labels";
    case Kind::kInts:
      return "symbols, " + std::to_string(size) + " of them";
    case Kind::kPixels:
      return "image" + ShapeText(feature.shape);
    case Kind::kNone:
      if (TraitsOfModality(feature.modality).is_image) {
        return "image" + ShapeText(feature.shape);
      }
      if (TraitsOfModality(feature.modality).is_class_label) {
        return "one of " + count + "classes";
      }
      return count.empty() ? "numbers" : count + "numbers";
    case Kind::kCustom:
      return "text, an encoder of its own";
  }
  return "";
}

std::string DescribeProblem(const Problem& problem) {
  std::vector<std::string> sides;
  for (const char* const name : {"inputs", "targets"}) {
    const auto found = problem.features.find(name);
    if (found != problem.features.end() && !found->second.in_shards_only) {
      sides.push_back(DescribeFeature(found->second));
    }
  }
  if (sides.size() == 2 && sides[0] == sides[1]) {
    const size_t comma = sides[0].find(',');
    sides[0] = sides[0].substr(0, comma);
  }
  std::string text = Join(sides, " -> ");
  if (problem.packed_length > 0) {
    text += ", packed into " + std::to_string(problem.packed_length);
  }
  std::vector<std::string> corpora = CorpusNames(problem);
  if (corpora.empty()) return text;
  const size_t more =
      corpora.size() > kNamedCorpora + 1 ? corpora.size() - kNamedCorpora : 0;
  corpora.resize(corpora.size() - more);
  text += "; " + Join(corpora, ", ");
  return more == 0 ? text : text + " and " + std::to_string(more) + " more";
}

Json ProblemFacts(const Problem& problem) {
  Json facts = Json::Object();
  if (problem.data_name != problem.name) facts.Set("data", problem.data_name);
  Json features = Json::Object();
  for (const auto& [name, feature] : problem.features) {
    if (!feature.in_shards_only) features.Set(name, FeatureFacts(feature));
  }
  facts.Set("features", std::move(features));
  if (problem.packed_length > 0) {
    facts.Set("packed_length", problem.packed_length);
  }
  std::map<std::string, int64_t> shards;
  for (const SplitSpec& split : problem.splits) {
    shards[SplitName(split.split)] += split.num_shards;
  }
  Json splits = Json::Object();
  for (const auto& [name, count] : shards) splits.Set(name, count);
  facts.Set("splits", std::move(splits));
  facts.Set("metrics", Listed(problem.metrics));
  if (!problem.corpora.empty()) facts.Set("corpora", CorporaFacts(problem));
  return facts;
}

}  // namespace t2t
