#include "t2t/problem/build_vocabulary.h"

#include <algorithm>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/fetch.h"
#include "t2t/problem/text_source.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// T2T's bounds of the bisection.
constexpr int64_t kMinCount = 1;
constexpr int64_t kMaxCount = 1000;

// A vocabulary file, and the features whose text it is of.
struct Wanted {
  const Vocabulary* vocabulary = nullptr;
  std::vector<std::string> features;
};

// Labels first: what is wrong with them shows in no time.
std::vector<Wanted> WantedFiles(const Problem& problem) {
  std::vector<Wanted> files;
  for (const auto& [name, feature] : problem.features) {
    if (!feature.vocabulary.has_file()) continue;
    const auto same =
        std::find_if(files.begin(), files.end(), [&](const Wanted& wanted) {
          return wanted.vocabulary->file == feature.vocabulary.file;
        });
    if (same != files.end()) {
      same->features.push_back(name);
    } else {
      files.push_back({&feature.vocabulary, {name}});
    }
  }
  std::stable_partition(files.begin(), files.end(), [](const Wanted& wanted) {
    return wanted.vocabulary->kind == Vocabulary::Kind::kLabelFile;
  });
  return files;
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

std::string LabelContents(const Wanted& wanted, const Source& source,
                          const GenerateOptions& options) {
  std::vector<std::string> labels;
  const std::string& list = wanted.vocabulary->list_file;
  const std::string path =
      list.empty() ? "" : NamedOrIn("", options.tmp_dir, list);
  if (!path.empty() && Exists(path)) {
    for (const std::string& line : ReadTextLines(path)) {
      const std::string_view label = StripPythonSpace(line);
      if (!label.empty()) labels.emplace_back(label);
    }
  }
  if (labels.empty()) {
    std::set<std::string> seen;
    const NextText next =
        source.VocabularyText(wanted.features, *wanted.vocabulary);
    std::string label;
    for (int64_t line = 1; next(&label); ++line) {
      if (label.empty()) {
        throw DataError(
            "the label of training line " + std::to_string(line) + " is empty",
            "one label a line");
      }
      seen.insert(label);
    }
    labels = SortLabels(seen);
  }
  Log("  " + Count(static_cast<int64_t>(labels.size()), "label"));
  return Join(labels, "\n") + "\n";
}

// Not more than `most` characters of it.
NextText FirstCharacters(NextText next, int64_t most) {
  return [next = std::move(next), left = most](std::string* text) mutable {
    if (left <= 0 || !next(text)) return false;
    size_t at = 0;
    for (; at < text->size() && left > 0; --left) NextCodePoint(*text, &at);
    text->resize(at);
    return true;
  };
}

NextText TextFor(const Wanted& wanted, const Source& source) {
  NextText text = source.VocabularyText(wanted.features, *wanted.vocabulary);
  const int64_t most = wanted.vocabulary->max_characters;
  return most > 0 ? FirstCharacters(std::move(text), most) : text;
}

Error NoWords(const std::string& path) {
  return DataError("the training text has no words to build " + path + " of",
                   "text", "don't change the files while they are read");
}

// The words of the text by how often they are there, then by their bytes.
std::string WordContents(const Wanted& wanted, const Source& source,
                         const std::string& path) {
  const Vocabulary& vocabulary = *wanted.vocabulary;
  std::vector<std::string> tokens = {std::string(ReservedToken(kPadId)),
                                     std::string(ReservedToken(kEosId))};
  tokens.insert(tokens.end(), vocabulary.reserved.begin(),
                vocabulary.reserved.end());
  if (!vocabulary.oov_token.empty()) tokens.push_back(vocabulary.oov_token);
  if (!vocabulary.subtokens.empty()) {
    tokens.insert(tokens.end(), vocabulary.subtokens.begin(),
                  vocabulary.subtokens.end());
    return Join(tokens, "\n") + "\n";
  }
  TokenCounts counts;
  const NextText next = TextFor(wanted, source);
  for (std::string text; next(&text);) {
    for (const std::string_view word : SplitPythonSpace(text)) {
      const auto found = counts.find(word);
      if (found != counts.end()) {
        ++found->second;
      } else {
        counts.emplace(word, 1);
      }
    }
  }
  if (counts.empty()) throw NoWords(path);
  for (const std::string& token : tokens) counts.erase(token);
  std::vector<std::pair<int64_t, std::string>> words;
  for (const auto& [word, count] : counts) words.emplace_back(-count, word);
  std::sort(words.begin(), words.end());
  const auto most = static_cast<size_t>(vocabulary.size);
  if (most > 0 && words.size() > most) words.resize(most);
  for (auto& [count, word] : words) tokens.push_back(std::move(word));
  Log("  vocabulary: " + Count(static_cast<int64_t>(tokens.size()), "word"));
  return Join(tokens, "\n") + "\n";
}

std::string SubwordContents(const Wanted& wanted, const Source& source,
                            const std::string& path,
                            const GenerateOptions& options) {
  const Vocabulary& vocabulary = *wanted.vocabulary;
  if (!vocabulary.subtokens.empty()) {
    const auto encoder =
        SubwordTextEncoder::FromSubtokens(vocabulary.subtokens);
    Log("  vocabulary: " + Count(encoder->vocab_size(), "subword") +
        ", known without the text");
    return encoder->ToFileContents();
  }
  const double start = NowSeconds();
  SubwordBuildOptions build;
  build.max_subtoken_length = vocabulary.max_subtoken_length;
  build.threads = options.threads;
  build.reserved_tokens.insert(build.reserved_tokens.end(),
                               vocabulary.reserved.begin(),
                               vocabulary.reserved.end());
  const TokenCounts counts =
      CountTokens(TextFor(wanted, source), options.threads);
  if (counts.empty()) throw NoWords(path);
  const auto encoder = SubwordTextEncoder::BuildToTargetSize(
      vocabulary.size, counts, kMinCount, kMaxCount, build);
  Log(Format("  vocabulary: %s (%.1f s)",
             Count(encoder->vocab_size(), "subword").c_str(),
             NowSeconds() - start));
  return encoder->ToFileContents();
}

// What becomes the vocabulary file where a person gives `path`. A list of
// tokens has one a line, each of them with an id, as in T2T: empty lines and
// tokens that are there twice too (the last one counts then, also of <UNK>).
// <pad>, <EOS> and <UNK> come first; the first two are not taken again. What
// ends in ".tokens" is a vocabulary file already.
std::string GivenContents(const Vocabulary& vocabulary,
                          const std::string& path) {
  if (vocabulary.kind != Vocabulary::Kind::kTokens ||
      EndsWith(path, ".model") || EndsWith(path, ".tokens")) {
    return ReadText(path);
  }
  std::vector<std::string> tokens = {std::string(ReservedToken(kPadId)),
                                     std::string(ReservedToken(kEosId)),
                                     vocabulary.oov_token};
  int64_t taken = 0;
  for (const std::string& line : ReadTextLines(path)) {
    if (vocabulary.size > 0 && taken == vocabulary.size) break;
    const std::string_view token =
        StripPythonSpace(std::string_view(line).substr(0, line.find('\t')));
    if (token == ReservedToken(kPadId) || token == ReservedToken(kEosId)) {
      continue;
    }
    tokens.emplace_back(token);
    ++taken;
  }
  return Join(tokens, "\n") + "\n";
}

// The file that a person gives for this vocabulary; "": none.
std::string GivenPath(const Vocabulary& vocabulary,
                      const GenerateOptions& options) {
  if (!options.vocab.empty() || vocabulary.kind != Vocabulary::Kind::kTokens) {
    return options.vocab;
  }
  const std::string path = NamedOrIn("", options.tmp_dir, vocabulary.list_file);
  if (!Exists(path)) {
    throw MissingError("there is no vocabulary " + path, "one token a line",
                       "put it there, or name another with --vocab");
  }
  return path;
}

void TakeGiven(const Problem& problem, const Vocabulary& vocabulary,
               const std::string& given, const GenerateOptions& options) {
  const std::string contents = GivenContents(vocabulary, given);
  const std::string model = JoinPath(options.data_dir, vocabulary.model_file);
  const bool is_model = EndsWith(given, ".model");
  if (!is_model && !vocabulary.model_file.empty()) RemoveFile(model);
  WriteFileAtomically(
      is_model ? model : JoinPath(options.data_dir, vocabulary.file), contents);
  const auto encoder =
      LoadVocabulary(vocabulary, problem.name, options.data_dir);
  Log("  vocabulary: " + Count(encoder->vocab_size(), "symbol") + ", from " +
      TextName(given));
}

// What becomes of a vocabulary that the problem builds.
std::string BuiltContents(const Wanted& wanted, const Source& source,
                          const std::string& path,
                          const GenerateOptions& options) {
  switch (wanted.vocabulary->kind) {
    case Vocabulary::Kind::kLabelFile:
      return LabelContents(wanted, source, options);
    case Vocabulary::Kind::kSubwords:
      return SubwordContents(wanted, source, path, options);
    case Vocabulary::Kind::kWords:
      return WordContents(wanted, source, path);
    case Vocabulary::Kind::kCustom:
      if (const std::string& list = wanted.vocabulary->list_file;
          !list.empty()) {
        return ReadText(NamedOrIn("", options.tmp_dir, list));
      }
      [[fallthrough]];
    default:
      throw MissingError("there is no vocabulary " + path,
                         "a file that the problem doesn't make itself",
                         "put it there");
  }
}

// Another problem's vocabulary, of that problem's text.
void BuildAnothers(const Vocabulary& vocabulary,
                   const GenerateOptions& options) {
  if (Exists(VocabularyPath(vocabulary, options.data_dir))) return;
  const std::string path = JoinPath(options.data_dir, vocabulary.file);
  const std::unique_ptr<Problem> owner = MakeProblem(vocabulary.of_problem);
  Log("  " + path + " isn't there: it is built of the text of " + owner->name);
  const FetchingFinder corpora(options);
  const std::unique_ptr<Source> source =
      owner->open({*owner, options, corpora, true});
  for (const Wanted& wanted : WantedFiles(*owner)) {
    if (wanted.vocabulary->file != vocabulary.file) continue;
    WriteFileAtomically(path, BuiltContents(wanted, *source, path, options));
    return;
  }
  throw Error(ExitCode::kInternal,
              owner->name + " has no vocabulary " + vocabulary.file);
}

}  // namespace

