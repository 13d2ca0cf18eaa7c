#ifndef T2T_TEXT_ENCODERS_H_
#define T2T_TEXT_ENCODERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "t2t/text/text_encoder.h"
#include "t2t/text/tokenizer.h"

namespace t2t {

// "<pad>" for 0, "<EOS>" for 1.
std::string_view ReservedToken(int64_t id);

// The ids without those at the end that are below num_reserved.
std::vector<int64_t> StripReservedIds(std::vector<int64_t> ids,
                                      int64_t num_reserved);

// T2T's TextEncoder itself: numbers in text, each shifted by num_reserved.
class IntTextEncoder : public TextEncoder {
 public:
  explicit IntTextEncoder(int64_t vocab_size,
                          int64_t num_reserved = kNumReservedTokens)
      : vocab_size_(vocab_size), num_reserved_(num_reserved) {}

  std::vector<int64_t> Encode(std::string_view text) const override;
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous = false) const override;
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override;
  int64_t vocab_size() const override { return vocab_size_; }

 private:
  int64_t vocab_size_;
  int64_t num_reserved_;
};

// A byte is an id. Decode() gives valid UTF-8, as T2T does: what is not is
// replaced by U+FFFD; DecodeList() gives the bytes themselves.
class ByteTextEncoder : public TextEncoder {
 public:
  explicit ByteTextEncoder(int64_t num_reserved = kNumReservedTokens)
      : num_reserved_(num_reserved) {}

  std::vector<int64_t> Encode(std::string_view text) const override;
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous = false) const override;
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override;
  int64_t vocab_size() const override { return 256 + num_reserved_; }

 private:
  int64_t num_reserved_;
};

// As ByteTextEncoder; Encode() appends EOS.
class ByteTextEncoderWithEos : public ByteTextEncoder {
 public:
  using ByteTextEncoder::ByteTextEncoder;

  std::vector<int64_t> Encode(std::string_view text) const override;
};

struct TokenEncoderOptions {
  bool reverse = false;
  // Stands for every token that is not in the vocabulary; must be in it.
  // Without, such a token is a DataError.
  std::optional<std::string> replace_oov;
  int64_t num_reserved = kNumReservedTokens;
};

// White-space separated tokens of a given vocabulary. A file names every id,
// one a line, the reserved ones too; a list is the tokens after the reserved
// ones (which are dropped from it).
class TokenTextEncoder : public TextEncoder {
 public:
  static std::shared_ptr<const TokenTextEncoder> Load(
      const std::string& path, const TokenEncoderOptions& options = {});
  static std::shared_ptr<const TokenTextEncoder> Parse(
      std::string_view contents, const std::string& name,
      const TokenEncoderOptions& options = {});
  static std::shared_ptr<const TokenTextEncoder> FromList(
      const std::vector<std::string>& tokens,
      const TokenEncoderOptions& options = {});

  void Store(const std::string& path) const;

  std::vector<int64_t> Encode(std::string_view text) const override;
  // An id out of the vocabulary is "ID_<n>".
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous = false) const override;
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override;
  int64_t vocab_size() const override {
    return static_cast<int64_t>(tokens_.size());
  }
  int64_t unknown_id() const override { return oov_id_; }

  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  TokenTextEncoder(std::vector<std::string> tokens, const std::string& name,
                   const TokenEncoderOptions& options);

  std::vector<std::string> tokens_;
  std::string name_;
  TokenEncoderOptions options_;
  std::unordered_map<std::string, int64_t, StringHash, std::equal_to<>> ids_;
  int64_t oov_id_ = -1;
};

// A label is one id, its place in the list; nothing is reserved.
class ClassLabelEncoder : public TextEncoder {
 public:
  explicit ClassLabelEncoder(std::vector<std::string> labels);
  // One label a line, stripped.
  static std::shared_ptr<const ClassLabelEncoder> Load(const std::string& path);

  // One id. Throws a DataError where there is no such label.
  std::vector<int64_t> Encode(std::string_view label) const override;
  // Takes exactly one id, in range.
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous = false) const override;
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override;
  int64_t vocab_size() const override {
    return static_cast<int64_t>(labels_.size());
  }

  const std::vector<std::string>& labels() const { return labels_; }
  // The place of the label. Throws a DataError where there is none.
  int64_t Index(std::string_view label) const;

 private:
  std::vector<std::string> labels_;
};

// A label is a vector with a one in its place.
class OneHotClassLabelEncoder : public ClassLabelEncoder {
 public:
  using ClassLabelEncoder::ClassLabelEncoder;

  std::vector<int64_t> Encode(std::string_view label) const override;
  std::vector<int64_t> Encode(std::string_view label, int64_t on_value,
                              int64_t off_value) const;
  std::string Decode(const std::vector<int64_t>& one_hot,
                     bool strip_extraneous = false) const override;
};

// White-space separated numbers. Not a TextEncoder: its values are no ids.
class RealEncoder {
 public:
  std::vector<double> Encode(std::string_view text) const;
  std::string Decode(const std::vector<double>& values) const;
};

}  // namespace t2t

#endif  // T2T_TEXT_ENCODERS_H_
