#include "t2t/problem/encoded_examples.h"

#include <utility>
#include <variant>
#include <vector>

#include "t2t/base/parallel.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// Samples that are held at a time to be regrouped. (One may be megabytes.)
constexpr size_t kHeld = 16;

class Encoded : public ExampleSource {
 public:
  Encoded(std::unique_ptr<ExampleSource> samples,
          const FeatureEncoders& encoders)
      : samples_(std::move(samples)), encoders_(encoders) {}

  size_t Read(size_t count) override { return samples_->Read(count); }

  Example Make(size_t i) const override {
    Example example = samples_->Make(i);
    for (const auto& [name, feature] : encoders_) {
      const auto found = example.features.find(name);
      if (found == example.features.end() || feature.encoder == nullptr) {
        continue;
      }
      const auto* const texts =
          std::get_if<std::vector<std::string>>(&found->second);
      if (texts == nullptr) continue;
      found->second = Ids(*texts, feature);
    }
    return example;
  }

 private:
  static std::vector<int64_t> Ids(const std::vector<std::string>& texts,
                                  const FeatureEncoder& feature) {
    std::vector<int64_t> ids =
        feature.encoder->Encode(feature.prefix + texts.at(0));
    for (size_t i = 1; i < texts.size(); ++i) {
      ids.push_back(feature.encoder->Encode(feature.joined_by).at(0));
      const std::vector<int64_t> more = feature.encoder->Encode(texts[i]);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    if (feature.appends_eos) ids.push_back(kEosId);
    return ids;
  }

  std::unique_ptr<ExampleSource> samples_;
  const FeatureEncoders& encoders_;
};

// The examples of a source, one by one.
class OneByOne {
 public:
  OneByOne(std::unique_ptr<ExampleSource> source, int threads)
      : source_(std::move(source)), threads_(threads) {}

  bool Next(Example* example) {
    if (next_ == held_.size()) {
      held_.resize(source_->Read(kHeld));
      next_ = 0;
      ParallelFor(held_.size(), threads_,
                  [&](size_t i, int) { held_[i] = source_->Make(i); });
      if (held_.empty()) return false;
    }
    *example = std::move(held_[next_++]);
    return true;
  }

 private:
  std::unique_ptr<ExampleSource> source_;
  int threads_;
  std::vector<Example> held_;
  size_t next_ = 0;
};

class Regrouped : public ExampleSource {
 public:
  explicit Regrouped(NextExample next) : next_(std::move(next)) {}

  size_t Read(size_t count) override {
    examples_.clear();
    for (Example example; examples_.size() < count && next_(&example);) {
      examples_.push_back(std::move(example));
    }
    return examples_.size();
  }

  Example Make(size_t i) const override { return examples_[i]; }

 private:
  NextExample next_;
  std::vector<Example> examples_;
};

}  // namespace

FeatureEncoders LoadEncoders(const Problem& problem,
                             const std::string& data_dir) {
  FeatureEncoders encoders;
  using File = std::pair<std::string, Vocabulary::Kind>;
  std::map<File, std::shared_ptr<const TextEncoder>> read;
  for (const auto& [name, feature] : problem.features) {
    const Vocabulary& vocabulary = feature.vocabulary;
    std::shared_ptr<const TextEncoder>& encoder =
        read[{vocabulary.file, vocabulary.kind}];
    if (encoder == nullptr || !feature.vocabulary.has_file()) {
      encoder = LoadVocabulary(feature.vocabulary, problem.name, data_dir);
    }
    const bool has_eos = feature.appends_eos &&
                         feature.vocabulary.appends_eos() &&
                         !TraitsOfModality(feature.modality).is_class_label;
    encoders[name] = {encoder, has_eos, feature.prefix, feature.joined_by};
  }
  return encoders;
}

std::unique_ptr<ExampleSource> EncodedExamples(
    std::unique_ptr<ExampleSource> samples, const FeatureEncoders& encoders) {
  return std::make_unique<Encoded>(std::move(samples), encoders);
}

std::unique_ptr<ExampleSource> RegroupedExamples(
    std::unique_ptr<ExampleSource> encoded, const Regroup& regroup,
    uint64_t seed, int threads) {
  auto examples = std::make_shared<OneByOne>(std::move(encoded), threads);
  return std::make_unique<Regrouped>(regroup(
      [examples](Example* example) { return examples->Next(example); }, seed));
}

}  // namespace t2t
