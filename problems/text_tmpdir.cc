// T2T's no-code path: problems out of files that a person names.

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/parallel.h"
#include "t2t/base/strings.h"
#include "t2t/formats/raw_files.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/text_problem.h"
#include "t2t/text/encoders.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// What a person names, else T2T's name in tmp_dir, where it must not be
// another's.
std::string OneOf(const std::string& given, const std::string& tmp_dir,
                  const char* name) {
  if (!given.empty()) return given;
  const std::string path = JoinPath(tmp_dir, name);
  CheckRawFile(path, /*has_its_sum=*/false);
  return path;
}

void CheckPair(const std::string& a, const char* a_flag, const std::string& b,
               const char* b_flag) {
  if (a.empty() == b.empty()) return;
  throw UsageError(std::string(a.empty() ? b_flag : a_flag) +
                       " is given without " + (a.empty() ? a_flag : b_flag),
                   "both or neither");
}

// The files that the options name, or T2T's names in tmp_dir.
std::unique_ptr<TextCorpus> FindFiles(const std::string& problem,
                                      const GenerateOptions& options,
                                      bool must_be_there) {
  CheckPair(options.train_src, "--train_src", options.train_tgt, "--train_tgt");
  CheckPair(options.dev_src, "--dev_src", options.dev_tgt, "--dev_tgt");
  const std::array<std::pair<std::string, const char*>, 4> files = {{
      {OneOf(options.train_src, options.tmp_dir, "inputs.train.txt"),
       "--train_src"},
      {OneOf(options.train_tgt, options.tmp_dir, "targets.train.txt"),
       "--train_tgt"},
      {OneOf(options.dev_src, options.tmp_dir, "inputs.eval.txt"), "--dev_src"},
      {OneOf(options.dev_tgt, options.tmp_dir, "targets.eval.txt"),
       "--dev_tgt"},
  }};
  for (const auto& [path, flag] : files) {
    if (path == "-" || Exists(path)) continue;
    if (!must_be_there) return nullptr;
    throw MissingError(
        "there is no file " + path,
        problem +
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
  return std::make_unique<FileCorpus>(
      FileCorpus::Files{{DataSplit::kTrain, {{text(0), text(1)}}},
                        {DataSplit::kDev, {{text(2), text(3)}}}},
      options.threads);
}

class Text2textTmpdir : public Text2TextProblem {
 public:
  bool TakesTextFiles() const override { return true; }

 protected:
  std::unique_ptr<TextCorpus> FindCorpus(const GenerateOptions& options,
                                         bool fetch) const override {
    return FindFiles(name(), options, fetch);
  }
};

// White-space separated tokens, out of vocab.txt in tmp_dir or --vocab.
class Text2textTmpdirTokens : public Text2textTmpdir {
 protected:
  VocabularyType vocabulary_type() const override {
    return VocabularyType::kToken;
  }
  std::string oov_token() const override { return "<UNK>"; }

  // One token a line, each of them with an id, as in T2T: empty lines and
  // tokens that are there twice too (the last one counts then, also of <UNK>).
  // <pad>, <EOS> and <UNK> come first; the first two are not taken again. What
  // ends in ".tokens" is a vocabulary file already.
  std::string GivenVocabulary(const std::string& path) const override {
    if (EndsWith(path, ".model") || EndsWith(path, ".tokens")) {
      return Text2textTmpdir::GivenVocabulary(path);
    }
    std::vector<std::string> tokens = {std::string(ReservedToken(kPadId)),
                                       std::string(ReservedToken(kEosId)),
                                       oov_token()};
    for (const std::string& line : ReadTextLines(path)) {
      const std::string_view token = StripPythonSpace(line);
      if (token == ReservedToken(kPadId) || token == ReservedToken(kEosId)) {
        continue;
      }
      tokens.emplace_back(token);
    }
    return Join(tokens, "\n") + "\n";
  }

  void BuildVocabulary(const TextCorpus& corpus,
                       const GenerateOptions& options) const override {
    GenerateOptions with_vocabulary = options;
    if (options.vocab.empty()) {
      with_vocabulary.vocab = OneOf("", options.tmp_dir, "vocab.txt");
      if (!Exists(with_vocabulary.vocab)) {
        throw MissingError("there is no vocabulary " + with_vocabulary.vocab,
                           "one token a line",
                           "put it there, or name another with --vocab");
      }
    }
    Text2textTmpdir::BuildVocabulary(corpus, with_vocabulary);
  }
};

// Texts to labels: the targets files have one label a line. labels.txt in
// tmp_dir may give the labels in the order of their ids.
class Text2classTmpdir : public Text2ClassProblem {
 public:
  bool TakesTextFiles() const override { return true; }

 protected:
  std::unique_ptr<TextCorpus> FindCorpus(const GenerateOptions& options,
                                         bool fetch) const override {
    return FindFiles(name(), options, fetch);
  }

  std::vector<std::string> Labels(
      const GenerateOptions& options) const override {
    const std::string path = OneOf("", options.tmp_dir, "labels.txt");
    std::vector<std::string> labels;
    if (!Exists(path)) return labels;
    for (const std::string& line : ReadTextLines(path)) {
      const std::string_view label = StripPythonSpace(line);
      if (!label.empty()) labels.emplace_back(label);
    }
    return labels;
  }
};

}  // namespace

void RegisterTextTmpdir(ProblemRegistry& problems) {
  AddProblem<Text2textTmpdir>(problems, "text2text_tmpdir");
  AddProblem<Text2textTmpdirTokens>(problems, "text2text_tmpdir_tokens");
  AddProblem<Text2classTmpdir>(problems, "text2class_tmpdir");
}

}  // namespace t2t
