// Multi30k, in the manner of T2T's translations (T2T has none of it).

#include <string>
#include <utility>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/problem/text_source.h"

namespace t2t {
namespace {

// 29,000 English image captions and their translations, with 8k shared
// subwords. The text to decode and to compare with is left next to the shards,
// that of further test sets (not there in every language) too.
Problem MakeMulti30k(const std::string& name, const std::string& language) {
  const auto corpus = [&](const std::string& set) {
    return CorpusNamed("multi30k_" + set + "_en" + language);
  };
  const auto copied = [](CorpusUse use, const std::string& set) {
    use.copied_as = set;
    return use;
  };
  const Vocabulary vocabulary = SharedSubwords(name, 1 << 13);
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.corpora = {
      Train(corpus("train")), copied(Dev(corpus("val")), "val"),
      copied(Test(corpus("test_2016_flickr")), "test_2016_flickr")};
  for (const char* const set :
       {"test_2017_flickr", "test_2017_mscoco", "test_2018_flickr"}) {
    CorpusUse use = copied({corpus(set)}, set);
    use.need = CorpusUse::Need::kAlong;
    problem.corpora.push_back(std::move(use));
  }
  problem.open = OpenTextPairs;
  problem.splits = TrainDevTest(10);
  problem.dev_inputs = name + ".val.en";
  problem.dev_targets = name + ".val." + language;
  return problem;
}

}  // namespace

void RegisterTranslateMulti30k(ProblemRegistry& problems) {
  for (const std::string language : {"de", "fr", "cs"}) {
    const std::string name = "translate_en" + language + "_multi30k";
    problems.Add(name, [=] { return MakeMulti30k(name, language); });
  }
}

}  // namespace t2t
