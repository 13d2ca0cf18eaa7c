#include "t2t/text/subword_build.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/parallel.h"
#include "t2t/text/subword_trie.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr size_t kTokensABlock = 1024;
constexpr size_t kSuffixesAChunk = 1 << 14;

bool IsContinuation(char c) { return (c & 0xC0) == 0x80; }

size_t FirstCharacterLength(std::string_view text) {
  size_t length = 1;
  while (length < text.size() && IsContinuation(text[length])) ++length;
  return length;
}

// Bytes of whole characters that both start with.
size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t limit = std::min(a.size(), b.size());
  size_t common =
      std::mismatch(a.begin(), a.begin() + limit, b.begin()).first - a.begin();
  while (common > 0 && common < limit && IsContinuation(a[common])) --common;
  return common;
}

uint64_t SortKey(std::string_view text) {
  uint64_t key = 0;
  for (size_t i = 0; i < 8; ++i) {
    key = (key << 8) |
          (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
  }
  return key;
}

}  // namespace

void Alphabet::AddAll(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const char32_t c = NextCodePoint(text, &at);
    if (!IsEscapedByte(c)) Add(c);
  }
}

void EscapeToken(std::string_view token, const Alphabet& alphabet,
                 std::string* escaped) {
  size_t copied = 0;  // token[0, copied) is in *escaped
  for (size_t at = 0; at < token.size();) {
    const size_t start = at;
    const char32_t c = NextCodePoint(token, &at);
    if (c != '\\' && c != '_' && c != '\n' && alphabet.Has(c)) continue;
    escaped->append(token, copied, start - copied);
    copied = at;
    if (c == '\\') {
      *escaped += "\\\\";
    } else if (c == '_') {
      *escaped += "\\u";
    } else {
      *escaped += '\\' + std::to_string(static_cast<uint32_t>(c)) + ';';
    }
  }
  escaped->append(token, copied);
  *escaped += '_';
}

SubwordBuilder::SubwordBuilder(const TokenCounts& counts,
                               const SubwordBuildOptions& options)
    : options_(options) {
  const std::vector<std::string> first = {"<pad>", "<EOS>"};
  for (size_t i = 0; i < std::min(first.size(), options.reserved_tokens.size());
       ++i) {
    if (options.reserved_tokens[i] != first[i]) {
      throw UsageError("the reserved tokens of a vocabulary start with '" +
                           options.reserved_tokens[i] + "'",
                       "'<pad>' and '<EOS>' first");
    }
  }
  for (const auto& [token, count] : counts) alphabet_.AddAll(token);
  for (const std::string& token : options.reserved_tokens) {
    alphabet_.AddAll(token);
  }
  alphabet_.AddEscapeCharacters();
  for (const std::string& token : options.reserved_tokens) {
    reserved_.emplace_back();
    EscapeToken(token, alphabet_, &reserved_.back());
  }
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (!alphabet_.Has(c)) continue;
    characters_.emplace_back();
    AppendCodePoint(c, &characters_.back());
  }
  token_begin_.reserve(counts.size() + 1);
  token_count_.reserve(counts.size());
  for (const auto& [token, count] : counts) {
    token_begin_.push_back(static_cast<uint32_t>(text_.size()));
    token_count_.push_back(count);
    EscapeToken(token, alphabet_, &text_);
    if (text_.size() > UINT32_MAX) {
      throw UsageError("there is too much text to build a vocabulary of",
                       "less than 4 GiB of distinct tokens",
                       "build it from a sample of the text");
    }
  }
  token_begin_.push_back(static_cast<uint32_t>(text_.size()));
  CollectSuffixes();
  SortSuffixes();
}

void SubwordBuilder::CollectSuffixes() {
  // T2T's limit is exclusive.
  const int64_t limit = options_.max_subtoken_length - 1;
  if (limit == 0) return;
  suffixes_.reserve(text_.size() -
                    std::count_if(text_.begin(), text_.end(), IsContinuation));
  for (uint32_t token = 0; token < token_count_.size(); ++token) {
    const uint32_t token_end = token_begin_[token + 1];
    uint32_t end = token_begin_[token];
    int64_t characters = 0;  // in [start, end)
    for (uint32_t start = token_begin_[token]; start < token_end;) {
      if (limit < 0) end = token_end;
      for (; end < token_end && characters < limit; ++characters) {
        ++end;
        while (end < token_end && IsContinuation(text_[end])) ++end;
      }
      suffixes_.push_back({0, start, end - start, token, 0});
      ++start;
      while (start < token_end && IsContinuation(text_[start])) ++start;
      --characters;
    }
  }
}

