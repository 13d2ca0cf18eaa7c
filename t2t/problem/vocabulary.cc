#include "t2t/problem/vocabulary.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/text/encoder_factory.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword.h"

namespace t2t {
namespace {

std::string SubwordsName(const std::string& problem, int64_t size) {
  return Format("vocab.%s.%lld.subwords", problem.c_str(),
                static_cast<long long>(size));
}

}  // namespace

Vocabulary SharedSubwords(const std::string& problem, int64_t size) {
  Vocabulary vocabulary;
  vocabulary.kind = Vocabulary::Kind::kSubwords;
  vocabulary.file = SubwordsName(problem, size);
  vocabulary.model_file = "vocab." + problem + ".model";
  vocabulary.size = size;
  return vocabulary;
}

Vocabulary SubwordsOf(const std::string& language, const std::string& problem,
                      int64_t size) {
  Vocabulary vocabulary;
  vocabulary.kind = Vocabulary::Kind::kSubwords;
  vocabulary.file = SubwordsName(problem, size) + "." + language;
  vocabulary.size = size;
  return vocabulary;
}

Vocabulary Bytes() {
  Vocabulary vocabulary;
  vocabulary.kind = Vocabulary::Kind::kBytes;
  return vocabulary;
}

Vocabulary Labels(std::vector<std::string> labels) {
  Vocabulary vocabulary;
  vocabulary.kind = Vocabulary::Kind::kLabels;
  vocabulary.labels = std::move(labels);
  return vocabulary;
}

Vocabulary Pixels() {
  Vocabulary vocabulary;
  vocabulary.kind = Vocabulary::Kind::kPixels;
  vocabulary.size = 256;
  return vocabulary;
}

std::string VocabularyPath(const Vocabulary& vocabulary,
                           const std::string& data_dir) {
  if (!vocabulary.model_file.empty()) {
    const std::string model = JoinPath(data_dir, vocabulary.model_file);
    if (Exists(model)) return model;
  }
  return vocabulary.has_file() ? JoinPath(data_dir, vocabulary.file) : "";
}

std::shared_ptr<const TextEncoder> LoadVocabulary(const Vocabulary& vocabulary,
                                                  const std::string& problem,
                                                  const std::string& data_dir) {
  using Kind = Vocabulary::Kind;
  const std::string path = VocabularyPath(vocabulary, data_dir);
  if (!path.empty() && !Exists(path)) {
    throw MissingError("there is no vocabulary " + path, "",
                       "run t2t-datagen --problem=" + problem +
                           " --data_dir=" + data_dir + ", or check --data_dir");
  }
  switch (vocabulary.kind) {
    case Kind::kNone:
    case Kind::kPixels:
      return nullptr;
    case Kind::kBytes:
      return std::make_shared<ByteTextEncoder>();
    case Kind::kSubwords:
    case Kind::kTokens:
    case Kind::kWords: {
      TokenEncoderOptions options;
      if (!vocabulary.oov_token.empty()) {
        options.replace_oov = vocabulary.oov_token;
      }
      return LoadTextEncoder(path, options);
    }
    case Kind::kLabelFile:
      return ClassLabelEncoder::Load(path);
    case Kind::kLabels:
      return std::make_shared<ClassLabelEncoder>(vocabulary.labels);
    case Kind::kInts:
      return std::make_shared<IntTextEncoder>(vocabulary.size +
                                              kNumReservedTokens);
    case Kind::kCustom:
      return vocabulary.load(path);
  }
  return nullptr;
}

}  // namespace t2t
