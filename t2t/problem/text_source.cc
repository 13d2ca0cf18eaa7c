#include "t2t/problem/text_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/parallel.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/formats/raw_files.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/vocabulary_sample.h"

namespace t2t {
namespace {

class TextExamples : public ExampleSource {
 public:
  explicit TextExamples(NextSample next) : next_(std::move(next)) {}

  size_t Read(size_t count) override {
    samples_.resize(count);
    size_t read = 0;
    while (read < count && next_(&samples_[read])) ++read;
    return read;
  }

  Example Make(size_t i) const override {
    Example example;
    example.features["inputs"] = std::vector<std::string>{samples_[i].inputs};
    example.features["targets"] = std::vector<std::string>{samples_[i].targets};
    return example;
  }

 private:
  NextSample next_;
  std::vector<TextSample> samples_;
};

// What there is of one side: the texts, and their bytes.
FileFacts ScanSide(const TextFiles& files, bool targets) {
  const NextText next = OpenSide(files, targets);
  FileFacts facts;
  for (std::string text; next(&text); ++facts.lines) {
    facts.bytes += static_cast<int64_t>(text.size()) + 1;
  }
  return facts;
}

void CheckPair(const TextFiles& pair, int64_t inputs, int64_t targets) {
  const std::string inputs_name = TextName(pair.inputs);
  const std::string targets_name = TextName(pair.targets);
  const bool segments =
      pair.reader == CorpusReader::kSgml || pair.reader == CorpusReader::kTmx;
  const std::string noun = segments ? "segment" : "line";
  if (inputs != targets) {
    throw DataError(
        "source and target are of different length: " + inputs_name + " has " +
            Count(inputs, noun) + ", " + targets_name + " has " +
            Count(targets, noun),
        noun + " n of one to be the translation of " + noun + " n of the other",
        "check the two files (an empty " + noun + " counts)");
  }
  if (inputs == 0) {
    throw DataError(inputs_name + " and " + targets_name + " are empty",
                    "one example a " + noun);
  }
}

void CheckFlags(const std::string& a, const char* a_flag, const std::string& b,
                const char* b_flag) {
  if (a.empty() == b.empty()) return;
  throw UsageError(std::string(a.empty() ? b_flag : a_flag) +
                       " is given without " + (a.empty() ? a_flag : b_flag),
                   "both or neither");
}

// The problem's corpora, with what is to be left next to the shards.
class CorpusTextSource : public TextFileSource {
 public:
  CorpusTextSource(std::string problem, std::vector<FoundCorpus> corpora,
                   int threads, bool drop_empty)
      : TextFileSource(FilesOfSplits(corpora), threads, drop_empty),
        problem_(std::move(problem)),
        corpora_(std::move(corpora)) {}

  void WriteExtras(const GenerateOptions& options) const override {
    for (const FoundCorpus& corpus : corpora_) {
      if (corpus.use->copied_as.empty()) continue;
      for (size_t i = 0; i < corpus.paths.size(); ++i) {
        const std::string& name = corpus.use->corpus.files[i].name;
        const std::string to =
            JoinPath(options.data_dir, problem_ + "." + corpus.use->copied_as +
                                           name.substr(name.rfind('.')));
        if (options.overwrite || !Exists(to)) {
          WriteFileAtomically(to, ReadText(corpus.paths[i]));
        }
      }
    }
  }

 private:
  static Files FilesOfSplits(const std::vector<FoundCorpus>& corpora) {
    Files files;
    for (const FoundCorpus& corpus : corpora) {
      if (!corpus.use->split) continue;
      for (TextFiles& pair : FilesOf(corpus)) {
        files[*corpus.use->split].push_back(std::move(pair));
      }
    }
    return files;
  }

  std::string problem_;
  std::vector<FoundCorpus> corpora_;
};

using ChooseSamples = std::function<NextSample(const OpenSamples& all)>;

// Some of the training pairs.
class SomeOfCorpora : public CorpusTextSource {
 public:
  SomeOfCorpora(std::string problem, std::vector<FoundCorpus> corpora,
                int threads, ChooseSamples some)
      : CorpusTextSource(std::move(problem), std::move(corpora), threads,
                         /*drop_empty=*/true),
        some_(std::move(some)) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? kUnknownSize
                                      : CorpusTextSource::size(split);
  }

  std::unique_ptr<ExampleSource> Open(DataSplit split) const override {
    if (split != DataSplit::kTrain) return CorpusTextSource::Open(split);
    return ExamplesOfText(some_([this] { return Samples(DataSplit::kTrain); }));
  }

