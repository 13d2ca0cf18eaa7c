#include "t2t/problem/text_problem.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/parallel.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/text_reader.h"
#include "t2t/text/encoder_factory.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// T2T's bounds of the bisection.
constexpr int64_t kMinCount = 1;
constexpr int64_t kMaxCount = 1000;

void Strip(std::string* text) {
  const std::string_view stripped = StripPythonSpace(*text);
  if (stripped.size() != text->size()) *text = std::string(stripped);
}

class LinePairSource : public TextSource {
 public:
  LinePairSource(std::vector<TextFiles> files, bool drop_empty)
      : files_(std::move(files)), drop_empty_(drop_empty) {}

  bool Next(TextSample* sample) override {
    for (;;) {
      if (!inputs_) {
        if (next_ == files_.size()) return false;
        inputs_.emplace(files_[next_].inputs);
        targets_.emplace(files_[next_].targets);
        ++next_;
      }
      if (!inputs_->Next(&sample->inputs) ||
          !targets_->Next(&sample->targets)) {
        inputs_.reset();
        targets_.reset();
        continue;
      }
      Strip(&sample->inputs);
      Strip(&sample->targets);
      if (drop_empty_ && (sample->inputs.empty() || sample->targets.empty())) {
        continue;
      }
      return true;
    }
  }

 private:
  std::vector<TextFiles> files_;
  bool drop_empty_;
  size_t next_ = 0;
  std::optional<LineReader> inputs_;
  std::optional<LineReader> targets_;
};

class TextExampleSource : public ExampleSource {
 public:
  using MakeFunction = std::function<Example(const TextSample&)>;

  TextExampleSource(std::unique_ptr<TextSource> source, MakeFunction make)
      : source_(std::move(source)), make_(std::move(make)) {}

  size_t Read(size_t count) override {
    samples_.resize(count);
    size_t read = 0;
    while (read < count && source_->Next(&samples_[read])) ++read;
    return read;
  }

  Example Make(size_t i) const override { return make_(samples_[i]); }

 private:
  std::unique_ptr<TextSource> source_;
  MakeFunction make_;
  std::vector<TextSample> samples_;
};

std::vector<int64_t> EncodeWithEos(const TextEncoder& encoder,
                                   std::string_view text) {
  std::vector<int64_t> ids = encoder.Encode(text);
  ids.push_back(kEosId);
  return ids;
}

void BuildSubwords(const TextCorpus& corpus, bool with_targets,
                   int64_t target_size, int64_t max_subtoken_length,
                   const std::string& path, const GenerateOptions& options) {
  const double start = NowSeconds();
  SubwordBuildOptions build;
  build.max_subtoken_length = max_subtoken_length;
  build.threads = options.threads;
  const TokenCounts counts =
      CountTokens(corpus.VocabularyText(with_targets), options.threads);
  if (counts.empty()) {
    throw DataError("the training text has no words to build " + path + " of",
                    "text", "don't change the files while they are read");
  }
  const auto encoder = SubwordTextEncoder::BuildToTargetSize(
      target_size, counts, kMinCount, kMaxCount, build);
  encoder->Store(path);
  Log(Format("  vocabulary: %s (%.1f s)",
             Count(encoder->vocab_size(), "subword").c_str(),
             NowSeconds() - start));
}

bool AllExist(const std::vector<std::string>& paths) {
  return std::all_of(paths.begin(), paths.end(), Exists);
}

// By number where all are whole numbers, else by their bytes.
std::vector<std::string> SortLabels(const std::set<std::string>& labels) {
  std::vector<std::string> sorted(labels.begin(), labels.end());
  int64_t number;
  const bool numbers = std::all_of(
      sorted.begin(), sorted.end(),
      [&](const std::string& label) { return ParseInt(label, &number); });
  if (numbers) {
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const std::string& a, const std::string& b) {
                       int64_t first = 0;
                       int64_t second = 0;
                       ParseInt(a, &first);
                       ParseInt(b, &second);
                       return first < second;
                     });
  }
  return sorted;
}

}  // namespace

NextText TextCorpus::VocabularyText(bool with_targets) const {
  struct State {
    std::unique_ptr<TextSource> source;
    TextSample sample;
    bool targets_next = false;
  };
  auto state = std::make_shared<State>();
  state->source = Open(DataSplit::kTrain);
  return [state, with_targets](std::string* text) {
    if (state->targets_next) {
      state->targets_next = false;
      *text = std::move(state->sample.targets);
      return true;
    }
    if (!state->source->Next(&state->sample)) return false;
    *text = std::move(state->sample.inputs);
    state->targets_next = with_targets;
    return true;
  };
}

