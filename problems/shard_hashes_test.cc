// Every problem whose text is here (PutText(); others have tests of their own)
// makes, byte by byte, what it has always made of the same text and seed
// (tests/golden/problems/shards.txt: one hash over all files of a data folder).
// Where a commit means to change data, it says so and brings a new file:
//   bazel run //problems:shard_hashes_test
// with T2T_WRITE_GOLDEN=$PWD/tests/golden/problems/shards.txt set.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "problems/corpora.h"
#include "problems/problem_testing.h"
#include "problems/synthetic_mnist.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kGolden[] = "tests/golden/problems/shards.txt";

// Sentences of a few words, the same for ever; language is their alphabet.
std::string Text(const std::string& name, const std::string& language,
                 int lines) {
  Rng rng(Rng::Combine(Rng::Combine(1, name), language));
  std::string text;
  for (int line = 0; line < lines; ++line) {
    const int words = static_cast<int>(rng.Below(9));
    for (int word = 0; word < words; ++word) {
      const int letters = 1 + static_cast<int>(rng.Below(4));
      if (word > 0) text += ' ';
      for (int letter = 0; letter < letters; ++letter) {
        text +=
            static_cast<char>('a' + rng.Below(5) + (language == "en" ? 0 : 7));
      }
    }
    text += words == 0 && line % 2 == 0 ? " \n" : ".\n";
  }
  return text;
}

void Put(const std::string& path, const std::string& text) {
  MakeDirectories(DirName(path));
  WriteFileAtomically(path, text);
}

// What the problems that read files find in tmp_dir.
void PutText(const std::string& tmp_dir) {
  for (const char* const stem :
       {"training-parallel-nc-v13/news-commentary-v13.de-en",
        "commoncrawl.de-en", "training/europarl-v7.de-en",
        "dev/newstest2013"}) {
    for (const std::string language : {"en", "de"}) {
      Put(tmp_dir + "/" + stem + "." + language, Text(stem, language, 120));
    }
  }
  for (const std::string set : {"train", "val", "test_2016_flickr"}) {
    for (const std::string language : {"en", "de", "fr", "cs"}) {
      Put(tmp_dir + "/" + set + "." + language, Text(set, language, 90));
    }
  }
  for (const std::string split : {"train", "eval"}) {
    Put(tmp_dir + "/inputs." + split + ".txt", Text(split, "en", 70));
    std::string labels;
    for (int i = 0; i < 70; ++i) labels += std::to_string(i % 11) + "\n";
    Put(tmp_dir + "/targets." + split + ".txt", labels);
  }
  Put(tmp_dir + "/vocab.txt", "a\nb\nab\n3\n7\nb\n");
  WriteSyntheticMnist(tmp_dir, 60, 12, 3);
  WriteSyntheticMnist(tmp_dir, 60, 12, 4, "fashion-");
}

std::string HashOf(const std::string& problem, const std::string& tmp_dir) {
  GenerateOptions options;
  options.tmp_dir = tmp_dir;
  options.data_dir = MakeTempDirectory("hashes");
  options.max_cases = 250;
  options.num_shards = 4;
  GenerateData(*MakeProblem(problem), options);
  std::string all;
  for (const auto& [name, contents] : Contents(options.data_dir)) {
    all += name + " " + Sha256(contents) + "\n";
  }
  // On lengths alone each problem's batches can be planned.
  EXPECT_EQ(WrongLengths(problem, options.data_dir), "");
  RemoveTree(options.data_dir);
  return Sha256(all);
}

// Whether all that the problem and its vocabularies are made of is there.
bool IsThere(const Problem& problem, const std::string& tmp_dir) {
  for (const auto& [name, feature] : problem.features) {
    const std::string& owner = feature.vocabulary.of_problem;
    if (!owner.empty() && !IsThere(*MakeProblem(owner), tmp_dir)) return false;
  }
  for (const CorpusUse& use : problem.corpora) {
    if (use.need != CorpusUse::Need::kRequired) continue;
    if (use.clean) return false;  // the text here is no sentences
    for (const CorpusFile& file : use.corpus.files) {
      if (!Exists(JoinPath(tmp_dir, file.name))) return false;
    }
  }
  return true;
}

