#include <gtest/gtest.h>

#include <algorithm>

#include "problems/archive_testing.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Ids = std::vector<int64_t>;

class LanguageModelsTest : public ArchiveTest {};

TEST_F(LanguageModelsTest, PennTreebankHasItsWordsByHowCommonTheyAre) {
  PutArchive("simple-examples.tgz",
             {{"simple-examples/data/ptb.train.txt", " b a a \n a b c \n"},
              {"simple-examples/data/ptb.valid.txt", " c a \n"},
              {"simple-examples/data/ptb.char.train.txt", " a _ b \n"},
              {"simple-examples/data/ptb.char.valid.txt", " b \n"}});
  Generate("languagemodel_ptb10k");
  EXPECT_EQ(ReadFile(options_.data_dir + "/vocab.lmptb.10000"),
            "<pad>\n<EOS>\na\nb\nc\n");
  EXPECT_EQ(
      Examples("languagemodel_ptb10k", DataSplit::kDev)[0].Ints("targets"),
      (Ids{4, 2, 1}));
  EXPECT_EQ(MakeProblem("languagemodel_ptb10k")->features.count("inputs"), 0u);
  Generate("languagemodel_ptb_characters");
  EXPECT_EQ(Texts("languagemodel_ptb_characters", "targets"),
            std::vector<std::string>{"a _ b <EOS>"});
}

TEST_F(LanguageModelsTest, OfABillionWordsUnknownOnesAreReplaced) {
  const std::string stem =
      "1-billion-word-language-modeling-benchmark-r13output/";
  std::vector<NamedText> files = {{stem +
                                       "heldout-monolingual.tokenized.shuffled/"
                                       "news.en.heldout-00000-of-00050",
                                   "the end\n"}};
  for (int i = 1; i < 100; ++i) {
    files.emplace_back(stem + "training-monolingual.tokenized.shuffled/" +
                           Format("news.en-%05d-of-00100", i),
                       i == 7 ? "the weird  start\n" : "the end\n");
  }
  PutArchive("1-billion-word-language-modeling-benchmark-r13output.tar.gz",
             files);
  Put("vocab-2016-09-10.txt.en", "<S>\nthe\nend\nstart\n");
  Generate("languagemodel_lm1b_characters");
  const TextSet texts = Set("languagemodel_lm1b_characters", "targets");
  EXPECT_EQ(texts.size(), 99u);
  EXPECT_EQ(texts.count("the UNK start"), 1u);
  // Packed: 99 lines of 8 bytes and one more, with EOS, of at most 1024.
  options_.num_shards = 1;
  Generate("languagemodel_lm1b_characters_packed");
  const std::vector<Example> packed =
      Examples("languagemodel_lm1b_characters_packed");
  ASSERT_EQ(packed.size(), 1u);
  EXPECT_EQ(packed[0].Ints("targets_segmentation").back(), 99);
  EXPECT_EQ(packed[0].Ints("targets").size(), 98u * 8 + 14);
}

