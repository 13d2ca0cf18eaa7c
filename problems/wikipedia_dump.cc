// Wikipedia's dump of 2017-12-01, as it is or its articles without references,
// cut into pieces of a length: T2T's data_generators/wiki.py. (T2T cuts the
// text of each shard, and here that of a split.)

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "problems/wiki_text.h"
#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// T2T takes the dump in pieces of whole lines, one in so many for dev.
constexpr size_t kPieceBytes = size_t{4} << 20;
constexpr int64_t kDevOneIn = 5000;
constexpr int64_t kMostDevCharacters = 10000000;
constexpr size_t kShortestArticle = 140;  // characters

using Symbols = std::vector<int64_t>;
enum class Text { kWhole, kArticles };

struct DumpRow {
  std::string name;
  Text text;
  int64_t size;            // of the vocabulary
  int64_t max_characters;  // that it is built of
  size_t length;           // of an example
  double scrambled = 0;    // share of the ids that change places in the inputs
};

// The dump's pieces, in order.
class DumpPieces {
 public:
  explicit DumpPieces(const std::string& path) : lines_(path) {}

  bool Next(std::string* piece) {
    piece->clear();
    for (;;) {
      if (!line_) {
        line_.emplace();
        if (!lines_.Next(&*line_)) {
          line_.reset();
          return !piece->empty();
        }
        *line_ += '\n';
      }
      if (!piece->empty() && piece->size() + line_->size() > kPieceBytes) {
        return true;
      }
      *piece += *line_;
      line_.reset();
    }
  }

 private:
  LineReader lines_;
  std::optional<std::string> line_;
};

// Without references, links and bold type.
std::string PlainArticle(std::string_view text) {
  return WithoutBold(WithoutLinks(WithoutReferences(text)));
}

// What is between; nothing where it isn't there.
std::string_view Between(std::string_view text, std::string_view begin,
                         std::string_view end) {
  const size_t start = text.find(begin);
  if (start == std::string_view::npos) return {};
  const size_t stop = text.find(end, start + begin.size());
  if (stop == std::string_view::npos) return {};
  return text.substr(start + begin.size(), stop - start - begin.size());
}

// The articles that are whole in the piece, with their titles and lengths.
std::string Articles(std::string_view piece) {
  constexpr std::string_view kBegin = "<page>\n";
  constexpr std::string_view kEnd = "</page>\n";
  std::string articles;
  for (;;) {
    const size_t start = piece.find(kBegin);
    if (start == std::string_view::npos) return articles;
    const size_t stop = piece.find(kEnd, start);
    if (stop == std::string_view::npos) return articles;
    const std::string_view page = piece.substr(start, stop - start);
    piece.remove_prefix(stop + kEnd.size());
    const std::string_view title = Between(page, "<title>", "</title>");
    std::string_view text = Between(page, "<text", "</text>");
    text.remove_prefix(std::min(text.size(), text.find('>') + 1));
    const std::string plain = PlainArticle(text);
    const size_t length = CountCodePoints(plain);
    if (title.find(':') != std::string_view::npos ||
        length <= kShortestArticle) {
      continue;
    }
    articles += "title: \"" + std::string(title) +
                "\" length: " + std::to_string(length) + "\n" + plain + "\n";
  }
}

void CutTo(int64_t most, std::string* text) {
  size_t at = 0;
  for (; at < text->size() && most > 0; --most) NextCodePoint(*text, &at);
  text->resize(at);
}

NextExample ReadDump(const SampleFiles& files, Text text) {
  auto pieces = std::make_shared<DumpPieces>(files.Path(".xml"));
  return [pieces, text, wants_dev = files.split != DataSplit::kTrain,
          number = int64_t{0},
          left = kMostDevCharacters](Example* example) mutable {
    for (std::string piece; pieces->Next(&piece);) {
      const bool is_dev = number++ % kDevOneIn == 0;
      if (is_dev != wants_dev) continue;
      if (text == Text::kArticles) piece = Articles(piece);
      if (is_dev) {
        if (left <= 0) return false;
        CutTo(left, &piece);
        left -= static_cast<int64_t>(CountCodePoints(piece));
      }
      *example = TextAlone(std::move(piece));
      return true;
    }
    return false;
  };
}

