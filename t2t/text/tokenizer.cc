#include "t2t/text/tokenizer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/parallel.h"
#include "t2t/base/strings.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// Bytes of text held for one round of counting.
constexpr size_t kRoundBytes = 8 << 20;
constexpr size_t kBlockTexts = 256;

bool NextIsAlphanumeric(std::string_view text, size_t* at) {
  const unsigned char c = static_cast<unsigned char>(text[*at]);
  if (c < 0x80) {
    ++*at;
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  }
  return IsAlphanumeric(NextCodePoint(text, at));
}

// Calls use(token) for each token.
template <typename Use>
void ForEachToken(std::string_view text, const Use& use) {
  if (text.empty()) return;
  size_t start = 0;
  size_t at = 0;
  bool inside = NextIsAlphanumeric(text, &at);
  while (at < text.size()) {
    const size_t here = at;
    const bool alphanumeric = NextIsAlphanumeric(text, &at);
    if (alphanumeric == inside) continue;
    inside = alphanumeric;
    const std::string_view token = text.substr(start, here - start);
    if (token != " " || start == 0) use(token);
    start = here;
  }
  use(text.substr(start));
}

void MergeCounts(TokenCounts&& from, TokenCounts* to) {
  if (to->empty()) {
    *to = std::move(from);
    return;
  }
  for (auto& [token, count] : from) (*to)[token] += count;
  from.clear();
}

std::vector<std::string> MatchingFiles(const std::string& file_pattern) {
  std::vector<std::string> files = Glob(file_pattern);
  if (files.empty()) {
    throw MissingError("no file matches '" + file_pattern + "'",
                       "one or more text files");
  }
  return files;
}

// Lines of files as TensorFlow reads them: cut at '\n', every '\r' dropped.
class LineReader {
 public:
  explicit LineReader(std::vector<std::string> files)
      : files_(std::move(files)) {}

  // Keeps the newline. False at the end of each file.
  bool Next(std::string* line) {
    line->clear();
    if (map_ == nullptr) {
      if (file_ == files_.size()) return false;
      map_ = std::make_unique<MappedFile>(files_[file_++]);
      left_ = map_->data();
    }
    if (left_.empty()) {
      map_.reset();
      return false;
    }
    const size_t newline = left_.find('\n');
    const size_t size =
        newline == std::string_view::npos ? left_.size() : newline + 1;
    for (const char c : left_.substr(0, size)) {
      if (c != '\r') line->push_back(c);
    }
    left_.remove_prefix(size);
    return true;
  }

  bool more() const { return map_ != nullptr || file_ < files_.size(); }

 private:
  std::vector<std::string> files_;
  size_t file_ = 0;
  std::unique_ptr<MappedFile> map_;
  std::string_view left_;
};

}  // namespace

std::vector<std::string_view> Tokenize(std::string_view text) {
  std::vector<std::string_view> tokens;
  ForEachToken(text, [&](std::string_view token) { tokens.push_back(token); });
  return tokens;
}

std::string Detokenize(const std::vector<std::string>& tokens) {
  std::string text;
  bool after_alphanumeric = false;
  for (const std::string& token : tokens) {
    if (token.empty()) continue;
    size_t at = 0;
    const bool alphanumeric = NextIsAlphanumeric(token, &at);
    if (after_alphanumeric && alphanumeric) text += ' ';
    text += token;
    after_alphanumeric = alphanumeric;
  }
  return text;
}

void CountTokens(std::string_view text, TokenCounts* counts) {
  ForEachToken(text, [&](std::string_view token) {
    const auto found = counts->find(token);
    if (found != counts->end()) {
      ++found->second;
    } else {
      counts->emplace(token, 1);
    }
  });
}

TokenCounts CountTokens(const std::function<bool(std::string*)>& next,
                        int threads) {
  threads = NumThreads(threads);
  std::vector<TokenCounts> partial(threads);
  std::vector<std::string> texts;
  bool more = true;
  while (more) {
    size_t used = 0;
    size_t bytes = 0;
    while (bytes < kRoundBytes) {
      if (used == texts.size()) texts.emplace_back();
      if (!(more = next(&texts[used]))) break;
      bytes += texts[used++].size();
    }
    const size_t blocks = (used + kBlockTexts - 1) / kBlockTexts;
    ParallelFor(blocks, threads, [&](size_t block, int thread) {
      const size_t end = std::min(used, (block + 1) * kBlockTexts);
      for (size_t i = block * kBlockTexts; i < end; ++i) {
        CountTokens(texts[i], &partial[thread]);
      }
    });
  }
  TokenCounts counts;
  for (TokenCounts& part : partial) MergeCounts(std::move(part), &counts);
  return counts;
}

TokenCounts CorpusTokenCounts(const std::string& file_pattern,
                              const CorpusOptions& options) {
  std::vector<std::string> files = MatchingFiles(file_pattern);
  if (!options.split_on_newlines && options.max_lines == 0) {
    // Whole files keep their '\r', as T2T's f.read() does.
    size_t file = 0;
    return CountTokens(
        [&](std::string* text) {
          if (file == files.size()) return false;
          *text = ReadFile(files[file++]);
          return true;
        },
        options.threads);
  }
  LineReader reader(std::move(files));
  int64_t lines = 0;
  const auto full = [&] {
    return options.max_lines > 0 && lines >= options.max_lines;
  };
  const auto next = [&](std::string* text) {
    std::string line;
    text->clear();
    while (!full() && reader.more()) {
      if (!reader.Next(&line)) {
        // The end of a file ends a text that is a whole file.
        if (!options.split_on_newlines) return true;
        continue;
      }
      ++lines;
      if (options.split_on_newlines) {
        *text = StripPythonSpace(line);
        return true;
      }
      *text += line;
    }
    return !text->empty();
  };
  return CountTokens(next, options.threads);
}

TokenCounts VocabTokenCounts(const std::string& file_pattern,
                             int64_t max_lines) {
  LineReader reader(MatchingFiles(file_pattern));
  TokenCounts counts;
  int64_t lines = 0;
  std::string raw;
  while (reader.more() && (max_lines == 0 || lines < max_lines)) {
    if (!reader.Next(&raw)) continue;
    ++lines;
    const std::string_view line = StripPythonSpace(raw);
    const size_t comma = line.rfind(',');
    int64_t count = 0;
    if (comma == std::string_view::npos ||
        !ParseInt(Trim(line.substr(comma + 1)), &count) || count < 0) {
      throw DataError("line " + std::to_string(lines) + " of " + file_pattern +
                          " is not a token and its count: '" +
                          std::string(line.substr(0, 80)) + "'",
                      "token,count");
    }
    counts[std::string(line.substr(0, comma))] = count;
  }
  return counts;
}

}  // namespace t2t
