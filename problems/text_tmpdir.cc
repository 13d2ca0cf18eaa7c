// T2T's no-code path: problems out of files that a person names.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/problem/text_source.h"
#include "t2t/text/encoders.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr int64_t kVocabSize = 1 << 15;
constexpr char kUnknown[] = "<UNK>";

Problem OfNamedText(Problem problem) {
  problem.open = OpenNamedText;
  problem.takes_text_files = true;
  return problem;
}

// White-space separated tokens, out of vocab.txt in tmp_dir or --vocab.
Vocabulary GivenTokens(const std::string& problem) {
  Vocabulary tokens;
  tokens.kind = Vocabulary::Kind::kTokens;
  tokens.file = "vocab." + problem + ".tokens";
  tokens.model_file = "vocab." + problem + ".model";
  tokens.list_file = "vocab.txt";
  tokens.oov_token = kUnknown;
  return tokens;
}

// Ids with which an unknown token can be copied (See et al. 2017,
// arXiv:1704.04368): an unknown token of the source has the vocabulary's size
// and its place among the source's unknown ones for its id, in the target too.
// Of "<source><kAndTarget><target>" it encodes the target, else all.
constexpr char kAndTarget = '\x1f';

class CopyableTokens : public TextEncoder {
 public:
  explicit CopyableTokens(std::shared_ptr<const TokenTextEncoder> tokens)
      : tokens_(std::move(tokens)) {
    const std::vector<std::string>& known = tokens_->tokens();
    for (size_t i = 0; i < known.size(); ++i) {
      ids_[known[i]] = static_cast<int64_t>(i);
    }
  }

  std::vector<int64_t> Encode(std::string_view text) const override {
    const size_t end = text.find(kAndTarget);
    std::unordered_map<std::string, int64_t> unknown;
    const std::vector<int64_t> source =
        Ids(text.substr(0, end), /*adds=*/true, &unknown);
    if (end == std::string_view::npos) return source;
    return Ids(text.substr(end + 1), /*adds=*/false, &unknown);
  }
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous) const override {
    return tokens_->Decode(ids, strip_extraneous);
  }
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override {
    return tokens_->DecodeList(ids);
  }
  int64_t vocab_size() const override { return tokens_->vocab_size(); }

 private:
  std::vector<int64_t> Ids(
      std::string_view text, bool adds,
      std::unordered_map<std::string, int64_t>* unknown) const {
    std::vector<int64_t> ids;
    for (const std::string_view view : SplitPythonSpace(text)) {
      const std::string token(view);
      const auto known = ids_.find(token);
      if (known != ids_.end()) {
        ids.push_back(known->second);
        continue;
      }
      const auto next =
          tokens_->vocab_size() + static_cast<int64_t>(unknown->size());
      if (adds) unknown->emplace(token, next);
      const auto copied = unknown->find(token);
      ids.push_back(copied != unknown->end() ? copied->second
                                             : ids_.at(kUnknown));
    }
    return ids;
  }

  std::shared_ptr<const TokenTextEncoder> tokens_;
  std::unordered_map<std::string, int64_t> ids_;
};

// The samples of another, with "inputs_extend" and "targets_extend".
class ExtendedExamples : public ExampleSource {
 public:
  explicit ExtendedExamples(std::unique_ptr<ExampleSource> samples)
      : samples_(std::move(samples)) {}

  size_t Read(size_t count) override { return samples_->Read(count); }

  Example Make(size_t i) const override {
    Example example = samples_->Make(i);
    const std::string inputs = example.Strings("inputs").at(0);
    const std::string targets = example.Strings("targets").at(0);
    example.features["inputs_extend"] = std::vector<std::string>{inputs};
    example.features["targets_extend"] =
        std::vector<std::string>{inputs + kAndTarget + targets};
    return example;
  }

 private:
  std::unique_ptr<ExampleSource> samples_;
};

class ExtendedSource : public Source {
 public:
  explicit ExtendedSource(std::unique_ptr<Source> source)
      : source_(std::move(source)) {}

  int64_t size(DataSplit split) const override { return source_->size(split); }
  std::unique_ptr<ExampleSource> Open(DataSplit split) const override {
    return std::make_unique<ExtendedExamples>(source_->Open(split));
  }
  std::pair<std::string, Json> Fingerprint() const override {
    return source_->Fingerprint();
  }

 private:
  std::unique_ptr<Source> source_;
};

Problem CopyableText() {
  const std::string name = "text2text_copyable_tokens";
  const Vocabulary tokens = GivenTokens(name);
  Problem problem = OfNamedText(TextToText(name, tokens, tokens));
  Vocabulary copyable = tokens;
  copyable.kind = Vocabulary::Kind::kCustom;
  copyable.load = [](const std::string& path) {
    TokenEncoderOptions options;
    options.replace_oov = kUnknown;
    return std::make_shared<CopyableTokens>(
        TokenTextEncoder::Load(path, options));
  };
  for (const char* const feature : {"inputs_extend", "targets_extend"}) {
    problem.features[feature].vocabulary = copyable;
    problem.features[feature].in_shards_only = true;
  }
  problem.open = [](const SourceContext& context) -> std::unique_ptr<Source> {
    std::unique_ptr<Source> text = OpenNamedText(context);
    if (text == nullptr) return nullptr;
    return std::make_unique<ExtendedSource>(std::move(text));
  };
  return problem;
}

}  // namespace

void RegisterTextTmpdir(ProblemRegistry& problems) {
  problems.Add("text2text_tmpdir", [] {
    const Vocabulary subwords = SharedSubwords("text2text_tmpdir", kVocabSize);
    return OfNamedText(TextToText("text2text_tmpdir", subwords, subwords));
  });
  problems.Add("text2text_tmpdir_tokens", [] {
    const Vocabulary tokens = GivenTokens("text2text_tmpdir_tokens");
    return OfNamedText(TextToText("text2text_tmpdir_tokens", tokens, tokens));
  });
  problems.Add("text2text_copyable_tokens", CopyableText);
  problems.Add("text2class_tmpdir", [] {
    return OfNamedText(TextToClass("text2class_tmpdir", kVocabSize));
  });
}

}  // namespace t2t
