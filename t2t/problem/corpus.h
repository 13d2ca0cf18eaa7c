#ifndef T2T_PROBLEM_CORPUS_H_
#define T2T_PROBLEM_CORPUS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace t2t {

// (Split() is the function of base/strings.h.)
enum class DataSplit { kTrain, kDev, kTest };
// "train", "dev", "test".
std::string SplitName(DataSplit split);

struct CorpusFile {
  // With the archive's folders, where it is in one. With a '*' in it: all files
  // of such names, in the order of their names ("texts/**/a.txt": in whatever
  // folder below texts).
  std::string name;
  std::string text_sha256;  // of its text, not compressed; "": not known
  // Where it is, if not in the folder that the corpus' addresses name.
  std::string address;

  bool is_pattern() const { return name.find('*') != std::string::npos; }
};

// How the text of a corpus' files is read.
enum class CorpusReader {
  kLines,  // a sample a line
  kSgml,   // the <seg> of NIST's and WMT's .sgm, one a line
  kTsv,    // a table: a sample a line, its sides in two of the columns
  kTmx,    // the <seg> of ParaCrawl's .tmx: source and target in turn
  kByKind  // by the kind of problem: images, tables, files of stories
};

// What lies somewhere in the world, and in --tmp_dir once it is fetched: a row
// that problems share. A file may lie in tmp_dir with the archive's folders or
// without, gzipped or not; then nothing is fetched.
struct Corpus {
  std::string name;
  // Of the archive, or of the folder that the files are in; the first that
  // answers is taken. None: a person must put the files into tmp_dir.
  std::vector<std::string> addresses;
  std::string archive;  // its name in tmp_dir; "": the files come one by one
  // The archive that the archive itself is in; then the addresses, the bytes
  // and the checksum are of this one.
  std::string outer_archive;
  int64_t bytes = 0;   // of the archive; 0: not known
  std::string sha256;  // of the archive; "": not known
  // Of a corpus of pairs the source's and the target's file, in turn; a kTsv's
  // or kTmx's has both sides in each.
  std::vector<CorpusFile> files;
  CorpusReader reader = CorpusReader::kLines;
  int source_column = 0, target_column = 1;  // of kTsv, counted from 0
  // A folder of tmp_dir for what comes out of the archive, where other archives
  // have files of the same names. "": tmp_dir itself.
  std::string unpack_into;
  // Folders of tmp_dir, besides itself, where the files may lie.
  std::vector<std::string> folders;
  // Behind the names of files that come one by one: ".gz".
  std::string published_suffix;
  // A variable of the environment with a mirror of a person's own in place of
  // the addresses' folder. What is taken while it is set is not compared with
  // the checksums: it is the person's.
  std::string mirror_variable;
  // Where a person finds it, for messages.
  std::string home;
};

// A corpus in a problem.
struct CorpusUse {
  enum class Need {
    kRequired,
    // Taken where its archive or its files lie in tmp_dir, never fetched: T2T's
    // corpora that one must register for.
    kWhereItLies,
    // Fetched along with what is required, if it can be had.
    kAlong,
  };

  Corpus corpus;
  std::optional<DataSplit> split;  // none: for reading by people alone
  Need need = Need::kRequired;
  // Not "": its files are left next to the shards, as they are, as
  // <problem>.<copied_as>.<the end of the file's name>.
  std::string copied_as;
  // Pairs that don't look like sentences are left out (clean_pairs.h).
  bool clean = false;
};

CorpusUse Train(Corpus corpus);
CorpusUse Dev(Corpus corpus);
CorpusUse Test(Corpus corpus);
CorpusUse WhereItLies(CorpusUse use);
CorpusUse Clean(CorpusUse use);

}  // namespace t2t

#endif  // T2T_PROBLEM_CORPUS_H_