// Examples of `length` ids each; the last one is filled up with padding or left
// out.
NextExample Chopped(NextExample texts, size_t length, bool fill_up) {
  return [texts = std::move(texts), length, fill_up, ids = Symbols(),
          at = size_t{0}](Example* example) mutable {
    while (ids.size() - at < length) {
      ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(at));
      at = 0;
      Example text;
      if (!texts(&text)) {
        if (ids.empty() || !fill_up) return false;
        ids.resize(length, kPadId);
        break;
      }
      const Symbols& more = text.Ints("targets");
      ids.insert(ids.end(), more.begin(), more.end());
    }
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(at);
    *example = {};
    example->features["targets"] =
        Symbols(begin, begin + static_cast<std::ptrdiff_t>(length));
    at += length;
    return true;
  };
}

// A share of the ids, at random places, change places among themselves.
Symbols Scrambled(Symbols ids, double share, Rng* rng) {
  std::vector<size_t> places(ids.size());
  std::iota(places.begin(), places.end(), size_t{0});
  rng->Shuffle(&places);
  places.resize(static_cast<size_t>(static_cast<double>(ids.size()) * share));
  std::vector<size_t> others = places;
  rng->Shuffle(&others);
  const Symbols before = ids;
  for (size_t i = 0; i < places.size(); ++i) ids[places[i]] = before[others[i]];
  return ids;
}

Problem MakeDump(const DumpRow& row) {
  const bool scrambles = row.scrambled > 0;
  Vocabulary vocabulary = SharedSubwords(row.name, row.size);
  vocabulary.max_characters = row.max_characters;
  Problem problem = scrambles ? TextToText(row.name, vocabulary, vocabulary)
                              : TextToSelf(row.name, vocabulary);
  problem.features["targets"].appends_eos = false;
  problem.metrics = {"accuracy", "neg_log_perplexity"};
  problem.corpora = {OfAll(CorpusNamed("enwiki_20171201"))};
  ReadBy({[text = row.text](const SampleFiles& files) {
           return ReadDump(files, text);
         }},
         &problem);
  problem.regroup = [length = row.length, share = row.scrambled](
                        NextExample texts, uint64_t seed) -> NextExample {
    if (share == 0) return Chopped(std::move(texts), length, true);
    return [next = Chopped(std::move(texts), length, false), share,
            rng = Rng(seed)](Example* example) mutable {
      if (!next(example)) return false;
      example->features["inputs"] =
          Scrambled(example->Ints("targets"), share, &rng);
      return true;
    };
  };
  return problem;
}

}  // namespace

void RegisterWikipediaDump(ProblemRegistry& problems) {
  const std::string wiki = "languagemodel_wiki_";
  constexpr int64_t k8 = 1 << 13;
  constexpr int64_t k32 = 1 << 15;
  constexpr int64_t k128 = 1 << 17;
  constexpr int64_t kWhole = 41800829;
  constexpr int64_t kArticles = 21240483;
  constexpr int64_t kMore = 100000000;
  const DumpRow rows[] = {
      {wiki + "xml_v8k_l1k", Text::kWhole, k8, kWhole, 1024},
      {wiki + "xml_v8k_l4k", Text::kWhole, k8, kWhole, 4096},
      {wiki + "scramble_l128", Text::kWhole, k8, kWhole, 128, 0.5},
      {wiki + "scramble_l1k", Text::kWhole, k8, kWhole, 1024, 0.5},
      {wiki + "noref_v8k_l1k", Text::kArticles, k8, kArticles, 1024},
      {wiki + "noref_v8k_l16k", Text::kArticles, k8, kArticles, 16384},
      {wiki + "noref_v32k_l1k", Text::kArticles, k32, kMore, 1024},
      {wiki + "noref_v32k_l16k", Text::kArticles, k32, kMore, 16384},
      {wiki + "noref_v128k_l1k", Text::kArticles, k128, kMore, 1024},
  };
  for (const DumpRow& row : rows) {
    problems.Add(row.name, [row] { return MakeDump(row); });
  }
}

}  // namespace t2t