bool VocabulariesAreThere(const Problem& problem,
                          const GenerateOptions& options) {
  for (const Wanted& wanted : WantedFiles(problem)) {
    const Vocabulary& vocabulary = *wanted.vocabulary;
    const std::string path = VocabularyPath(vocabulary, options.data_dir);
    if (!Exists(path)) return false;
    if (options.vocab.empty() || options.overwrite) continue;
    if (ReadFile(path) != GivenContents(vocabulary, options.vocab)) {
      throw UsageError(
          path + " is there already and isn't " + TextName(options.vocab), "",
          "leave --vocab out, name another --data_dir, or make "
          "all again with --overwrite");
    }
  }
  return true;
}

void BuildVocabularies(const Problem& problem, const Source& source,
                       const GenerateOptions& options) {
  std::vector<std::pair<std::string, std::string>> contents;  // by path
  for (const Wanted& wanted : WantedFiles(problem)) {
    const Vocabulary& vocabulary = *wanted.vocabulary;
    const std::string given = GivenPath(vocabulary, options);
    const std::string path = JoinPath(options.data_dir, vocabulary.file);
    if (!vocabulary.of_problem.empty()) {
      BuildAnothers(vocabulary, options);
    } else if (!given.empty()) {
      TakeGiven(problem, vocabulary, given, options);
    } else {
      if (!vocabulary.model_file.empty()) {
        RemoveFile(JoinPath(options.data_dir, vocabulary.model_file));
      }
      contents.emplace_back(path, BuiltContents(wanted, source, path, options));
    }
  }
  for (const auto& [path, text] : contents) WriteFileAtomically(path, text);
}

}  // namespace t2t
