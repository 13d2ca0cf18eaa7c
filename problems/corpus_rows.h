#ifndef PROBLEMS_CORPUS_ROWS_H_
#define PROBLEMS_CORPUS_ROWS_H_

#include <string>
#include <utility>
#include <vector>

#include "t2t/problem/corpus.h"

namespace t2t {

// The rows of each domain; corpora.cc puts them together.
std::vector<Corpus> GenomicsCorpora();
std::vector<Corpus> ImageCorpora();
std::vector<Corpus> LanguageModelCorpora();
std::vector<Corpus> Multi30kCorpora();
std::vector<Corpus> TextClassCorpora();
std::vector<Corpus> TextTaskCorpora();
std::vector<Corpus> TranslationCorpora();

// Files of one archive.
inline Corpus InArchive(const std::string& name, const std::string& address,
                        const std::string& archive,
                        std::vector<CorpusFile> files,
                        CorpusReader reader = CorpusReader::kLines) {
  Corpus corpus;
  corpus.name = name;
  corpus.addresses = {address};
  corpus.archive = archive;
  corpus.files = std::move(files);
  corpus.reader = reader;
  return corpus;
}

// For those that one must register for, or make: taken from the archive where
// it lies in tmp_dir, or as files ("": no archive).
inline Corpus ByHand(const std::string& name, const std::string& home,
                     const std::string& archive, std::vector<CorpusFile> files,
                     CorpusReader reader = CorpusReader::kLines) {
  Corpus corpus;
  corpus.name = name;
  corpus.home = home;
  corpus.archive = archive;
  corpus.files = std::move(files);
  corpus.reader = reader;
  return corpus;
}

}  // namespace t2t

#endif  // PROBLEMS_CORPUS_ROWS_H_