 private:
  ChooseSamples some_;
};

bool FindCorpora(const SourceContext& context,
                 std::vector<FoundCorpus>* found) {
  return context.corpora.Find(context.problem.corpora, context.must_be_there,
                              found);
}

std::unique_ptr<Source> OpenCorpora(const SourceContext& context,
                                    bool drop_empty) {
  std::vector<FoundCorpus> found;
  if (!FindCorpora(context, &found)) return nullptr;
  return std::make_unique<CorpusTextSource>(
      context.problem.name, std::move(found), context.options.threads,
      drop_empty);
}

}  // namespace

NextText Source::VocabularyText(const std::vector<std::string>& features,
                                const Vocabulary& vocabulary) const {
  struct State {
    std::vector<DataSplit> splits;
    std::unique_ptr<ExampleSource> source;
    std::vector<std::string> texts;  // of a sample
    size_t next = 0;
    int64_t samples = 0;
  };
  auto state = std::make_shared<State>();
  state->splits = {DataSplit::kTrain};
  if (vocabulary.of_dev_too) {
    state->splits.insert(state->splits.begin(), DataSplit::kDev);
  }
  const int64_t most = vocabulary.max_samples;
  return [this, state, features, most](std::string* text) {
    while (state->next == state->texts.size()) {
      if (most > 0 && state->samples == most) return false;
      if (state->source == nullptr) {
        if (state->splits.empty()) return false;
        state->source = Open(state->splits.back());
        state->splits.pop_back();
      }
      if (state->source->Read(1) == 0) {
        state->source = nullptr;
        continue;
      }
      ++state->samples;
      const Example sample = state->source->Make(0);
      state->texts.clear();
      state->next = 0;
      for (const std::string& feature : features) {
        if (!sample.Has(feature)) continue;  // made of another one later
        for (const std::string& of : sample.Strings(feature)) {
          state->texts.push_back(of);
        }
      }
    }
    *text = std::move(state->texts[state->next++]);
    return true;
  };
}

std::unique_ptr<ExampleSource> ExamplesOfText(NextSample next) {
  return std::make_unique<TextExamples>(std::move(next));
}

TextFileSource::TextFileSource(Files files, int threads, bool drop_empty)
    : files_(std::move(files)),
      drop_empty_(drop_empty),
      fingerprint_(Json::Object()) {
  std::vector<TextFiles> pairs;
  std::vector<std::string> paths;
  for (const auto& [split, split_pairs] : files_) {
    for (const TextFiles& pair : split_pairs) {
      pairs.push_back(pair);
      paths.push_back(pair.inputs);
      paths.push_back(pair.targets);
    }
  }
  std::vector<FileFacts> facts(paths.size());
  ParallelFor(paths.size(), threads, [&](size_t i, int) {
    facts[i] = ScanFile(paths[i]);
    if (pairs[i / 2].reader == CorpusReader::kLines) return;
    const FileFacts side = ScanSide(pairs[i / 2], i % 2 == 1);
    facts[i].lines = side.lines;
    if (paths[i] == paths[i ^ 1]) facts[i].bytes = side.bytes;
  });
  bool filters = drop_empty_;
  for (const TextFiles& pair : pairs) filters |= pair.clean;
  std::vector<int64_t> kept(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const FileFacts& inputs = facts[2 * i];
    const FileFacts& targets = facts[2 * i + 1];
    CheckPair(pairs[i], inputs.lines, targets.lines);
    kept[i] = inputs.lines;
    bytes_[pairs[i].inputs].first = inputs.bytes;
    bytes_[pairs[i].targets].second = targets.bytes;
  }
  if (filters) {
    ParallelFor(pairs.size(), threads, [&](size_t i, int) {
      PairReader source({pairs[i]}, drop_empty_);
      kept[i] = 0;
      for (TextSample sample; source.Next(&sample);) ++kept[i];
      if (kept[i] > 0) return;
      throw DataError(TextName(pairs[i].inputs) + " and " +
                          TextName(pairs[i].targets) +
                          " have no line with text in both" +
                          (pairs[i].clean ? " that looks like a sentence" : ""),
                      "one example a line");
    });
  }
  size_t i = 0;
  for (const auto& [split, split_pairs] : files_) {
    Json sums = Json::Array();
    for (size_t end = i + split_pairs.size(); i < end; ++i) {
      sizes_[split] += kept[i];
      for (const FileFacts& file : {facts[2 * i], facts[2 * i + 1]}) {
        sums.Append(Format("%lld:%08x", static_cast<long long>(file.bytes),
                           static_cast<unsigned>(file.crc32c)));
      }
    }
    fingerprint_.Set(SplitName(split), std::move(sums));
  }
}

int64_t TextFileSource::size(DataSplit split) const {
  const auto found = sizes_.find(split);
  return found == sizes_.end() ? 0 : found->second;
}

NextSample TextFileSource::Samples(DataSplit split) const {
  auto reader = std::make_shared<PairReader>(files_.at(split), drop_empty_);
  return [reader](TextSample* sample) { return reader->Next(sample); };
}

