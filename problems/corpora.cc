#include "problems/corpora.h"

#include <map>
#include <utility>

#include "problems/corpus_rows.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

const std::map<std::string, Corpus>& Corpora() {
  static const auto* const corpora = [] {
    auto* const made = new std::map<std::string, Corpus>;
    for (const auto rows :
         {GenomicsCorpora, ImageCorpora, LanguageModelCorpora, Multi30kCorpora,
          TextClassCorpora, TextTaskCorpora, TranslationCorpora}) {
      for (Corpus& corpus : rows()) {
        const std::string name = corpus.name;
        if (!made->emplace(name, std::move(corpus)).second) {
          throw Error(ExitCode::kInternal, "the corpus " + name + " is twice");
        }
      }
    }
    return made;
  }();
  return *corpora;
}

}  // namespace

const Corpus& CorpusNamed(const std::string& name) {
  const auto found = Corpora().find(name);
  if (found != Corpora().end()) return found->second;
  throw Error(ExitCode::kInternal, "there is no corpus '" + name + "'",
              DidYouMean(name, CorpusNames()));
}

std::vector<std::string> CorpusNames() {
  std::vector<std::string> names;
  for (const auto& [name, corpus] : Corpora()) names.push_back(name);
  return names;
}

}  // namespace t2t
