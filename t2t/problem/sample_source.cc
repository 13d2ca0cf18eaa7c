#include "t2t/problem/sample_source.h"

#include <memory>
#include <utility>
#include <variant>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/parallel.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/raw_files.h"
#include "t2t/formats/text_reader.h"

namespace t2t {
namespace {

// Samples that are held at a time: so many bytes of text and images.
constexpr size_t kHeldBytes = size_t{256} << 20;

size_t TextBytes(const Example& example) {
  size_t bytes = 0;
  for (const auto& [name, feature] : example.features) {
    const auto* const texts = std::get_if<std::vector<std::string>>(&feature);
    if (texts == nullptr) continue;
    for (const std::string& text : *texts) bytes += text.size();
  }
  return bytes;
}

class Samples : public ExampleSource {
 public:
  Samples(NextExample next, std::function<void(Example*)> finish)
      : next_(std::move(next)), finish_(std::move(finish)) {}

  size_t Read(size_t count) override {
    samples_.clear();
    size_t bytes = 0;
    for (Example sample; samples_.size() < count && bytes < kHeldBytes &&
                         next_(&sample);) {
      bytes += TextBytes(sample);
      samples_.push_back(std::move(sample));
      sample = {};
    }
    return samples_.size();
  }

  Example Make(size_t i) const override {
    Example made = samples_[i];
    if (finish_ != nullptr) finish_(&made);
    return made;
  }

 private:
  NextExample next_;
  std::function<void(Example*)> finish_;
  std::vector<Example> samples_;
};

// Of each `total` samples those from `begin` to `end`.
NextExample Dealt(NextExample next, int begin, int end, int total) {
  return [next = std::move(next), begin, end, total,
          at = 0](Example* example) mutable {
    for (;;) {
      if (!next(example)) return false;
      const int place = at;
      at = (at + 1) % total;
      if (place >= begin && place < end) return true;
      *example = {};
    }
  };
}

// Of a file's text, compressed or not; of an archive that the problem's reader
// opens by itself, of its bytes.
std::string SumOf(const std::string& path) {
  if (EndsWith(path, ".7z")) {
    return Format("%lld:%s", static_cast<long long>(FileSize(path)),
                  FileSha256(path).substr(0, 8).c_str());
  }
  const FileFacts facts = ScanFile(path);
  return Format("%lld:%08x", static_cast<long long>(facts.bytes),
                static_cast<unsigned>(facts.crc32c));
}

class SampleSource : public Source {
 public:
  SampleSource(const SourceContext& context, SampleReading reading,
               std::vector<FoundCorpus> corpora)
      : reading_(std::move(reading)),
        splits_(context.problem.splits),
        corpora_(std::move(corpora)),
        seed_(Rng::Combine(static_cast<uint64_t>(context.options.seed),
                           context.problem.data_name)),
        fingerprint_(Json::Object()) {
    for (const FoundCorpus& corpus : corpora_) {
      const std::vector<std::string>& paths = corpus.paths;
      std::vector<std::string> sums(paths.size());
      ParallelFor(paths.size(), context.options.threads,
                  [&](size_t i, int) { sums[i] = SumOf(paths[i]); });
      std::string sum = Join(sums, " ");
      if (sums.size() > 1) {
        sum = Format("%zu files:%08x", sums.size(),
                     static_cast<unsigned>(Crc32c(sum)));
      }
      fingerprint_.Set(corpus.use->corpus.name, sum);
    }
  }

  int64_t size(DataSplit /*split*/) const override { return kUnknownSize; }

  std::unique_ptr<ExampleSource> Open(DataSplit split) const override {
    if (!reading_.dealt) {
      return std::make_unique<Samples>(Read(reading_.read, split),
                                       reading_.finish);
    }
    int begin = 0;
    int end = 0;
    int total = 0;
    for (const SplitSpec& of : splits_) {
      if (of.split == split) {
        begin = total;
        end = total + of.num_shards;
      }
      total += of.num_shards;
    }
    return std::make_unique<Samples>(
        Dealt(Read(reading_.read, DataSplit::kTrain), begin, end, total),
        reading_.finish);
  }

  NextText VocabularyText(const std::vector<std::string>& features,
                          const Vocabulary& vocabulary) const override {
    if (reading_.vocabulary == nullptr && !reading_.dealt) {
      return Source::VocabularyText(features, vocabulary);
    }
    // All samples, whatever split they go to.
    SampleReading all;
    all.read =
        reading_.vocabulary != nullptr ? reading_.vocabulary : reading_.read;
    auto whole = std::make_shared<SampleSource>(*this);
    whole->reading_ = all;
    NextText text = whole->Source::VocabularyText(features, vocabulary);
    return [whole, text](std::string* to) { return text(to); };
  }

  std::pair<std::string, Json> Fingerprint() const override {
    if (corpora_.empty()) return {};
    return {"text", fingerprint_};
  }

 private:
  NextExample Read(const ReadSamples& read, DataSplit split) const {
    return read({corpora_, split, Rng::Combine(seed_, SplitName(split))});
  }

  SampleReading reading_;
  std::vector<SplitSpec> splits_;
  std::vector<FoundCorpus> corpora_;
  uint64_t seed_;
  Json fingerprint_;
};

}  // namespace

std::vector<std::string> SampleFiles::Paths() const {
  std::vector<std::string> paths;
  for (const FoundCorpus& corpus : corpora) {
    if (corpus.use->split && *corpus.use->split != split) continue;
    paths.insert(paths.end(), corpus.paths.begin(), corpus.paths.end());
  }
  return paths;
}

std::string SampleFiles::Path(const std::string& ending) const {
  for (const std::string& path : Paths()) {
    if (EndsWith(path, ending) || EndsWith(path, ending + ".gz")) return path;
  }
  throw Error(ExitCode::kInternal,
              "no corpus of the problem has a file '" + ending + "'");
}

void ReadBy(const SampleReading& reading, Problem* problem) {
  problem->open =
      [reading](const SourceContext& context) -> std::unique_ptr<Source> {
    std::vector<FoundCorpus> found;
    if (!context.corpora.Find(context.problem.corpora, context.must_be_there,
                              &found)) {
      return nullptr;
    }
    return std::make_unique<SampleSource>(context, reading, std::move(found));
  };
}

void TakeGivenShards(const std::string& made_by, Problem* problem) {
  problem->open = [name = problem->name, data = problem->data_name,
                   shards = problem->splits.front().num_shards, made_by](
                      const SourceContext& context) -> std::unique_ptr<Source> {
    if (!context.must_be_there) return nullptr;
    throw MissingError(
        "t2t-datagen can't make the data of " + name + ", as T2T can't",
        Format("shards %s-train-00000-of-%05d", data.c_str(), shards) +
            " and so on with the vocabularies in --data_dir, from " + made_by,
        "put them there; t2t-trainer reads them");
  };
}

CorpusUse OfAll(Corpus corpus) {
  CorpusUse use;
  use.corpus = std::move(corpus);
  return use;
}

Example TextPair(std::string inputs, std::string targets) {
  Example example = TextAlone(std::move(targets));
  example.features["inputs"] = std::vector<std::string>{std::move(inputs)};
  return example;
}

Example TextAlone(std::string targets) {
  Example example;
  example.features["targets"] = std::vector<std::string>{std::move(targets)};
  return example;
}

}  // namespace t2t