std::unique_ptr<ExampleSource> TextFileSource::Open(DataSplit split) const {
  return ExamplesOfText(Samples(split));
}

NextText TextFileSource::VocabularyText(
    const std::vector<std::string>& features,
    const Vocabulary& vocabulary) const {
  const auto wants = [&](const char* name) {
    return std::find(features.begin(), features.end(), name) != features.end();
  };
  const bool inputs = wants("inputs");
  const bool targets = wants("targets");
  if (vocabulary.sample_characters > 0) {
    std::vector<SampledText> sampled;
    for (const TextFiles& pair : files_.at(DataSplit::kTrain)) {
      const auto open = [pair](bool targets) {
        return [pair, targets] { return OpenSide(pair, targets); };
      };
      if (inputs)
        sampled.push_back({bytes_.at(pair.inputs).first, open(false)});
      if (targets) {
        sampled.push_back({bytes_.at(pair.targets).second, open(true)});
      }
    }
    auto sample = std::make_shared<VocabularySample>(
        std::move(sampled), vocabulary.sample_characters);
    return [sample](std::string* line) { return sample->Next(line); };
  }
  struct State {
    NextSample next;
    TextSample sample;
    bool targets_next = false;
  };
  auto state = std::make_shared<State>();
  state->next = Samples(DataSplit::kTrain);
  return [state, inputs, targets](std::string* text) {
    if (state->targets_next) {
      state->targets_next = false;
      *text = std::move(state->sample.targets);
      return true;
    }
    if (!state->next(&state->sample)) return false;
    *text = std::move(inputs ? state->sample.inputs : state->sample.targets);
    state->targets_next = inputs && targets;
    return true;
  };
}

std::unique_ptr<Source> OpenTextPairs(const SourceContext& context) {
  return OpenCorpora(context, /*drop_empty=*/false);
}

std::unique_ptr<Source> OpenTranslation(const SourceContext& context) {
  return OpenCorpora(context, /*drop_empty=*/true);
}

std::unique_ptr<Source> OpenSomeTranslations(const SourceContext& context,
                                             ChooseSamples some) {
  std::vector<FoundCorpus> found;
  if (!FindCorpora(context, &found)) return nullptr;
  return std::make_unique<SomeOfCorpora>(context.problem.name, std::move(found),
                                         context.options.threads,
                                         std::move(some));
}

std::string NamedOrIn(const std::string& given, const std::string& tmp_dir,
                      const std::string& name) {
  if (!given.empty()) return given;
  const std::string path = JoinPath(tmp_dir, name);
  CheckRawFile(path, /*has_its_sum=*/false);
  return path;
}

std::unique_ptr<Source> OpenNamedText(const SourceContext& context) {
  const GenerateOptions& options = context.options;
  CheckFlags(options.train_src, "--train_src", options.train_tgt,
             "--train_tgt");
  CheckFlags(options.dev_src, "--dev_src", options.dev_tgt, "--dev_tgt");
  const auto named = [&](const std::string& given, const char* name) {
    return NamedOrIn(given, options.tmp_dir, name);
  };
  const std::array<std::pair<std::string, const char*>, 4> files = {{
      {named(options.train_src, "inputs.train.txt"), "--train_src"},
      {named(options.train_tgt, "targets.train.txt"), "--train_tgt"},
      {named(options.dev_src, "inputs.eval.txt"), "--dev_src"},
      {named(options.dev_tgt, "targets.eval.txt"), "--dev_tgt"},
  }};
  for (const auto& [path, flag] : files) {
    if (path == "-" || Exists(path)) continue;
    if (!context.must_be_there) return nullptr;
    throw MissingError(
        "there is no file " + path,
        context.problem.name +
            " reads inputs.train.txt, targets.train.txt, "
            "inputs.eval.txt and targets.eval.txt in --tmp_dir, or the "
            "files that flags name",
        std::string("put it there, or name another with ") + flag);
  }
  // All at once: one program may write several pipes line by line.
  std::map<std::string, std::string> text_at;
  for (const auto& [path, flag] : files) text_at[path] = "";
  std::vector<std::pair<const std::string, std::string>*> texts;
  for (auto& text : text_at) texts.push_back(&text);
  ParallelFor(texts.size(), static_cast<int>(texts.size()), [&](size_t i, int) {
    texts[i]->second = Rereadable(texts[i]->first, options.tmp_dir);
  });
  const auto text = [&](size_t i) { return text_at.at(files[i].first); };
  return std::make_unique<TextFileSource>(
      TextFileSource::Files{{DataSplit::kTrain, {{text(0), text(1)}}},
                            {DataSplit::kDev, {{text(2), text(3)}}}},
      options.threads, /*drop_empty=*/false);
}

}  // namespace t2t
