#ifndef T2T_TEXT_TOKENIZER_H_
#define T2T_TEXT_TOKENIZER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace t2t {

// T2T's invertible tokenizer: text is cut wherever a letter or number meets
// something else, and a token that is a single space is left out unless it is
// first or last: "Dude - that's so" -> "Dude", " - ", "that", "'", "s", "so".
// Bytes that are not UTF-8 are kept, each as a character that is no letter.

// Views into text.
std::vector<std::string_view> Tokenize(std::string_view text);

// The inverse. Empty tokens are skipped.
std::string Detokenize(const std::vector<std::string>& tokens);

// Lets std::unordered_map look a string_view up without a copy.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

using TokenCounts =
    std::unordered_map<std::string, int64_t, StringHash, std::equal_to<>>;

void CountTokens(std::string_view text, TokenCounts* counts);

// Counts the tokens of texts that `next` gives until it returns false, on
// `threads` threads (0: one a core); a few megabytes of text are held at a
// time. `next` is called from the calling thread alone.
TokenCounts CountTokens(const std::function<bool(std::string*)>& next,
                        int threads = 0);

struct CorpusOptions {
  int64_t max_lines = 0;          // over all files; 0: all
  bool split_on_newlines = true;  // lines, stripped; else each file whole
  int threads = 0;
};

// Over the files that match the pattern, in sorted order. Throws a
// MissingError where none does.
TokenCounts CorpusTokenCounts(const std::string& file_pattern,
                              const CorpusOptions& options = {});

// Reads "token,count" lines. Throws a DataError on a malformed line.
TokenCounts VocabTokenCounts(const std::string& file_pattern,
                             int64_t max_lines = 0);

}  // namespace t2t

#endif  // T2T_TEXT_TOKENIZER_H_
