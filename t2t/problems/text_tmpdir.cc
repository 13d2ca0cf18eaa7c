// T2T's no-code path: problems out of files that a person names.

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/data/encoders.h"
#include "t2t/data/text_reader.h"
#include "t2t/data/unicode.h"
#include "t2t/problem/text_problem.h"

namespace t2t {
namespace {

std::string OneOf(const std::string& given, const std::string& tmp_dir,
                  const char* name) {
  return given.empty() ? JoinPath(tmp_dir, name) : given;
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
    if (Exists(path)) continue;
    if (!must_be_there) return nullptr;
    throw MissingError(
        "there is no file " + path,
        problem +
            " reads inputs.train.txt, targets.train.txt, "
            "inputs.eval.txt and targets.eval.txt in --tmp_dir, or the "
            "files that flags name",
        std::string("put it there, or name another with ") + flag);
  }
  return std::make_unique<FileCorpus>(
      FileCorpus::Files{{DataSplit::kTrain, {{files[0].first, files[1].first}}},
                        {DataSplit::kDev, {{files[2].first, files[3].first}}}},
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

  // One token a line; <pad>, <EOS> and <UNK> come first whether the file has
  // them or not.
  std::string GivenVocabulary(const std::string& path) const override {
    if (EndsWith(path, ".model")) {
      return Text2textTmpdir::GivenVocabulary(path);
    }
    std::string contents;
    std::set<std::string, std::less<>> seen;
    const auto add = [&](std::string_view token) {
      if (token.empty() || !seen.emplace(token).second) return;
      contents += token;
      contents += '\n';
    };
    add(ReservedToken(kPadId));
    add(ReservedToken(kEosId));
    add(oov_token());
    LineReader reader(path);
    for (std::string line; reader.Next(&line);) add(StripPythonSpace(line));
    return contents;
  }

  void BuildVocabulary(const TextCorpus& corpus,
                       const GenerateOptions& options) const override {
    GenerateOptions with_vocabulary = options;
    if (options.vocab.empty()) {
      with_vocabulary.vocab = JoinPath(options.tmp_dir, "vocab.txt");
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
    const std::string path = JoinPath(options.tmp_dir, "labels.txt");
    std::vector<std::string> labels;
    if (!Exists(path)) return labels;
    LineReader reader(path);
    for (std::string line; reader.Next(&line);) {
      const std::string_view label = StripPythonSpace(line);
      if (!label.empty()) labels.emplace_back(label);
    }
    return labels;
  }
};

T2T_REGISTER_PROBLEM(text2text_tmpdir, Text2textTmpdir);
T2T_REGISTER_PROBLEM(text2text_tmpdir_tokens, Text2textTmpdirTokens);
T2T_REGISTER_PROBLEM(text2class_tmpdir, Text2classTmpdir);

}  // namespace
}  // namespace t2t