TEST_F(LanguageModelsTest, WikitextIsOfLinesOrOfManyWords) {
  std::string train = " \n = Title = \n";
  for (int i = 0; i < 900; ++i) train += " one two three four five \n";
  PutArchive("wikitext-103-v1.zip",
             {{"wikitext-103/wiki.train.tokens", train},
              {"wikitext-103/wiki.valid.tokens", " two \n \n one \n"},
              {"wikitext-103/wiki.test.tokens", " one \n"}});
  Generate("languagemodel_wikitext103");
  EXPECT_EQ(Examples("languagemodel_wikitext103").size(), 901u);
  EXPECT_EQ(Texts("languagemodel_wikitext103", "targets", DataSplit::kDev),
            (std::vector<std::string>{"two", "one"}));
  options_.num_shards = 1;
  // Of dev's lines nothing is whole.
  const auto [code, message] =
      ErrorOf([&] { Generate("languagemodel_wikitext103_l4k"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("has no example for dev"), std::string::npos)
      << message;
  const std::vector<Example> joined = Examples("languagemodel_wikitext103_l4k");
  ASSERT_EQ(joined.size(), 1u);
  EXPECT_EQ(joined[0].Ints("targets").size(), 3u + 5 * 818 + 1);
}

TEST_F(LanguageModelsTest, Enwik8IsCutAndOverlapsInTraining) {
  std::string text(15000000, 'x');
  for (size_t i = 0; i < text.size(); i += 7) text[i] = 'y';
  text[5000000] = 'D';
  text[10000000] = 'T';
  Put("enwik8", text);
  options_.max_cases = 2000;
  Generate("enwik8_l65k");
  const std::vector<Example> dev = Examples("enwik8_l65k", DataSplit::kDev);
  const std::vector<Example> test = Examples("enwik8_l65k", DataSplit::kTest);
  // 5,000,000 bytes, in steps of a quarter of 65,536 for training.
  EXPECT_EQ(Examples("enwik8_l65k").size(), 306u);
  ASSERT_EQ(dev.size(), 77u);
  EXPECT_EQ(dev[0].Ints("targets").size(), 65536u);
  EXPECT_EQ(dev[0].Ints("targets")[0], 'D' + 2);
  EXPECT_EQ(dev[0].Ints("targets")[1], text[5000001] + 2);
  EXPECT_EQ(dev[76].Ints("targets").size(), 5000000u - 76 * 65536);
  EXPECT_EQ(test[0].Ints("targets")[0], 'T' + 2);
}

TEST_F(LanguageModelsTest, LambadasNovelsLieInAnArchiveInsideTheArchive) {
  const std::string folder = MakeTempDirectory("novels");
  MakeDirectories(folder + "/train-novels/Romance");
  WriteFileAtomically(folder + "/train-novels/Romance/a.txt",
                      "he  said yes\nnew words\n");
  ASSERT_EQ(std::system(("tar -cf " + folder + "/train-novels.tar -C " +
                         folder + " train-novels")
                            .c_str()),
            0);
  PutArchive("lambada-dataset.tar.gz",
             {{"train-novels.tar", ReadFile(folder + "/train-novels.tar")},
              {"lambada_development_plain_text.txt", "she said yes\n"},
              {"lambada_test_plain_text.txt", "he said no\n"},
              {"lambada-vocab-2.txt", "said\t9\nhe\t8\nyes\t7\nno\t1\n"}});
  RemoveTree(folder);
  Generate("lambada_rc");
  const std::string vocabulary = "/vocab.lambada_rc.tokens";
  EXPECT_EQ(ReadFile(options_.data_dir + vocabulary),
            "<pad>\n<EOS>\n<UNK>\nsaid\nhe\nyes\nno\n");
  const std::vector<Example> dev = Examples("lambada_rc", DataSplit::kDev);
  ASSERT_EQ(dev.size(), 1u);
  EXPECT_EQ(dev[0].Ints("inputs"), (Ids{2, 3, 1}));
  EXPECT_EQ(dev[0].Ints("targets"), (Ids{5}));
  EXPECT_EQ(Examples("lambada_rc").size(), 2u);
  Generate("lambada_lm");
  EXPECT_EQ(Texts("lambada_lm", "targets", DataSplit::kTest),
            std::vector<std::string>{"he said no"});
}

TEST_F(LanguageModelsTest, LinesOfWikipediasAreJoinedAndMixed) {
  for (const std::string language : {"de", "en", "fr", "ro"}) {
    for (const std::string part : {"train", "eval", "test"}) {
      std::string text;
      const int lines = language == "en" ? 60 : 30;
      for (int i = 0; i < lines; ++i) {
        text += language + std::string(198, 'a' + i % 26) + " \n";
      }
      Put(language + "wiki_" + part + ".txt", text);
    }
  }
  Generate("languagemodel_en_wiki64k_shorter");
  const std::vector<std::string> texts =
      Texts("languagemodel_en_wiki64k_shorter", "targets", DataSplit::kDev);
  // 15 lines and 14 spaces are 3,014; one more would be 3,072 or above.
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0].size(), 3014u);
  EXPECT_TRUE(Exists(options_.data_dir +
                     "/vocab.languagemodel_en_wiki64k.64000.subwords"));

  const std::string fill_in = "languagemodel_de_en_fr_ro_wiki64k_fitb_packed1k";
  Generate(fill_in);
  const ProblemInfo info = MakeProblem(fill_in)->Info(options_.data_dir);
  for (const Example& example : Examples(fill_in, DataSplit::kDev)) {
    const std::string inputs =
        TextOf(example, "inputs", *info.features.at("inputs").encoder);
    EXPECT_TRUE(StartsWith(inputs, "wiki fill ")) << inputs.substr(0, 20);
    EXPECT_NE(inputs.find("X "), std::string::npos);
  }
}

