#ifndef T2T_TEXT_SUBWORD_H_
#define T2T_TEXT_SUBWORD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/text/text_encoder.h"
#include "t2t/text/tokenizer.h"

namespace t2t {

struct SubwordBuildOptions {
  // T2T's max_subtoken_length; 0: none. As in T2T, subtokens come out one
  // character shorter than it at most.
  int64_t max_subtoken_length = 0;
  // "<pad>", "<EOS>" must come first.
  std::vector<std::string> reserved_tokens = {"<pad>", "<EOS>"};
  int num_iterations = 4;
  int threads = 0;  // 0: one a core
};

// T2T's SubwordTextEncoder: invertible, greedy longest match over a learned
// vocabulary. Vocabulary files are T2T's, byte by byte, and so are the ids.
// A byte of the text that is not UTF-8 is kept: it is encoded as an escape.
class SubwordTextEncoder : public TextEncoder {
 public:
  // Throws a MissingError or a DataError that names the file.
  static std::shared_ptr<const SubwordTextEncoder> Load(
      const std::string& path);
  // The contents of a vocabulary file; name is for messages.
  static std::shared_ptr<const SubwordTextEncoder> Parse(
      std::string_view contents, const std::string& name);
  static std::shared_ptr<const SubwordTextEncoder> FromSubtokens(
      std::vector<std::string> subtokens);

  // Building gives T2T's vocabulary, whatever the number of threads. Memory:
  // about 45 bytes for each character of the distinct tokens.
  static std::shared_ptr<const SubwordTextEncoder> BuildFromTokenCounts(
      const TokenCounts& counts, int64_t min_count,
      const SubwordBuildOptions& options = {});
  // Bisects the minimum count in [min_val, max_val] until the size is within
  // 1% of target_size, or as near as it gets.
  static std::shared_ptr<const SubwordTextEncoder> BuildToTargetSize(
      int64_t target_size, const TokenCounts& counts, int64_t min_val = 1,
      int64_t max_val = 1000, const SubwordBuildOptions& options = {});
  // `next` gives one text a call until it returns false.
  static std::shared_ptr<const SubwordTextEncoder> BuildFromGenerator(
      const std::function<bool(std::string*)>& next, int64_t target_size,
      const SubwordBuildOptions& options = {});
  // T2T's get_or_generate_vocab_inner: loads `path`, or builds it, stores it
  // and loads it. (Always use the loaded one: where a text held a newline the
  // file has, as T2T's, one subtoken more than the encoder it was built as.)
  static std::shared_ptr<const SubwordTextEncoder> LoadOrBuild(
      const std::string& path, const std::function<bool(std::string*)>& next,
      int64_t target_size, const SubwordBuildOptions& options = {});

  ~SubwordTextEncoder() override;

  // Atomic. One subtoken a line, in single quotes unless told otherwise.
  void Store(const std::string& path, bool add_single_quotes = true) const;
  std::string ToFileContents(bool add_single_quotes = true) const;

  std::vector<int64_t> Encode(std::string_view text) const override;
  // The text is one token: T2T's encode_without_tokenizing.
  std::vector<int64_t> EncodeWithoutTokenizing(std::string_view token) const;
  // An id out of the vocabulary is the empty string, as in T2T.
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous = false) const override;
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override;
  int64_t vocab_size() const override;

  const std::vector<std::string>& subtokens() const;

 private:
  struct Data;

  explicit SubwordTextEncoder(std::unique_ptr<const Data> data);

  std::unique_ptr<const Data> data_;
};

}  // namespace t2t

#endif  // T2T_TEXT_SUBWORD_H_