void SubwordBuilder::SortSuffixes() {
  // By first byte into buckets, in place; then each bucket on its own.
  std::vector<size_t> bucket_end(256, 0);
  for (const Suffix& suffix : suffixes_) {
    ++bucket_end[static_cast<unsigned char>(text_[suffix.offset])];
  }
  for (size_t byte = 1; byte < 256; ++byte) {
    bucket_end[byte] += bucket_end[byte - 1];
  }
  const auto bucket_begin = [&](size_t byte) {
    return byte == 0 ? 0 : bucket_end[byte - 1];
  };
  std::vector<size_t> next(256);
  for (size_t byte = 0; byte < 256; ++byte) next[byte] = bucket_begin(byte);
  for (size_t byte = 0; byte < 256; ++byte) {
    while (next[byte] < bucket_end[byte]) {
      Suffix& here = suffixes_[next[byte]];
      const auto home = static_cast<unsigned char>(text_[here.offset]);
      if (home == byte) {
        ++next[byte];
      } else {
        std::swap(here, suffixes_[next[home]++]);
      }
    }
  }
  ParallelFor(256, options_.threads, [&](size_t byte, int) {
    const auto begin = suffixes_.begin() + bucket_begin(byte);
    const auto end = suffixes_.begin() + bucket_end[byte];
    for (auto suffix = begin; suffix != end; ++suffix) {
      suffix->key = SortKey(TextOf(*suffix));
    }
    std::sort(begin, end, [&](const Suffix& a, const Suffix& b) {
      if (a.key != b.key) return a.key < b.key;
      return TextOf(a) < TextOf(b);
    });
    for (auto suffix = begin; suffix != end; ++suffix) {
      suffix->common = suffix == begin
                           ? 0
                           : static_cast<uint32_t>(CommonPrefix(
                                 TextOf(*(suffix - 1)), TextOf(*suffix)));
    }
  });
  chunks_.assign(1, 0);
  for (size_t i = 1; i < suffixes_.size(); ++i) {
    if (suffixes_[i].common == 0 && i - chunks_.back() >= kSuffixesAChunk) {
      chunks_.push_back(i);
    }
  }
  chunks_.push_back(suffixes_.size());
}

void SubwordBuilder::Count(size_t begin, size_t end,
                           const std::vector<char>& is_start, int64_t min_count,
                           std::vector<Candidate>* candidates) const {
  struct Node {
    std::string_view text;
    int64_t count;
    int64_t taken;  // by its descendants
  };
  std::vector<Node> path;  // from the first character down
  // What the node and its descendants take.
  const auto finish = [&](const Node& node) {
    const int64_t left = node.count - node.taken;
    const bool is_character =
        FirstCharacterLength(node.text) == node.text.size();
    if (is_character || left < min_count) return node.taken;
    candidates->push_back({left, node.text});
    return node.count;
  };
  // Closes the nodes that are deeper than `depth` bytes.
  const auto close = [&](size_t depth) {
    while (!path.empty() && path.back().text.size() > depth) {
      const Node node = path.back();
      path.pop_back();
      const int64_t taken = finish(node);
      if (depth == 0 && path.empty()) {
        // Characters are kept whatever is left of their count.
        candidates->push_back(
            {node.count - taken,
             node.text.substr(0, FirstCharacterLength(node.text))});
        return;
      }
      if (path.empty() || path.back().text.size() < depth) {
        path.push_back({node.text.substr(0, depth), 0, 0});
      }
      path.back().count += node.count;
      path.back().taken += taken;
    }
  };
  size_t common = 0;
  for (size_t i = begin; i < end; ++i) {
    const Suffix& suffix = suffixes_[i];
    common = std::min<size_t>(common, suffix.common);
    if (!is_start[suffix.offset]) continue;
    close(common);
    const std::string_view text = TextOf(suffix);
    if (path.empty() || path.back().text.size() < text.size()) {
      path.push_back({text, 0, 0});
    }
    path.back().count += token_count_[suffix.token];
    common = SIZE_MAX;
  }
  close(0);
}