std::string Page(const std::string& title, const std::string& text) {
  return "  <page>\n    <title>" + title +
         "</title>\n      <text xml:space=\"preserve\">" + text +
         "</text>\n  </page>\n";
}

// Two pieces of the dump: the first is for dev.
std::string Dump() {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word" + std::to_string(i % 9) + " ";
  std::string dump = Page("Dev", words);
  dump += std::string((4 << 20) - dump.size(), '\n');
  dump += Page("Talk:No", words) + Page("Short", "too short");
  dump += Page("Anarchy",
               "'''Anarchy''' is [[rule|no rule]]&lt;ref&gt;a book&lt;/ref&gt; "
               "or [[order]] [[File:x.png]] " +
                   words);
  return dump;
}

TEST_F(LanguageModelsTest, ADumpsArticlesAreCutIntoPieces) {
  Put("enwiki-20171201-pages-articles.xml", Dump());
  const std::string name = "languagemodel_wiki_noref_v8k_l1k";
  options_.num_shards = 1;
  Generate(name);
  const std::vector<Example> train = Examples(name);
  ASSERT_EQ(train.size(), 1u);
  const Ids& ids = train[0].Ints("targets");
  EXPECT_EQ(ids.size(), 1024u);
  EXPECT_EQ(ids.back(), kPadId);
  const ProblemInfo info = MakeProblem(name)->Info(options_.data_dir);
  const std::string text =
      info.features.at("targets").encoder->Decode(ids, /*strip=*/true);
  EXPECT_TRUE(StartsWith(text, "title: \"Anarchy\" length: ")) << text;
  EXPECT_NE(text.find("\nAnarchy is no rule or order  word0 word1"),
            std::string::npos)
      << text;
  EXPECT_EQ(Examples(name, DataSplit::kDev).size(), 1u);
}

TEST_F(LanguageModelsTest, HalfOfTheIdsChangePlaces) {
  Put("enwiki-20171201-pages-articles.xml", Dump());
  const std::string name = "languagemodel_wiki_scramble_l128";
  options_.num_shards = 1;
  Generate(name);
  const std::vector<Example> train = Examples(name);
  ASSERT_FALSE(train.empty());
  for (const Example& example : train) {
    Ids inputs = example.Ints("inputs");
    Ids targets = example.Ints("targets");
    ASSERT_EQ(targets.size(), 128u);
    int moved = 0;
    for (size_t i = 0; i < inputs.size(); ++i) moved += inputs[i] != targets[i];
    EXPECT_LE(moved, 64);
    EXPECT_GT(moved, 8);
    std::sort(inputs.begin(), inputs.end());
    std::sort(targets.begin(), targets.end());
    EXPECT_EQ(inputs, targets);
  }
}

TEST_F(LanguageModelsTest, ADumpIsUnpacked) {
  const std::string dump = dir_ + "/enwiki-20171201-pages-articles.xml";
  WriteFileAtomically(dump, Dump());
  if (std::system(("bzip2 -k " + dump).c_str()) != 0) GTEST_SKIP();
  Rename(dump + ".bz2",
         options_.tmp_dir + "/enwiki-20171201-pages-articles.xml.bz2");
  options_.num_shards = 1;
  Generate("languagemodel_wiki_xml_v8k_l4k");
  EXPECT_EQ(ReadFile(options_.tmp_dir + "/enwiki-20171201-pages-articles.xml"),
            Dump());
}

}  // namespace
}  // namespace t2t
