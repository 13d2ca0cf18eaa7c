// Translations of T2T's data_generators: translate_ende.py, translate_enzh.py,
// and Multi30k in their manner.

#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/problem/text_source.h"

namespace t2t {
namespace {

struct TranslationRow {
  std::string name;
  std::vector<std::string> training;
  // Taken where they lie in tmp_dir.
  std::vector<std::string> optional;
  std::vector<std::string> development;
  TranslationVocabulary vocabulary;
  int train_shards = 100;
};

const std::vector<TranslationRow>& Rows() {
  static const auto& rows = *new std::vector<TranslationRow>{
      {"translate_ende_wmt8k",
       {"nc_v13_ende", "commoncrawl_ende", "europarl_v7_ende"},
       {},
       {"newstest2013_ende"},
       Shared(1 << 13)},
      {"translate_ende_wmt32k",
       {"nc_v13_ende", "commoncrawl_ende", "europarl_v7_ende"},
       {},
       {"newstest2013_ende"},
       Shared(1 << 15)},
      {"translate_enzh_wmt32k",
       {"nc_v13_enzh"},
       {"cwmt_enzh", "un_v1_enzh"},
       {"newsdev2017_enzh"},
       PerSide("en", "zh", 1 << 15, 1e8)},
  };
  return rows;
}

Problem MakeTranslation(const TranslationRow& row) {
  std::vector<CorpusUse> corpora;
  for (const std::string& name : row.training) {
    corpora.push_back(Train(CorpusNamed(name)));
  }
  for (const std::string& name : row.optional) {
    corpora.push_back(WhereItLies(Train(CorpusNamed(name))));
  }
  for (const std::string& name : row.development) {
    corpora.push_back(Dev(CorpusNamed(name)));
  }
  Problem problem = Translation(row.name, std::move(corpora), row.vocabulary);
  problem.splits = TrainDev(row.train_shards);
  return problem;
}

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

void RegisterTranslate(ProblemRegistry& problems) {
  for (const TranslationRow& row : Rows()) {
    problems.Add(row.name, [&row] { return MakeTranslation(row); });
  }
  for (const std::string language : {"de", "fr", "cs"}) {
    const std::string name = "translate_en" + language + "_multi30k";
    problems.Add(name, [=] { return MakeMulti30k(name, language); });
  }
}

}  // namespace t2t