FileCorpus::FileCorpus(Files files, int threads, bool drop_empty)
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
  ParallelFor(paths.size(), threads,
              [&](size_t i, int) { facts[i] = ScanFile(paths[i]); });
  std::vector<int64_t> kept(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const FileFacts& inputs = facts[2 * i];
    const FileFacts& targets = facts[2 * i + 1];
    const std::string inputs_name = TextName(pairs[i].inputs);
    const std::string targets_name = TextName(pairs[i].targets);
    if (inputs.lines != targets.lines) {
      throw DataError(
          "source and target are of different length: " + inputs_name +
              " has " + Count(inputs.lines, "line") + ", " + targets_name +
              " has " + Count(targets.lines, "line"),
          "line n of one to be the translation of line n of the "
          "other",
          "check the two files (an empty line counts)");
    }
    if (inputs.lines == 0) {
      throw DataError(inputs_name + " and " + targets_name + " are empty",
                      "one example a line");
    }
    kept[i] = inputs.lines;
    bytes_[pairs[i].inputs] = inputs.bytes;
    bytes_[pairs[i].targets] = targets.bytes;
  }
  if (drop_empty_) {
    ParallelFor(pairs.size(), threads, [&](size_t i, int) {
      LinePairSource source({pairs[i]}, drop_empty_);
      kept[i] = 0;
      for (TextSample sample; source.Next(&sample);) ++kept[i];
      if (kept[i] > 0) return;
      throw DataError(TextName(pairs[i].inputs) + " and " +
                          TextName(pairs[i].targets) +
                          " have no line with text in both",
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

int64_t FileCorpus::size(DataSplit split) const {
  const auto found = sizes_.find(split);
  return found == sizes_.end() ? 0 : found->second;
}

std::unique_ptr<TextSource> FileCorpus::Open(DataSplit split) const {
  return std::make_unique<LinePairSource>(files_.at(split), drop_empty_);
}

std::vector<TextShards> TextProblem::Shards() const {
  return {{DataSplit::kTrain, 100, true}, {DataSplit::kDev, 1, false}};
}

DataFacts TextProblem::data_facts() const {
  DataFacts facts;
  for (const TextShards& shards : Shards()) {
    (shards.split == DataSplit::kTrain ? facts.train_shards
                                       : facts.other_shards) +=
        shards.num_shards;
  }
  return facts;
}

bool TextProblem::VocabularyIsThere(const GenerateOptions& options) const {
  return AllExist(VocabularyPaths(options.data_dir));
}

std::vector<SplitPlan> TextProblem::Plans(
    const GenerateOptions& options) const {
  std::vector<SplitPlan> plans;
  for (const TextShards& shards : Shards()) {
    SplitPlan plan;
    plan.split = shards.split;
    plan.num_shards = NumShards(shards.split, shards.num_shards, options);
    plan.shuffle = shards.shuffle;
    plans.push_back(std::move(plan));
  }
  return plans;
}

void TextProblem::MakeVocabulary(const TextCorpus& corpus,
                                 const std::vector<SplitPlan>& plans,
                                 const Json& origin,
                                 const GenerateOptions& options) const {
  if (!options.overwrite && VocabularyIsThere(options)) {
    Log("  vocabulary: another process has made it");
    return;
  }
  ClearShards(name(), plans, options);
  // Before the vocabulary, so that one that a killed run left is not taken for
  // that of another text.
  WriteOrigin(name(), origin, options);
  try {
    BuildVocabulary(corpus, options);
  } catch (...) {
    // (Of several tasks another one may have data of this origin.)
    if (options.task_id < 0) RemoveOrigin(name(), options);
    throw;
  }
}

void TextProblem::Generate(const GenerateOptions& given) const {
  GenerateOptions options = given;
  options.vocab = Rereadable(given.vocab, given.tmp_dir);
  std::vector<SplitPlan> plans = Plans(options);
  const bool shards_there = ShardsAreThere(name(), plans, options);
  const bool redo = options.overwrite || !VocabularyIsThere(options);
  const bool complete = shards_there && !redo;
  Log(name() + " into " + options.data_dir);
  const std::unique_ptr<TextCorpus> corpus = FindCorpus(options, !complete);
  if (corpus == nullptr) {
    Log("  already there");
    return;
  }

  TextEncoders encoders;
  for (SplitPlan& plan : plans) {
    const DataSplit split = plan.split;
    plan.num_examples = corpus->size(split);
    if (options.max_cases > 0) {
      plan.num_examples = std::min(plan.num_examples, options.max_cases);
    }
    plan.open = [this, split, &corpus, &encoders] {
      return std::make_unique<TextExampleSource>(
          corpus->Open(split), [this, &encoders](const TextSample& sample) {
            return MakeExample(sample, encoders);
          });
    };
  }
  Json origin = MakeOrigin(plans, options);
  const Json fingerprint = corpus->Fingerprint();
  if (!fingerprint.is_null()) origin.Set("text", fingerprint);
  CheckOrigin(name(), origin, options);

  const bool is_task = options.task_id >= 0;
  RemoveDatagenLeftovers(name(), options);
  if (complete) {
    WriteExtras(*corpus, options);
    Log("  already there");
    return;
  }
  MakeDirectories(options.data_dir);
  std::optional<BuildLock> lock;
  if (redo || !is_task) {
    lock.emplace(DatagenLockPath(name(), options),
                 (is_task ? "the vocabulary of " : "the data of ") + name());
  }
  if (redo) MakeVocabulary(*corpus, plans, origin, options);
  if (is_task) lock.reset();
  WriteOrigin(name(), origin, options);
  encoders = LoadEncoders(options.data_dir);
  GenerateShards(name(), plans, options);
  WriteExtras(*corpus, options);
}

std::vector<std::string> TextProblem::DataFiles(const std::string& data_dir,
                                                DataSplit split) const {
  return FindShards(data_dir, name(), SplitName(split));
}

bool TextProblem::Preprocess(Example* example, Mode mode,
                             const HParams& hparams) const {
  PreprocessExampleCommon(example, mode, hparams);
  return true;
}

void TextProblem::CheckVocabulary(const std::string& path,
                                  const std::string& data_dir) const {
  if (Exists(path)) return;
  throw MissingError("there is no vocabulary " + path, "",
                     "run t2t-datagen --problem=" + name() +
                         " --data_dir=" + data_dir + ", or check --data_dir");
}

std::string Text2TextProblem::BuiltPath(const std::string& data_dir) const {
  return JoinPath(data_dir,
                  vocabulary_type() == VocabularyType::kToken
                      ? "vocab." + name() + ".tokens"
                      : Format("vocab.%s.%lld.subwords", name().c_str(),
                               static_cast<long long>(approx_vocab_size())));
}

std::string Text2TextProblem::ModelPath(const std::string& data_dir) const {
  return JoinPath(data_dir, "vocab." + name() + ".model");
}

std::vector<std::string> Text2TextProblem::VocabularyPaths(
    const std::string& data_dir) const {
  if (vocabulary_type() == VocabularyType::kCharacter) return {};
  const std::string model = ModelPath(data_dir);
  return {Exists(model) ? model : BuiltPath(data_dir)};
}

std::string Text2TextProblem::GivenVocabulary(const std::string& path) const {
  return ReadText(path);
}

bool Text2TextProblem::VocabularyIsThere(const GenerateOptions& options) const {
  if (!TextProblem::VocabularyIsThere(options)) return false;
  if (options.vocab.empty() || options.overwrite) return true;
  const std::string path = VocabularyPaths(options.data_dir)[0];
  if (ReadFile(path) != GivenVocabulary(options.vocab)) {
    throw UsageError(
        path + " is there already and isn't " + TextName(options.vocab), "",
        "leave --vocab out, name another --data_dir, or make "
        "all again with --overwrite");
  }
  return true;
}

void Text2TextProblem::BuildVocabulary(const TextCorpus& corpus,
                                       const GenerateOptions& options) const {
  if (vocabulary_type() == VocabularyType::kCharacter) return;
  const std::string model = ModelPath(options.data_dir);
  const std::string built = BuiltPath(options.data_dir);
  if (options.vocab.empty()) {
    RemoveFile(model);
    BuildSubwords(corpus, /*with_targets=*/true, approx_vocab_size(),
                  max_subtoken_length(), built, options);
    return;
  }
  const std::string contents = GivenVocabulary(options.vocab);
  const bool is_model = EndsWith(options.vocab, ".model");
  if (!is_model) RemoveFile(model);
  WriteFileAtomically(is_model ? model : built, contents);
  Log(Format(
      "  vocabulary: %s, from %s",
      Count(LoadEncoders(options.data_dir).inputs->vocab_size(), "symbol")
          .c_str(),
      TextName(options.vocab).c_str()));
}

TextEncoders Text2TextProblem::LoadEncoders(const std::string& data_dir) const {
  TextEncoders encoders;
  if (vocabulary_type() == VocabularyType::kCharacter) {
    encoders.inputs = std::make_shared<ByteTextEncoder>();
  } else {
    const std::string path = VocabularyPaths(data_dir)[0];
    CheckVocabulary(path, data_dir);
    TokenEncoderOptions token_options;
    if (!oov_token().empty()) token_options.replace_oov = oov_token();
    encoders.inputs = LoadTextEncoder(path, token_options);
  }
  encoders.targets = encoders.inputs;
  return encoders;
}

Example Text2TextProblem::MakeExample(const TextSample& sample,
                                      const TextEncoders& encoders) const {
  Example example;
  example.features["inputs"] = EncodeWithEos(*encoders.inputs, sample.inputs);
  example.features["targets"] =
      EncodeWithEos(*encoders.targets, sample.targets);
  return example;
}

ProblemInfo Text2TextProblem::Info(const std::string& data_dir) const {
  const TextEncoders encoders = LoadEncoders(data_dir);
  ProblemInfo info;
  info.name = name();
  FeatureInfo feature;
  feature.encoder = encoders.inputs;
  feature.vocab_size = encoders.inputs->vocab_size();
  const std::vector<std::string> paths = VocabularyPaths(data_dir);
  if (!paths.empty()) feature.vocab_path = paths[0];
  info.features["inputs"] = feature;
  info.features["targets"] = feature;
  if (vocabulary_type() == VocabularyType::kCharacter) {
    info.loss_multiplier = 2.0;
  }
  return info;
}

std::vector<std::string> Text2TextProblem::EvalMetrics() const {
  std::vector<std::string> metrics = DefaultEvalMetrics();
  for (const char* const name :
       {"approx_bleu_score", "rouge_2_fscore", "rouge_L_fscore"}) {
    metrics.emplace_back(name);
  }
  return metrics;
}

std::vector<std::string> Text2ClassProblem::VocabularyPaths(
    const std::string& data_dir) const {
  return {
      JoinPath(data_dir, Format("vocab.%s.%lld.subwords", name().c_str(),
                                static_cast<long long>(approx_vocab_size()))),
      JoinPath(data_dir, "vocab." + name() + ".labels")};
}

void Text2ClassProblem::BuildVocabulary(const TextCorpus& corpus,
                                        const GenerateOptions& options) const {
  std::vector<std::string> labels = Labels(options);
  if (labels.empty()) {
    std::set<std::string> seen;
    const std::unique_ptr<TextSource> source = corpus.Open(DataSplit::kTrain);
    TextSample sample;
    for (int64_t line = 1; source->Next(&sample); ++line) {
      if (sample.targets.empty()) {
        throw DataError(
            "the label of training line " + std::to_string(line) + " is empty",
            "one label a line");
      }
      seen.insert(sample.targets);
    }
    labels = SortLabels(seen);
  }
  const std::vector<std::string> paths = VocabularyPaths(options.data_dir);
  BuildSubwords(corpus, /*with_targets=*/false, approx_vocab_size(),
                /*max_subtoken_length=*/200, paths[0], options);
  WriteFileAtomically(paths[1], Join(labels, "\n") + "\n");
  Log("  " + Count(static_cast<int64_t>(labels.size()), "label"));
}

TextEncoders Text2ClassProblem::LoadEncoders(
    const std::string& data_dir) const {
  const std::vector<std::string> paths = VocabularyPaths(data_dir);
  for (const std::string& path : paths) CheckVocabulary(path, data_dir);
  return {SubwordTextEncoder::Load(paths[0]),
          ClassLabelEncoder::Load(paths[1])};
}

Example Text2ClassProblem::MakeExample(const TextSample& sample,
                                       const TextEncoders& encoders) const {
  Example example;
  example.features["inputs"] = EncodeWithEos(*encoders.inputs, sample.inputs);
  example.features["targets"] = encoders.targets->Encode(sample.targets);
  return example;
}

ProblemInfo Text2ClassProblem::Info(const std::string& data_dir) const {
  const TextEncoders encoders = LoadEncoders(data_dir);
  const std::vector<std::string> paths = VocabularyPaths(data_dir);
  ProblemInfo info;
  info.name = name();
  FeatureInfo inputs;
  inputs.encoder = encoders.inputs;
  inputs.vocab_size = encoders.inputs->vocab_size();
  inputs.vocab_path = paths[0];
  info.features["inputs"] = inputs;
  FeatureInfo targets;
  targets.modality = "class_label";
  targets.ends_at_eos = false;
  targets.encoder = encoders.targets;
  targets.vocab_size = encoders.targets->vocab_size();
  targets.vocab_path = paths[1];
  info.features["targets"] = targets;
  return info;
}

std::vector<std::string> Text2ClassProblem::EvalMetrics() const {
  return DefaultEvalMetrics();
}

}  // namespace t2t
