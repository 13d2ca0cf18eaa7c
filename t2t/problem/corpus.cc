#include "t2t/problem/corpus.h"

#include <utility>

namespace t2t {
namespace {

CorpusUse Of(Corpus corpus, DataSplit split) {
  CorpusUse use;
  use.corpus = std::move(corpus);
  use.split = split;
  return use;
}

}  // namespace

std::string SplitName(DataSplit split) {
  switch (split) {
    case DataSplit::kTrain:
      return "train";
    case DataSplit::kDev:
      return "dev";
    case DataSplit::kTest:
      return "test";
  }
  return "train";
}

CorpusUse Train(Corpus corpus) {
  return Of(std::move(corpus), DataSplit::kTrain);
}
CorpusUse Dev(Corpus corpus) { return Of(std::move(corpus), DataSplit::kDev); }
CorpusUse Test(Corpus corpus) {
  return Of(std::move(corpus), DataSplit::kTest);
}

CorpusUse WhereItLies(CorpusUse use) {
  use.need = CorpusUse::Need::kWhereItLies;
  return use;
}

CorpusUse Clean(CorpusUse use) {
  use.clean = true;
  return use;
}

}  // namespace t2t
