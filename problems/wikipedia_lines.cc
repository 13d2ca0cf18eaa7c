// Language models of Wikipedia's articles: T2T's data_generators/wiki_lm.py.

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// Lines put together until they would be as long as this, in characters.
constexpr size_t kLong = 4096;
constexpr size_t kShorter = 3072;
constexpr size_t kShortest = 10;

struct WikipediaRow {
  std::string name;
  std::vector<std::string> languages;
  int64_t size;
  size_t most_characters = kLong;
  std::string vocabulary_of;  // "": its own
};

// The lines of a file, put together. (What is left at its end is left out, as
// in T2T.)
class JoinedLines {
 public:
  JoinedLines(const std::string& path, size_t most)
      : lines_(path), most_(most) {}

  bool Next(std::string* joined) {
    for (std::string line; lines_.Next(&line);) {
      const std::string_view stripped = StripPythonSpace(line);
      const size_t more = CountCodePoints(stripped);
      std::string before;
      size_t before_length = 0;
      if (length_ + more + 1 >= most_) {
        before = std::exchange(text_, "");
        before_length = std::exchange(length_, 0);
      }
      if (length_ > 0) {
        text_ += ' ';
        ++length_;
      }
      text_ += stripped;
      length_ += more;
      if (before_length > kShortest && before_length < most_) {
        *joined = std::move(before);
        return true;
      }
    }
    return false;
  }

 private:
  LineReader lines_;
  size_t most_;
  std::string text_;
  size_t length_ = 0;
};

// One of each language in turn, as long as each lasts.
NextExample MixedLines(const std::vector<std::string>& paths, size_t most) {
  struct State {
    std::vector<std::unique_ptr<JoinedLines>> files;
    size_t next = 0;
  };
  auto state = std::make_shared<State>();
  for (const std::string& path : paths) {
    state->files.push_back(std::make_unique<JoinedLines>(path, most));
  }
  return [state](Example* example) {
    for (size_t tried = 0; tried < state->files.size(); ++tried) {
      std::unique_ptr<JoinedLines>& file =
          state->files[state->next++ % state->files.size()];
      std::string text;
      if (file == nullptr) continue;
      if (file->Next(&text)) {
        *example = TextAlone(std::move(text));
        return true;
      }
      file = nullptr;
    }
    return false;
  };
}

// Cuts a text at random places and deals the parts to two texts in turn, an "X"
// before each: one is to be told from the other.
std::pair<std::string, std::string> Deinterleaved(const std::string& text,
                                                  Rng* rng) {
  const std::vector<std::string> words = Split(StripPythonSpace(text), ' ');
  const size_t n = words.size();
  if (n <= 1) return {text, ""};
  std::vector<bool> cut(n);
  cut[0] = true;
  const auto cuts = static_cast<int>(
      std::exp(rng->Uniform() * std::log(static_cast<double>(n))));
  for (int i = 0; i < cuts; ++i) cut[1 + rng->Below(n - 1)] = true;
  std::vector<std::string> parts[2];
  size_t part = rng->Below(2);
  for (size_t i = 0; i < n; ++i) {
    if (cut[i]) {
      parts[part].push_back("X");
      part = 1 - part;
    }
    parts[part].push_back(words[i]);
  }
  return {Join(parts[0], " "), Join(parts[1], " ")};
}

std::vector<CorpusUse> CorporaOf(const std::vector<std::string>& languages) {
  std::vector<CorpusUse> corpora;
  for (const std::string& language : languages) {
    const auto of = [&](const char* part) {
      return CorpusNamed(language + "wiki_" + part);
    };
    corpora.push_back(Train(of("train")));
    corpora.push_back(Dev(of("eval")));
    corpora.push_back(Test(of("test")));
  }
  return corpora;
}

Problem MakeWikipedia(const WikipediaRow& row) {
  Vocabulary vocabulary = row.vocabulary_of.empty()
                              ? SharedSubwords(row.name, row.size)
                              : VocabularyOf(row.vocabulary_of);
  if (row.vocabulary_of.empty()) {
    vocabulary.max_samples = row.languages.size() > 1 ? 256000 : 128000;
  }
  Problem problem = TextToSelf(row.name, vocabulary);
  problem.corpora = CorporaOf(row.languages);
  problem.splits = TrainDevTest(100);
  ReadBy({[most = row.most_characters](const SampleFiles& files) {
           return MixedLines(files.Paths(), most);
         }},
         &problem);
  return problem;
}

// Fill in the blanks.
Problem MakeFillIn(const std::string& name, const WikipediaRow& row) {
  const Vocabulary vocabulary = VocabularyOf(row.name);
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.corpora = CorporaOf(row.languages);
  problem.splits = TrainDevTest(100);
  problem.packed_length = 1024;
  SetPrefixes("wiki fill ", "wiki fill ", &problem);
  ReadBy({[](const SampleFiles& files) -> NextExample {
           return [next = MixedLines(files.Paths(), kLong),
                   rng = Rng(files.seed)](Example* example) mutable {
             if (!next(example)) return false;
             auto [inputs, targets] =
                 Deinterleaved(example->Strings("targets").at(0), &rng);
             *example = TextPair(std::move(inputs), std::move(targets));
             return true;
           };
         }},
         &problem);
  return problem;
}

}  // namespace

void RegisterWikipediaLines(ProblemRegistry& problems) {
  const std::string stem = "languagemodel_";
  std::vector<WikipediaRow> rows;
  for (const std::string language : {"de", "en", "fr", "ro"}) {
    rows.push_back({stem + language + "_wiki32k", {language}, 32000});
    rows.push_back({stem + language + "_wiki64k", {language}, 64000});
  }
  rows.push_back({stem + "en_wiki64k_shorter",
                  {"en"},
                  64000,
                  kShorter,
                  stem + "en_wiki64k"});
  // In T2T's order of the languages.
  const WikipediaRow all = {
      stem + "de_en_fr_ro_wiki64k", {"de", "fr", "en", "ro"}, 64000};
  rows.push_back(all);
  for (const WikipediaRow& row : rows) {
    problems.Add(row.name, [row] { return MakeWikipedia(row); });
  }
  const std::string fill_in = all.name + "_fitb_packed1k";
  problems.Add(fill_in, [=] { return MakeFillIn(fill_in, all); });
}

}  // namespace t2t
