#include "t2t/text/subword.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword_build.h"
#include "t2t/text/subword_trie.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// A line of a vocabulary file as T2T reads it: '\r' dropped, white space at
// the end too, then a pair of quotes around.
std::string SubtokenOfLine(std::string_view raw) {
  std::string kept;
  for (const char c : raw) {
    if (c != '\r') kept.push_back(c);
  }
  std::string_view line = StripPythonSpaceRight(kept);
  for (const char quote : {'\'', '"'}) {
    if (!line.empty() && line.front() == quote && line.back() == quote) {
      line.remove_prefix(1);
      if (!line.empty()) line.remove_suffix(1);
      break;
    }
  }
  return std::string(line);
}

// Appends the inverse of EscapeToken(), the final '_' already gone.
void UnescapeToken(std::string_view escaped, std::string* token) {
  for (size_t at = 0; at < escaped.size(); ++at) {
    if (escaped[at] != '\\' || at + 1 == escaped.size()) {
      token->push_back(escaped[at]);
      continue;
    }
    if (escaped[at + 1] == 'u' || escaped[at + 1] == '\\') {
      token->push_back(escaped[at + 1] == 'u' ? '_' : '\\');
      ++at;
      continue;
    }
    size_t end = at + 1;
    uint32_t c = 0;
    for (; end < escaped.size() && escaped[end] >= '0' && escaped[end] <= '9';
         ++end) {
      // Stays out of range once it is.
      if (c <= 0x10FFFF) c = c * 10 + (escaped[end] - '0');
    }
    if (end == at + 1 || end == escaped.size() || escaped[end] != ';') {
      token->push_back('\\');
      continue;
    }
    AppendCodePoint(c, token);
    at = end;
  }
}

}  // namespace

struct SubwordTextEncoder::Data {
  explicit Data(std::vector<std::string> strings)
      : subtokens(std::move(strings)), trie(subtokens) {
    for (const std::string& subtoken : subtokens) {
      alphabet.AddAll(subtoken);
      size_t length = 0;
      if (!subtoken.empty()) NextCodePoint(subtoken, &length);
      if (length == subtoken.size()) singles.AddAll(subtoken);
    }
    alphabet.AddEscapeCharacters();
    singles.AddEscapeCharacters();
  }

  // What of the token has no subtoken; empty where all is encoded.
  std::string_view TryEncode(std::string_view token, const Alphabet& characters,
                             std::string* escaped,
                             std::vector<int64_t>* ids) const {
    escaped->clear();
    EscapeToken(token, characters, escaped);
    std::string_view left = *escaped;
    while (!left.empty()) {
      size_t length = 0;
      const int32_t id = trie.LongestMatch(left, &length);
      if (id < 0) break;
      ids->push_back(id);
      left.remove_prefix(length);
    }
    return left;
  }

  void EncodeToken(std::string_view token, std::string* escaped,
                   std::vector<int64_t>* ids) const {
    const size_t before = ids->size();
    if (TryEncode(token, alphabet, escaped, ids).empty()) return;
    // As T2T, the alphabet has the characters of all subtokens, of "<pad>_"
    // too; where one stands in longer subtokens alone, T2T fails. Here it is
    // escaped then, as any unknown one.
    ids->resize(before);
    const std::string_view left = TryEncode(token, singles, escaped, ids);
    if (left.empty()) return;
    throw DataError("the vocabulary has no subtoken for '" +
                        std::string(left.substr(0, 80)) + "'",
                    "a vocabulary as t2t-datagen builds it, with '\\', '_', "
                    "'u', ';' and the digits");
  }

  std::string_view Subtoken(int64_t id) const {
    if (id < 0 || id >= static_cast<int64_t>(subtokens.size())) return "";
    return subtokens[static_cast<size_t>(id)];
  }

  std::vector<std::string> subtokens;
  SubwordTrie trie;
  Alphabet alphabet;  // of all subtokens
  Alphabet singles;   // of those that are one character
};

SubwordTextEncoder::SubwordTextEncoder(std::unique_ptr<const Data> data)
    : data_(std::move(data)) {}

SubwordTextEncoder::~SubwordTextEncoder() = default;

std::shared_ptr<const SubwordTextEncoder> SubwordTextEncoder::FromSubtokens(
    std::vector<std::string> subtokens) {
  return std::shared_ptr<const SubwordTextEncoder>(new SubwordTextEncoder(
      std::make_unique<const Data>(std::move(subtokens))));
}

std::shared_ptr<const SubwordTextEncoder> SubwordTextEncoder::Parse(
    std::string_view contents, const std::string& name) {
  const std::string expected = "one subtoken a line, in single quotes";
  const std::string todo = "build it again with t2t-datagen";
  if (contents.empty()) {
    throw DataError("the vocabulary " + name + " is empty", expected, todo);
  }
  std::vector<std::string> subtokens;
  while (!contents.empty()) {
    const size_t newline = contents.find('\n');
    const std::string_view line = contents.substr(0, newline);
    contents.remove_prefix(newline == std::string_view::npos ? contents.size()
                                                             : newline + 1);
    if (!IsValidUtf8(line)) {
      throw DataError("line " + std::to_string(subtokens.size() + 1) +
                          " of the vocabulary " + name + " is not UTF-8",
                      expected, todo);
    }
    subtokens.push_back(SubtokenOfLine(line));
  }
  return FromSubtokens(std::move(subtokens));
}