TEST(ShardHashesTest, DataAreWhatTheyWere) {
  ::setenv("T2T_WMT_URL", "file:///none", 1);
  ::setenv("T2T_MULTI30K_URL", "file:///none", 1);
  const std::string tmp_dir = MakeTempDirectory("text");
  PutText(tmp_dir);
  std::map<std::string, std::string> golden;
  const char* const to = std::getenv("T2T_WRITE_GOLDEN");
  if (to == nullptr) {
    for (const std::string& line : Split(ReadFile(kGolden), '\n')) {
      const std::vector<std::string> parts = Split(line, ' ');
      if (parts.size() == 2 && parts[0] != "#") golden[parts[0]] = parts[1];
    }
  }
  std::string text =
      "# Hashes of all files of a problem's data; made by the command in "
      "problems/shard_hashes_test.cc.\n";
  int seen = 0;
  for (const std::string& problem : Problems().Names()) {
    if (!IsThere(*MakeProblem(problem), tmp_dir)) continue;
    // (The last bits of sines are the C library's; edits' and wikisum's data
    // are given, mixtures' are their members'.)
    if (StartsWith(problem, "timeseries_synthetic") ||
        StartsWith(problem, "seq2edits_") || StartsWith(problem, "wikisum_") ||
        MakeProblem(problem)->mixture) {
      continue;
    }
    const std::string hash = HashOf(problem, tmp_dir);
    text += problem + " " + hash + "\n";
    ++seen;
    if (to == nullptr) {
      EXPECT_EQ(hash, golden[problem]) << problem;
    }
  }
  if (to != nullptr) {
    WriteFileAtomically(to, text);
  } else {
    EXPECT_EQ(seen, static_cast<int>(golden.size()));
  }
  RemoveTree(tmp_dir);
}

// Over https, but from places that have none.
bool IsSafe(const std::string& address) {
  if (StartsWith(address, "https://")) return true;
  for (const char* const host :
       {"clic.cimec.unitn.it", "download.tensorflow.org", "mattmahoney.net",
        "nlp.ffzg.hr", "tallinzen.net", "www.thespermwhale.com", "yanran.li"}) {
    if (StartsWith(address, std::string("http://") + host + "/")) return true;
  }
  return false;
}

// A row's mistake would show when a user fetches it only.
TEST(CorporaTest, RowsAreWhole) {
  for (const std::string& name : CorpusNames()) {
    const Corpus& corpus = CorpusNamed(name);
    EXPECT_FALSE(corpus.files.empty()) << name;
    EXPECT_TRUE(!corpus.addresses.empty() || !corpus.home.empty() ||
                !corpus.files.front().address.empty())
        << name;
    EXPECT_TRUE(corpus.sha256.empty() || corpus.sha256.size() == 64) << name;
    for (const std::string& address : corpus.addresses) {
      EXPECT_TRUE(IsSafe(address)) << name;
      // (Some sites name a file by a number.)
      const std::string& archive =
          corpus.outer_archive.empty() ? corpus.archive : corpus.outer_archive;
      EXPECT_TRUE(archive.empty() || EndsWith(address, "/" + archive) ||
                  address.find('?') != std::string::npos)
          << name;
    }
    for (const CorpusFile& file : corpus.files) {
      EXPECT_TRUE(file.text_sha256.empty() || file.text_sha256.size() == 64);
      EXPECT_TRUE(file.address.empty() || IsSafe(file.address)) << name;
      EXPECT_TRUE(corpus.reader != CorpusReader::kSgml ||
                  EndsWith(file.name, ".sgm"))
          << file.name;
    }
    if (corpus.reader == CorpusReader::kLines ||
        corpus.reader == CorpusReader::kSgml) {
      EXPECT_EQ(corpus.files.size() % 2, 0u) << name;
    }
  }
}

}  // namespace
}  // namespace t2t
