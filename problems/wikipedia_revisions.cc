// From an article's text to what its writers made of it: pieces of a revision
// and of a later one (Lichtarge et al. 2018, "Weakly Supervised Grammatical
// Error Correction using Iterative Decoding", arXiv:1811.01710). T2T's
// data_generators/wiki_revision.py, which runs on a machine for each of a
// dump's files and takes whole files for dev; here one article in 51 is for
// dev. Its flags' initial values are what is done here.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "problems/revision_text.h"
#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/formats/archive.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

constexpr int64_t kVocabulary = 1 << 15;
constexpr int64_t kLongest = 256;  // ids, with EOS
constexpr size_t kLargestArticle = size_t{1} << 26;
constexpr double kSkipFactor = 1.5;
constexpr double kMisspelled = 3e-3;  // of the characters
constexpr double kUnchanged = 0.04;   // of the examples
// T2T's 50 shards of training and one of dev.
constexpr int64_t kDevOneIn = 51;

// The articles of history dumps, each as it is between <page> and </page>. One
// that is larger than kLargestArticle is left out.
class Articles {
 public:
  explicit Articles(std::vector<std::string> paths)
      : paths_(std::move(paths)) {}

  bool Next(std::string* article) {
    constexpr std::string_view kBegin = "  <page>\n";
    constexpr std::string_view kEnd = "  </page>\n";
    for (;;) {
      const size_t begin = text_.find(kBegin);
      const bool inside = begin != std::string::npos;
      if (inside) {
        const size_t from = begin + kBegin.size();
        const size_t end = text_.find(kEnd, std::max(from, looked_));
        if (end != std::string::npos) {
          *article = text_.substr(from, end - from);
          Drop(end + kEnd.size());
          return true;
        }
        Drop(text_.size() - begin > kLargestArticle ? from : begin);
        looked_ = text_.size() - std::min(text_.size(), kEnd.size());
      } else {
        // But for what may be the start of a mark.
        Drop(text_.size() - std::min(text_.size(), kBegin.size()));
      }
      if (!More(inside)) return false;
    }
  }

 private:
  void Drop(size_t bytes) {
    text_.erase(0, bytes);
    looked_ = 0;
  }

  // Reads on, into the next file where one ends.
  bool More(bool inside) {
    std::string bytes;
    for (;;) {
      if (!file_) {
        if (next_ == paths_.size()) return false;
        file_.emplace(paths_[next_++]);
        Drop(text_.size());
        inside = false;
      }
      if (file_->Next(&bytes)) {
        text_ += bytes;
        return true;
      }
      if (inside) {
        throw DataError(paths_[next_ - 1] + ": " + file_->member() +
                            " ends inside a <page>",
                        "</page>", "the file is cut: get it again");
      }
      file_.reset();
    }
  }

  std::vector<std::string> paths_;
  size_t next_ = 0;
  std::optional<MemberReader> file_;
  std::string text_;
  size_t looked_ = 0;  // no end of an article is before it
};

// What is between, behind *at, which moves behind it; nullopt where there is
// none.
std::optional<std::string_view> Between(std::string_view text,
                                        std::string_view begin,
                                        std::string_view end, size_t* at) {
  const size_t start = text.find(begin, *at);
  if (start == std::string_view::npos) return std::nullopt;
  const size_t from = start + begin.size();
  const size_t stop = text.find(end, from);
  if (stop == std::string_view::npos) return std::nullopt;
  *at = stop + end.size();
  return text.substr(from, stop - from);
}

// The prose of a revision; nothing of one without a text.
std::string ProseOfRevision(std::string_view revision) {
  const size_t start = revision.find("<text");
  if (start == std::string_view::npos) return "";
  size_t at = start;
  const std::optional<std::string_view> text =
      Between(revision, ">", "</text>", &at);
  return text ? ProseOf(*text) : "";
}

