// T2T's no-code path: problems out of files that a person names.

#include "problems/all_problems.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/problem/text_source.h"

namespace t2t {
namespace {

constexpr int64_t kVocabSize = 1 << 15;

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
  tokens.oov_token = "<UNK>";
  return tokens;
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
  problems.Add("text2class_tmpdir", [] {
    return OfNamedText(TextToClass("text2class_tmpdir", kVocabSize));
  });
}

}  // namespace t2t
