#ifndef T2T_TEXT_SUBWORD_BUILD_H_
#define T2T_TEXT_SUBWORD_BUILD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/text/subword.h"
#include "t2t/text/tokenizer.h"

namespace t2t {

// A set of code points.
class Alphabet {
 public:
  Alphabet() : bits_(0x110000 / 64) {}

  void Add(char32_t c) { bits_[c / 64] |= uint64_t{1} << (c % 64); }
  // Bytes that are not UTF-8 stay out, so that they are escaped and every
  // vocabulary file is valid UTF-8.
  void AddAll(std::string_view text);
  // Those T2T's escapes are written with.
  void AddEscapeCharacters() { AddAll("\\_u;0123456789"); }
  bool Has(char32_t c) const { return ((bits_[c / 64] >> (c % 64)) & 1) != 0; }

 private:
  std::vector<uint64_t> bits_;
};

// Appends T2T's escaped token: '\' as "\\", '_' as "\u", what is not in the
// alphabet (and a newline) as "\<code point>;", and a '_' at the end.
void EscapeToken(std::string_view token, const Alphabet& alphabet,
                 std::string* escaped);

// Builds T2T's vocabulary for several minimum counts out of one table of
// tokens.
//
// T2T counts every substring that starts at a subtoken's start. Here the
// suffixes of all tokens are sorted once; substrings are then nodes of the
// suffix tree, which a pass over the sorted suffixes (those at current starts)
// walks bottom-up. T2T takes candidates from the longest to the shortest and
// lessens the counts of a taken one's prefixes. On the tree that means: a node
// is taken if its count, less what its descendants took, is still enough. The
// prefixes inside an edge have the count of the node below, so none of them is
// ever taken. How the tokens are cut by the candidates is read off the sorted
// suffixes as well, since those that start with a candidate stand together: a
// candidate costs the same however long it is. Linear in the text, where T2T is
// quadratic in a token's length.
class SubwordBuilder {
 public:
  SubwordBuilder(const TokenCounts& counts, const SubwordBuildOptions& options);

  std::vector<std::string> Build(int64_t min_count) const;

 private:
  struct Suffix {
    uint64_t key;     // its first eight bytes, for sorting
    uint32_t offset;  // in text_
    uint32_t length;
    uint32_t token;
    uint32_t common;  // bytes shared with the suffix before, whole characters
  };
  struct Candidate {
    int64_t count;
    std::string_view text;
  };

  std::string_view TextOf(const Suffix& suffix) const {
    return std::string_view(text_).substr(suffix.offset, suffix.length);
  }
  void CollectSuffixes();
  void SortSuffixes();
  // The candidates among the suffixes [begin, end), which share no first
  // character with others.
  void Count(size_t begin, size_t end, const std::vector<char>& is_start,
             int64_t min_count, std::vector<Candidate>* candidates) const;
  // For each place in text_ that a suffix starts at, the length of the longest
  // candidate there.
  std::vector<uint32_t> LongestMatches(
      const std::vector<Candidate>& candidates) const;
  // Where subtokens start when the tokens are cut into the longest ones:
  // candidates and reserved tokens.
  void MarkStarts(const std::vector<Candidate>& candidates,
                  std::vector<char>* is_start) const;
  // Sorted as T2T sorts them, with the characters of which there are none.
  std::vector<Candidate> CountAll(const std::vector<char>& is_start,
                                  int64_t min_count) const;

  SubwordBuildOptions options_;
  Alphabet alphabet_;
  std::vector<std::string> characters_;  // the alphabet as strings
  std::string text_;                     // the escaped tokens, one by one
  std::vector<uint32_t> token_begin_;    // and the end of the last
  std::vector<int64_t> token_count_;
  std::vector<Suffix> suffixes_;
  std::vector<std::string> reserved_;  // escaped
  std::vector<size_t> chunks_;         // where Count() may cut suffixes_
};

}  // namespace t2t

#endif  // T2T_TEXT_SUBWORD_BUILD_H_