std::shared_ptr<const SubwordTextEncoder> SubwordTextEncoder::Load(
    const std::string& path) {
  if (!Exists(path)) {
    throw MissingError("there is no vocabulary " + path, "",
                       "run t2t-datagen, or copy the vocabulary there");
  }
  return Parse(ReadFile(path), path);
}

std::shared_ptr<const SubwordTextEncoder>
SubwordTextEncoder::BuildFromTokenCounts(const TokenCounts& counts,
                                         int64_t min_count,
                                         const SubwordBuildOptions& options) {
  return FromSubtokens(SubwordBuilder(counts, options).Build(min_count));
}

std::shared_ptr<const SubwordTextEncoder> SubwordTextEncoder::BuildToTargetSize(
    int64_t target_size, const TokenCounts& counts, int64_t min_val,
    int64_t max_val, const SubwordBuildOptions& options) {
  if (min_val < 0 || min_val > max_val) {
    throw UsageError("the least token count of a vocabulary is sought from " +
                         std::to_string(min_val) + " to " +
                         std::to_string(max_val),
                     "the lower bound first");
  }
  if (target_size < 1) {
    throw UsageError("the vocabulary is to have " +
                         std::to_string(target_size) + " subtokens",
                     "a positive number");
  }
  const SubwordBuilder builder(counts, options);
  const auto distance = [&](const std::vector<std::string>& subtokens) {
    const int64_t size = static_cast<int64_t>(subtokens.size());
    return size > target_size ? size - target_size : target_size - size;
  };
  std::vector<std::vector<std::string>> tried;
  while (true) {
    const int64_t min_count = (min_val + max_val) / 2;
    tried.push_back(builder.Build(min_count));
    const int64_t size = static_cast<int64_t>(tried.back().size());
    Log("vocabulary of " + std::to_string(size) + " subtokens at a count of " +
        std::to_string(min_count) + " or more");
    if (distance(tried.back()) * 100 < target_size || min_val >= max_val ||
        min_count < 2) {
      break;
    }
    if (size > target_size) {
      min_val = min_count + 1;
    } else {
      max_val = min_count - 1;
    }
  }
  // As T2T's recursion: a later one counts only where it is nearer than all
  // before it, seen from the end.
  size_t best = tried.size() - 1;
  for (size_t i = best; i-- > 0;) {
    if (distance(tried[best]) >= distance(tried[i])) best = i;
  }
  return FromSubtokens(std::move(tried[best]));
}

std::shared_ptr<const SubwordTextEncoder>
SubwordTextEncoder::BuildFromGenerator(
    const std::function<bool(std::string*)>& next, int64_t target_size,
    const SubwordBuildOptions& options) {
  return BuildToTargetSize(target_size, CountTokens(next, options.threads), 1,
                           1000, options);
}

std::shared_ptr<const SubwordTextEncoder> SubwordTextEncoder::LoadOrBuild(
    const std::string& path, const std::function<bool(std::string*)>& next,
    int64_t target_size, const SubwordBuildOptions& options) {
  if (!Exists(path)) {
    const auto built = BuildFromGenerator(next, target_size, options);
    MakeDirectories(DirName(path));
    built->Store(path);
  }
  return Load(path);
}

std::string SubwordTextEncoder::ToFileContents(bool add_single_quotes) const {
  const char* quote = add_single_quotes ? "'" : "";
  std::string contents;
  for (const std::string& subtoken : data_->subtokens) {
    contents += quote + subtoken + quote + "\n";
  }
  return contents;
}

void SubwordTextEncoder::Store(const std::string& path,
                               bool add_single_quotes) const {
  WriteFileAtomically(path, ToFileContents(add_single_quotes));
}

std::vector<int64_t> SubwordTextEncoder::Encode(std::string_view text) const {
  std::vector<int64_t> ids;
  ids.reserve(text.size() / 3 + 1);
  std::string escaped;
  for (const std::string_view token : Tokenize(text)) {
    data_->EncodeToken(token, &escaped, &ids);
  }
  return ids;
}

std::vector<int64_t> SubwordTextEncoder::EncodeWithoutTokenizing(
    std::string_view token) const {
  std::vector<int64_t> ids;
  std::string escaped;
  data_->EncodeToken(token, &escaped, &ids);
  return ids;
}

std::string SubwordTextEncoder::Decode(const std::vector<int64_t>& ids,
                                       bool strip_extraneous) const {
  std::string joined;
  for (const int64_t id :
       strip_extraneous ? StripReservedIds(ids, kNumReservedTokens) : ids) {
    joined += data_->Subtoken(id);
  }
  std::vector<std::string> tokens;
  for (const std::string& escaped : Split(joined, '_')) {
    tokens.emplace_back();
    UnescapeToken(escaped, &tokens.back());
  }
  return Detokenize(tokens);
}

std::vector<std::string> SubwordTextEncoder::DecodeList(
    const std::vector<int64_t>& ids) const {
  std::vector<std::string> subtokens;
  for (const int64_t id : ids) subtokens.emplace_back(data_->Subtoken(id));
  return subtokens;
}

int64_t SubwordTextEncoder::vocab_size() const {
  return static_cast<int64_t>(data_->subtokens.size());
}

const std::vector<std::string>& SubwordTextEncoder::subtokens() const {
  return data_->subtokens;
}

}  // namespace t2t
