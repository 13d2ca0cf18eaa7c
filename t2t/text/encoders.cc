#include "t2t/text/encoders.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// The lines of a file as TensorFlow gives them ('\r' dropped), stripped.
std::vector<std::string> StrippedLines(std::string_view contents) {
  std::vector<std::string> lines;
  while (!contents.empty()) {
    const size_t newline = contents.find('\n');
    const std::string line =
        ReplaceAll(std::string(contents.substr(0, newline)), "\r", "");
    contents.remove_prefix(newline == std::string_view::npos ? contents.size()
                                                             : newline + 1);
    lines.emplace_back(StripPythonSpace(line));
  }
  return lines;
}

std::string ReadVocabulary(const std::string& path) {
  if (!Exists(path)) {
    throw MissingError("there is no vocabulary " + path, "",
                       "run t2t-datagen, or copy the vocabulary there");
  }
  return ReadFile(path);
}

// Python's str(float): the shortest digits, an exponent from 1e16 on and below
// 1e-4.
std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  char* end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                            std::chars_format::scientific)
                  .ptr;
  const std::string scientific(buffer, end);
  const int exponent = std::atoi(&scientific[scientific.find('e') + 1]);
  if (value != 0 && (exponent < -4 || exponent >= 16)) return scientific;
  end = std::to_chars(buffer, buffer + sizeof(buffer), value,
                      std::chars_format::fixed)
            .ptr;
  std::string fixed(buffer, end);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

}  // namespace

std::string_view ReservedToken(int64_t id) {
  return id == kPadId ? "<pad>" : id == kEosId ? "<EOS>" : "";
}

std::vector<int64_t> StripReservedIds(std::vector<int64_t> ids,
                                      int64_t num_reserved) {
  while (!ids.empty() && ids.back() >= 0 && ids.back() < num_reserved) {
    ids.pop_back();
  }
  return ids;
}

std::vector<int64_t> IntTextEncoder::Encode(std::string_view text) const {
  std::vector<int64_t> ids;
  for (const std::string_view word : SplitPythonSpace(text)) {
    int64_t value;
    if (!ParseInt(word, &value)) {
      throw DataError(
          "'" + std::string(word.substr(0, 80)) + "' is not a whole number",
          "numbers between white space");
    }
    ids.push_back(value + num_reserved_);
  }
  return ids;
}

std::string IntTextEncoder::Decode(const std::vector<int64_t>& ids,
                                   bool strip_extraneous) const {
  return Join(
      DecodeList(strip_extraneous ? StripReservedIds(ids, num_reserved_) : ids),
      " ");
}

std::vector<std::string> IntTextEncoder::DecodeList(
    const std::vector<int64_t>& ids) const {
  std::vector<std::string> words;
  for (const int64_t id : ids) {
    if (id >= 0 && id < num_reserved_) {
      words.emplace_back(ReservedToken(id));
    } else {
      words.push_back(std::to_string(id - num_reserved_));
    }
  }
  return words;
}

std::vector<int64_t> ByteTextEncoder::Encode(std::string_view text) const {
  std::vector<int64_t> ids;
  ids.reserve(text.size() + 1);
  for (const char c : text) {
    ids.push_back(static_cast<unsigned char>(c) + num_reserved_);
  }
  return ids;
}

std::string ByteTextEncoder::Decode(const std::vector<int64_t>& ids,
                                    bool strip_extraneous) const {
  return ReplaceInvalidUtf8(Join(
      DecodeList(strip_extraneous ? StripReservedIds(ids, num_reserved_) : ids),
      ""));
}

std::vector<std::string> ByteTextEncoder::DecodeList(
    const std::vector<int64_t>& ids) const {
  std::vector<std::string> bytes;
  for (const int64_t id : ids) {
    if (id >= 0 && id < num_reserved_) {
      bytes.emplace_back(ReservedToken(id));
    } else if (id >= num_reserved_ && id < vocab_size()) {
      bytes.emplace_back(1, static_cast<char>(id - num_reserved_));
    } else {
      bytes.emplace_back();
    }
  }
  return bytes;
}

std::vector<int64_t> ByteTextEncoderWithEos::Encode(
    std::string_view text) const {
  std::vector<int64_t> ids = ByteTextEncoder::Encode(text);
  ids.push_back(kEosId);
  return ids;
}

TokenTextEncoder::TokenTextEncoder(std::vector<std::string> tokens,
                                   const std::string& name,
                                   const TokenEncoderOptions& options)
    : tokens_(std::move(tokens)), name_(name), options_(options) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    ids_[tokens_[i]] = static_cast<int64_t>(i);
  }
  if (!options_.replace_oov) return;
  const auto found = ids_.find(*options_.replace_oov);
  if (found == ids_.end()) {
    throw DataError(name_ + " has no token '" + *options_.replace_oov +
                        "' to stand for unknown ones",
                    "a line '" + *options_.replace_oov + "' in it");
  }
  oov_id_ = found->second;
}

std::shared_ptr<const TokenTextEncoder> TokenTextEncoder::Parse(
    std::string_view contents, const std::string& name,
    const TokenEncoderOptions& options) {
  if (contents.empty()) {
    throw DataError("the vocabulary " + name + " is empty", "one token a line");
  }
  return std::shared_ptr<const TokenTextEncoder>(
      new TokenTextEncoder(StrippedLines(contents), name, options));
}

std::shared_ptr<const TokenTextEncoder> TokenTextEncoder::Load(
    const std::string& path, const TokenEncoderOptions& options) {
  return Parse(ReadVocabulary(path), path, options);
}

