#include "problems/revision_text.h"

#include <array>
#include <cmath>
#include <unordered_map>

#include "problems/wiki_text.h"
#include "t2t/base/strings.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Ids = std::vector<int64_t>;

constexpr size_t kShortestMatch = 3;
// Pairs of long sequences that repeat themselves need not be looked at further.
constexpr int kMostSplits = 128;
constexpr int64_t kMostMarked = 8;  // characters
constexpr std::string_view kMark = "|?|";

std::string WithoutBraces(std::string_view text) {
  std::string kept;
  int depth = 0;
  size_t at = 0;
  for (size_t brace = text.find_first_of("{}"); brace != std::string_view::npos;
       brace = text.find_first_of("{}", at)) {
    if (depth == 0) kept += text.substr(at, brace - at);
    depth += text[brace] == '{' ? 1 : -1;
    at = brace + 1;
  }
  // (Of one that isn't closed all goes.)
  if (depth == 0) kept += text.substr(at);
  return kept;
}

// (T2T's letters are those of "A-z", which has six signs between.)
bool IsProse(std::string_view line) {
  if (line.empty()) return false;
  const char c = line[0];
  return (c >= 'A' && c <= 'z') || c == '"' || c == '\'';
}

std::vector<std::string_view> CharactersOf(std::string_view text) {
  std::vector<std::string_view> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    NextCodePoint(text, &at);
    characters.push_back(text.substr(begin, at - begin));
  }
  return characters;
}

class Matcher {
 public:
  Matcher(const Ids& a, const Ids& b) : a_(a), b_(b) {}

  // Appends the runs of these parts.
  void Split(Match part, int splits, std::vector<Match>* matches) const {
    if (part.a_begin == part.a_end && part.b_begin == part.b_end) return;
    Match best;
    if (splits == 0 || !FindBest(part, &best)) {
      matches->push_back(part);
      return;
    }
    Split({false, part.a_begin, best.a_begin, part.b_begin, best.b_begin},
          splits - 1, matches);
    matches->push_back(best);
    Split({false, best.a_end, part.a_end, best.b_end, part.b_end}, splits - 1,
          matches);
  }

 private:
  // The longest equal run that is long enough; those at both beginnings or both
  // ends count for more. Of each value of b the first place is looked at alone.
  bool FindBest(const Match& part, Match* best) const {
    if (part.a_begin == part.a_end || part.b_begin == part.b_end) return false;
    std::unordered_map<int64_t, size_t> places;
    for (size_t j = part.b_end; j-- > part.b_begin;) places[b_[j]] = j;
    size_t most = 0;
    for (size_t at = part.a_begin; at < part.a_end;) {
      const auto place = places.find(a_[at]);
      if (place == places.end()) {
        ++at;
        continue;
      }
      const Match found = Widened(part, at, place->second);
      size_t length = found.a_end - found.a_begin;
      if (found.a_begin == 0 && found.b_begin == 0) length += kShortestMatch;
      if (found.a_end == a_.size() && found.b_end == b_.size()) {
        length += kShortestMatch;
      }
      if (length > most) {
        most = length;
        *best = found;
      }
      at = found.a_end;
    }
    return most >= kShortestMatch;
  }

  Match Widened(const Match& part, size_t a, size_t b) const {
    Match run = {true, a, a + 1, b, b + 1};
    while (run.a_begin > part.a_begin && run.b_begin > part.b_begin &&
           a_[run.a_begin - 1] == b_[run.b_begin - 1]) {
      --run.a_begin;
      --run.b_begin;
    }
    while (run.a_end < part.a_end && run.b_end < part.b_end &&
           a_[run.a_end] == b_[run.b_end]) {
      ++run.a_end;
      ++run.b_end;
    }
    return run;
  }

  const Ids& a_;
  const Ids& b_;
};

}  // namespace

bool TakesRevision(int64_t n, double factor) {
  if (factor <= 1.0) return true;
  const auto power = [factor](double number) {
    return static_cast<int64_t>(std::log(number) / std::log(factor));
  };
  return static_cast<int64_t>(std::log1p(static_cast<double>(n)) /
                              std::log(factor)) !=
         power(static_cast<double>(n) + 2.0);
}

std::string ProseOf(std::string_view text) {
  const std::string prose =
      WithoutBold(WithoutLinks(WithoutReferences(WithoutBraces(text))));
  std::vector<std::string> lines;
  for (std::string& line : Split(prose, '\n')) {
    if (IsProse(line)) lines.push_back(std::move(line));
  }
  return Join(lines, "\n");
}

std::string Misspelled(std::string_view text, double rate, Rng* rng) {
  const std::vector<std::string_view> characters = CharactersOf(text);
  const auto any = [&] { return characters[rng->Below(characters.size())]; };
  std::string misspelled;
  for (size_t at = 0; at < characters.size();) {
    if (rng->Uniform() >= rate) {
      misspelled += characters[at++];
      continue;
    }
    switch (rng->Below(5)) {
      case 0:
        ++at;
        break;
      case 1:
        misspelled += any();
        break;
      case 2:
        misspelled += any();
        ++at;
        break;
      case 3:
        if (at + 1 < characters.size()) misspelled += characters[at + 1];
        misspelled += characters[at];
        at += 2;
        break;
      default:
        misspelled += kMark;
        at += rng->Below(kMostMarked + 1);
    }
  }
  return misspelled;
}

std::vector<Match> MatchSequences(const Ids& a, const Ids& b) {
  std::vector<Match> matches;
  Matcher(a, b).Split({false, 0, a.size(), 0, b.size()}, kMostSplits, &matches);
  return matches;
}

RevisionPieces CutRevisions(const Ids& older, const Ids& newer, int64_t most,
                            Rng* rng) {
  // From one cut in 4 places to one in half of the longest piece, on a
  // logarithmic scale.
  const double often = -std::log(4.0);
  const double seldom = -std::log(static_cast<double>(most) / 2.0);
  const double rate = std::exp(rng->Uniform() * (seldom - often) + often);
  std::vector<std::pair<size_t, size_t>> cuts = {{0, 0}};
  for (const Match& match : MatchSequences(older, newer)) {
    if (!match.equal) continue;
    for (size_t i = 0; i <= match.a_end - match.a_begin; ++i) {
      if (rng->Uniform() < rate) {
        cuts.emplace_back(match.a_begin + i, match.b_begin + i);
      }
    }
  }
  cuts.emplace_back(older.size(), newer.size());
  RevisionPieces pieces;
  const auto piece = [](const Ids& ids, size_t begin, size_t end) {
    return Ids(ids.begin() + static_cast<std::ptrdiff_t>(begin),
               ids.begin() + static_cast<std::ptrdiff_t>(end));
  };
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    Ids before = piece(older, cuts[i].first, cuts[i + 1].first);
    Ids after = piece(newer, cuts[i].second, cuts[i + 1].second);
    if (before.empty() || after.empty()) continue;
    pieces.emplace_back(std::move(before), std::move(after));
  }
  return pieces;
}

}  // namespace t2t