// The revisions of an article as their texts: all, or those that are taken.
// None of a page that is no article.
std::vector<std::string> RevisionsOf(std::string_view article,
                                     bool last_alone) {
  size_t at = 0;
  const std::optional<std::string_view> title =
      Between(article, "<title>", "</title>", &at);
  if (!title || title->find(':') != std::string_view::npos) return {};
  std::vector<std::string_view> all;
  at = 0;
  while (const auto revision =
             Between(article, "    <revision>\n", "    </revision>\n", &at)) {
    all.push_back(*revision);
  }
  std::vector<std::string> texts;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool last = i + 1 == all.size();
    if (last_alone
            ? last
            : last || TakesRevision(static_cast<int64_t>(i), kSkipFactor)) {
      texts.push_back(ProseOfRevision(all[i]));
    }
  }
  return texts;
}

NextExample ReadRevisions(const SampleFiles& files) {
  auto articles = std::make_shared<Articles>(files.Paths());
  return SamplesOfGroups([articles, rng = Rng(files.seed), number = int64_t{0},
                          dev = files.split != DataSplit::kTrain](
                             std::vector<Example>* samples) mutable {
    std::string article;
    if (!articles->Next(&article)) return false;
    if ((number++ % kDevOneIn == kDevOneIn - 1) != dev) return true;
    const std::vector<std::string> texts = RevisionsOf(article, false);
    for (size_t i = 0; i + 1 < texts.size(); ++i) {
      samples->push_back(
          TextPair(Misspelled(texts[i], kMisspelled, &rng), texts[i + 1]));
    }
    return true;
  });
}

// The vocabulary is built of what some articles have become.
NextExample ReadLastRevisions(const SampleFiles& files) {
  auto articles = std::make_shared<Articles>(files.Paths());
  return SamplesOfGroups([articles, left = kVocabulary / 3 + 1](
                             std::vector<Example>* samples) mutable {
    std::string article;
    if (left == 0 || !articles->Next(&article)) return false;
    for (std::string& text : RevisionsOf(article, true)) {
      samples->push_back(TextPair("", std::move(text)));
      --left;
    }
    return true;
  });
}

std::vector<int64_t> WithoutEos(std::vector<int64_t> ids) {
  if (!ids.empty() && ids.back() == kEosId) ids.pop_back();
  return ids;
}

// Pieces of each pair of texts. Of those that did not change so many are kept
// as are a small share of all.
NextExample PiecesOf(NextExample texts, uint64_t seed) {
  return SamplesOfGroups([texts = std::move(texts), rng = Rng(seed),
                          unchanged = 0.0,
                          all = 0.0](std::vector<Example>* pieces) mutable {
    Example pair;
    if (!texts(&pair)) return false;
    for (auto& [before, after] :
         CutRevisions(WithoutEos(pair.Ints("inputs")),
                      WithoutEos(pair.Ints("targets")), kLongest, &rng)) {
      before.push_back(kEosId);
      after.push_back(kEosId);
      if (static_cast<int64_t>(std::max(before.size(), after.size())) >
          kLongest) {
        continue;
      }
      if (before == after) {
        if (unchanged / (1 + all) > kUnchanged || rng.Uniform() > 0.5) continue;
        ++unchanged;
      }
      ++all;
      Example piece;
      piece.features["inputs"] = std::move(before);
      piece.features["targets"] = std::move(after);
      pieces->push_back(std::move(piece));
    }
    return true;
  });
}

Problem MakeRevisions(const std::string& name, int64_t packed_length) {
  const Vocabulary vocabulary = SharedSubwords(name, kVocabulary);
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.metrics = DefaultEvalMetrics();
  problem.corpora = {OfAll(CorpusNamed("enwiki_history"))};
  problem.packed_length = packed_length;
  ReadBy({.read = ReadRevisions, .vocabulary = ReadLastRevisions}, &problem);
  problem.regroup = PiecesOf;
  return problem;
}

}  // namespace

void RegisterWikipediaRevisions(ProblemRegistry& problems) {
  const std::pair<const char*, int64_t> rows[] = {
      {"wiki_revision", 0},
      {"wiki_revision_packed1k", 1024},
      {"wiki_revision_packed256", 256}};
  for (const auto& [name, packed_length] : rows) {
    problems.Add(name, [name = std::string(name), packed = packed_length] {
      return MakeRevisions(name, packed);
    });
  }
}

}  // namespace t2t