std::vector<uint32_t> SubwordBuilder::LongestMatches(
    const std::vector<Candidate>& candidates) const {
  // Where the suffixes begin that start with each candidate.
  struct Range {
    size_t begin;
    uint32_t length;
  };
  std::vector<Range> ranges(candidates.size());
  const size_t blocks = (candidates.size() + kTokensABlock - 1) / kTokensABlock;
  ParallelFor(blocks, options_.threads, [&](size_t block, int) {
    const size_t end = std::min(candidates.size(), (block + 1) * kTokensABlock);
    for (size_t i = block * kTokensABlock; i < end; ++i) {
      const std::string_view text = candidates[i].text;
      const uint64_t key = SortKey(text);
      const auto first =
          std::lower_bound(suffixes_.begin(), suffixes_.end(), text,
                           [&](const Suffix& suffix, std::string_view wanted) {
                             if (suffix.key != key) return suffix.key < key;
                             return TextOf(suffix) < wanted;
                           });
      // (Some characters of the alphabet are not in the text.)
      const bool there = first != suffixes_.end() &&
                         TextOf(*first).substr(0, text.size()) == text;
      ranges[i] = {there ? static_cast<size_t>(first - suffixes_.begin())
                         : suffixes_.size(),
                   static_cast<uint32_t>(text.size())};
    }
  });
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.length < b.length;
  });
  std::vector<uint32_t> longest(text_.size());
  std::vector<uint32_t> open;  // of the candidates that the suffix starts with
  size_t next = 0;
  for (size_t i = 0; i < suffixes_.size(); ++i) {
    const Suffix& suffix = suffixes_[i];
    while (!open.empty() && open.back() > suffix.common) open.pop_back();
    for (; next < ranges.size() && ranges[next].begin == i; ++next) {
      open.push_back(ranges[next].length);
    }
    longest[suffix.offset] = open.empty() ? 0 : open.back();
  }
  return longest;
}

void SubwordBuilder::MarkStarts(const std::vector<Candidate>& candidates,
                                std::vector<char>* is_start) const {
  const std::vector<uint32_t> longest = LongestMatches(candidates);
  const SubwordTrie reserved(reserved_);
  std::fill(is_start->begin(), is_start->end(), 0);
  const size_t blocks =
      (token_count_.size() + kTokensABlock - 1) / kTokensABlock;
  ParallelFor(blocks, options_.threads, [&](size_t block, int) {
    const size_t end =
        std::min(token_count_.size(), (block + 1) * kTokensABlock);
    for (size_t token = block * kTokensABlock; token < end; ++token) {
      size_t at = token_begin_[token];
      while (at < token_begin_[token + 1]) {
        (*is_start)[at] = 1;
        const std::string_view left =
            std::string_view(text_).substr(at, token_begin_[token + 1] - at);
        size_t length = 0;
        reserved.LongestMatch(left, &length);
        at += std::max({length, FirstCharacterLength(left),
                        static_cast<size_t>(longest[at])});
      }
    }
  });
}

std::vector<SubwordBuilder::Candidate> SubwordBuilder::CountAll(
    const std::vector<char>& is_start, int64_t min_count) const {
  std::vector<std::vector<Candidate>> parts(chunks_.size() - 1);
  ParallelFor(parts.size(), options_.threads, [&](size_t i, int) {
    Count(chunks_[i], chunks_[i + 1], is_start, min_count, &parts[i]);
  });
  std::vector<Candidate> candidates;
  for (const std::vector<Candidate>& part : parts) {
    candidates.insert(candidates.end(), part.begin(), part.end());
  }
  // The characters no subtoken starts with.
  std::unordered_set<std::string_view> counted;
  for (const Candidate& candidate : candidates) {
    if (FirstCharacterLength(candidate.text) == candidate.text.size()) {
      counted.insert(candidate.text);
    }
  }
  for (const std::string& character : characters_) {
    if (counted.count(character) == 0) candidates.push_back({0, character});
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) {
              return a.count != b.count ? a.count > b.count : a.text > b.text;
            });
  return candidates;
}

std::vector<std::string> SubwordBuilder::Build(int64_t min_count) const {
  min_count = std::max<int64_t>(1, min_count);
  // T2T starts from single characters, so every character starts a subtoken.
  std::vector<char> is_start(text_.size(), 1);
  std::vector<Candidate> candidates;
  for (int iteration = 0; iteration < options_.num_iterations; ++iteration) {
    if (iteration > 0) MarkStarts(candidates, &is_start);
    candidates = CountAll(is_start, min_count);
  }
  if (options_.num_iterations == 0) {
    std::vector<std::string> subtokens = options_.reserved_tokens;
    subtokens.insert(subtokens.end(), characters_.begin(), characters_.end());
    return subtokens;
  }
  std::vector<std::string> subtokens = reserved_;
  for (const Candidate& candidate : candidates) {
    subtokens.emplace_back(candidate.text);
  }
  return subtokens;
}

}  // namespace t2t