std::shared_ptr<const TokenTextEncoder> TokenTextEncoder::FromList(
    const std::vector<std::string>& tokens,
    const TokenEncoderOptions& options) {
  std::vector<std::string> all;
  for (int64_t id = 0; id < kNumReservedTokens; ++id) {
    all.emplace_back(ReservedToken(id));
  }
  for (const std::string& token : tokens) {
    if (token != ReservedToken(kPadId) && token != ReservedToken(kEosId)) {
      all.push_back(token);
    }
  }
  return std::shared_ptr<const TokenTextEncoder>(
      new TokenTextEncoder(std::move(all), "the list of tokens", options));
}

void TokenTextEncoder::Store(const std::string& path) const {
  WriteFileAtomically(path, Join(tokens_, "\n") + "\n");
}

std::vector<int64_t> TokenTextEncoder::Encode(std::string_view text) const {
  std::vector<int64_t> ids;
  for (const std::string_view token : SplitPythonSpace(text)) {
    const auto found = ids_.find(token);
    if (found != ids_.end()) {
      ids.push_back(found->second);
    } else if (options_.replace_oov) {
      ids.push_back(oov_id_);
    } else {
      throw DataError("'" + std::string(token.substr(0, 80)) +
                          "' is not in the vocabulary " + name_,
                      "tokens of the vocabulary, or a vocabulary with a token "
                      "for unknown ones");
    }
  }
  if (options_.reverse) std::reverse(ids.begin(), ids.end());
  return ids;
}

std::string TokenTextEncoder::Decode(const std::vector<int64_t>& ids,
                                     bool strip_extraneous) const {
  return Join(
      DecodeList(strip_extraneous ? StripReservedIds(ids, options_.num_reserved)
                                  : ids),
      " ");
}

std::vector<std::string> TokenTextEncoder::DecodeList(
    const std::vector<int64_t>& ids) const {
  std::vector<std::string> tokens;
  for (const int64_t id : ids) {
    tokens.push_back(id >= 0 && id < vocab_size()
                         ? tokens_[static_cast<size_t>(id)]
                         : "ID_" + std::to_string(id));
  }
  if (options_.reverse) std::reverse(tokens.begin(), tokens.end());
  return tokens;
}

ClassLabelEncoder::ClassLabelEncoder(std::vector<std::string> labels)
    : labels_(std::move(labels)) {
  if (labels_.empty()) throw DataError("there are no class labels");
}

std::shared_ptr<const ClassLabelEncoder> ClassLabelEncoder::Load(
    const std::string& path) {
  std::vector<std::string> labels = StrippedLines(ReadVocabulary(path));
  if (labels.empty()) {
    throw DataError("there are no class labels in " + path, "one label a line");
  }
  return std::make_shared<const ClassLabelEncoder>(std::move(labels));
}

int64_t ClassLabelEncoder::Index(std::string_view label) const {
  const auto found = std::find(labels_.begin(), labels_.end(), label);
  if (found == labels_.end()) {
    throw DataError(
        "there is no class label '" + std::string(label.substr(0, 80)) + "'",
        DidYouMean(label, labels_));
  }
  return found - labels_.begin();
}

std::vector<int64_t> ClassLabelEncoder::Encode(std::string_view label) const {
  return {Index(label)};
}

std::string ClassLabelEncoder::Decode(const std::vector<int64_t>& ids,
                                      bool strip_extraneous) const {
  if (ids.size() != 1) {
    throw DataError("a class label is " + std::to_string(ids.size()) + " ids",
                    "one");
  }
  return DecodeList(ids)[0];
}

std::vector<std::string> ClassLabelEncoder::DecodeList(
    const std::vector<int64_t>& ids) const {
  std::vector<std::string> labels;
  for (const int64_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      throw DataError("there is no class label number " + std::to_string(id),
                      "0 to " + std::to_string(vocab_size() - 1));
    }
    labels.push_back(labels_[static_cast<size_t>(id)]);
  }
  return labels;
}

std::vector<int64_t> OneHotClassLabelEncoder::Encode(
    std::string_view label) const {
  return Encode(label, 1, 0);
}

std::vector<int64_t> OneHotClassLabelEncoder::Encode(std::string_view label,
                                                     int64_t on_value,
                                                     int64_t off_value) const {
  std::vector<int64_t> one_hot(labels().size(), off_value);
  one_hot[static_cast<size_t>(Index(label))] = on_value;
  return one_hot;
}

std::string OneHotClassLabelEncoder::Decode(const std::vector<int64_t>& one_hot,
                                            bool strip_extraneous) const {
  const auto found = std::find(one_hot.begin(), one_hot.end(), 1);
  if (one_hot.size() != labels().size() || found == one_hot.end()) {
    throw DataError("not a one-hot class label",
                    std::to_string(labels().size()) + " numbers, one a 1");
  }
  return labels()[static_cast<size_t>(found - one_hot.begin())];
}

std::vector<double> RealEncoder::Encode(std::string_view text) const {
  std::vector<double> values;
  for (const std::string_view word : SplitPythonSpace(text)) {
    values.emplace_back();
    if (!ParseDouble(word, &values.back())) {
      throw DataError(
          "'" + std::string(word.substr(0, 80)) + "' is not a number",
          "numbers between white space");
    }
  }
  return values;
}

std::string RealEncoder::Decode(const std::vector<double>& values) const {
  std::vector<std::string> words;
  for (const double value : values) words.push_back(FloatText(value));
  return Join(words, " ");
}

}  // namespace t2t
