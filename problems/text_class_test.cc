#include <gtest/gtest.h>

#include "problems/archive_testing.h"
#include "t2t/base/strings.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

class TextClassTest : public ArchiveTest {
 protected:
  // "<label> <text>" of each example of dev.
  std::vector<std::string> Dev(const std::string& name) const {
    const ProblemInfo info = MakeProblem(name)->Info(options_.data_dir);
    std::vector<std::string> lines;
    for (const Example& example : Examples(name, DataSplit::kDev)) {
      lines.push_back(
          info.features.at("targets").encoder->Decode(example.Ints("targets")) +
          " " + TextOf(example, "inputs", *info.features.at("inputs").encoder));
    }
    return lines;
  }
};

using Lines = std::vector<std::string>;

TEST_F(TextClassTest, TablesOfGlue) {
  PutArchive("CoLA.zip",
             {{"CoLA/train.tsv", "s\t1\t\tIt is.\ns\t0\t*\tIs it it.\n"},
              {"CoLA/dev.tsv", "s\t0\t*\tA an.\n"}});
  Generate("cola_characters");
  EXPECT_EQ(Dev("cola_characters"), (Lines{"unacceptable A an."}));
  EXPECT_EQ(Examples("cola_characters").size(), 2u);

  PutArchive("RTE.zip",
             {{"RTE/train.tsv",
               "index\tsentence1\tsentence2\tlabel\n0\ta b\tc\tentailment\n"},
              {"RTE/dev.tsv", "i\ts\ts\tl\n0\tx y.\tz.\tnot_entailment\n"}});
  Generate("rte_characters");
  // "$" stands between two texts.
  EXPECT_EQ(Dev("rte_characters"), (Lines{"not_entailment x y.$z."}));
  Generate("rte");
  EXPECT_EQ(MakeProblem("rte")->features.at("targets").modality, "class_label");

  PutArchive("SST-2.zip", {{"SST-2/train.tsv", "sentence\tlabel\nbad \t0\n"},
                           {"SST-2/dev.tsv", "sentence\tlabel\ngood \t1\n"}});
  Generate("sentiment_sst_binary_characters");
  EXPECT_EQ(Dev("sentiment_sst_binary_characters"), (Lines{"pos good "}));
}

TEST_F(TextClassTest, PairsInBothOrders) {
  const std::string header = "id\tqid1\tqid2\tq1\tq2\tis_duplicate\n";
  PutArchive("QQP.zip",
             {{"QQP/train.tsv", header + "1\t2\t3\ta?\tb?\t1\ncut\n"},
              {"QQP/dev.tsv", header + "1\t2\t3\tWhy?\tHow?\t0\n"}});
  Generate("quora_question_pairs_characters");
  EXPECT_EQ(Dev("quora_question_pairs_characters"),
            (Lines{"not_duplicate Why?$How?", "not_duplicate How?$Why?"}));

  const std::string quality = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
  Put("MRPC/msr_paraphrase_train.txt",
      quality + "1\t10\t11\tHe ate.\tHe fed.\n0\t12\t13\tA.\tB.\n");
  Put("MRPC/msr_paraphrase_test.txt", quality + "1\t14\t15\tC.\tD.\n");
  Put("MRPC/dev_ids.tsv", "12\t13\n");
  const std::string name = "msr_paraphrase_corpus_characters";
  Generate(name);
  EXPECT_EQ(Dev(name), (Lines{"not_paraphrase A.$B.", "not_paraphrase B.$A."}));
  EXPECT_EQ(Set(name, "inputs"),
            (TextSet{"He ate.$He fed.", "He fed.$He ate."}));
  EXPECT_EQ(Set(name, "inputs", DataSplit::kTest), (TextSet{"C.$D.", "D.$C."}));
}

TEST_F(TextClassTest, InferenceWithVocabulariesOfLanguageModels) {
  const auto row = [](const std::string& a, const std::string& b,
                      const std::string& label) {
    return "0\t1\t2\t3\t4\t5\t6\t7\t" + a + "\t" + b + "\tx\t" + label + "\n";
  };
  PutArchive("MNLI.zip",
             {{"MNLI/train.tsv",
               "header\n" + row("It rains.", "It is wet.", "entailment")},
              {"MNLI/dev_matched.tsv",
               "header\n" + row("It rains.", "It is dry.", "contradiction")}});
  for (const std::string part : {"train", "eval", "test"}) {
    Put("enwiki_" + part + ".txt",
        std::string(2000, 'a') + " It rains.\n" + std::string(3000, 'b') +
            " is wet dry\n" + std::string(3000, 'b') + "\n");
  }
  Generate("multi_nli_wiki_lm_shared_vocab");
  const auto problem = MakeProblem("multi_nli_wiki_lm_shared_vocab");
  EXPECT_EQ(problem->features.at("inputs").vocabulary.file,
            "vocab.languagemodel_en_wiki32k.32000.subwords");
  const std::vector<Example> dev =
      Examples("multi_nli_wiki_lm_shared_vocab", DataSplit::kDev);
  ASSERT_EQ(dev.size(), 1u);
  EXPECT_EQ(dev[0].Ints("targets"), std::vector<int64_t>{0});
  Generate("multi_nli_text2text");
  EXPECT_EQ(Texts("multi_nli_text2text", "inputs", DataSplit::kDev),
            (Lines{"multinli premise: It rains. hypothesis: It is dry."}));

  const std::string snli =
      "gold_label\ta\tb\tc\td\tsentence1\tsentence2\tpairID\n";
  PutArchive("snli_1.0.zip",
             {{"snli_1.0/snli_1.0_train.txt",
               snli + "neutral\ta\tb\tc\td\tx\ty\t1\n-\ta\tb\tc\td\tx\tz\t2\n"},
              {"snli_1.0/snli_1.0_dev.txt",
               snli + "entailment\ta\tb\tc\td\tv\tw\t3\n"}});
  Generate("stanford_nli_characters");
  EXPECT_EQ(Set("stanford_nli_characters", "inputs"), TextSet{"x$y"});
}

TEST_F(TextClassTest, ReviewsInFilesAndInATable) {
  PutArchive("aclImdb_v1.tar.gz", {{"aclImdb/train/pos/0_9.txt", "fine \n"},
                                   {"aclImdb/train/pos/1_9.txt", "great"},
                                   {"aclImdb/train/neg/0_1.txt", "poor"},
                                   {"aclImdb/train/unsup/0_0.txt", "none"},
                                   {"aclImdb/test/pos/0_8.txt", "good"},
                                   {"aclImdb/test/neg/0_2.txt", "bad"}});
  Generate("sentiment_imdb_characters");
  EXPECT_EQ(Set("sentiment_imdb_characters", "inputs"),
            (TextSet{"fine", "great", "poor"}));
  EXPECT_EQ(Dev("sentiment_imdb_characters"), (Lines{"pos good", "neg bad"}));

  PutArchive(
      "yelp_review_full_csv.tgz",
      {{"yelp_review_full_csv/train.csv", "\"5\",\"very \"\"good\"\"\"\n"},
       {"yelp_review_full_csv/test.csv", "\"1\",\"bad\"\n"}});
  Generate("sentiment_yelp_full_characters");
  EXPECT_EQ(Dev("sentiment_yelp_full_characters"), (Lines{"1 bad"}));
}

TEST_F(TextClassTest, AnUnpackingThatWasCutIsDoneAgain) {
  const std::vector<NamedText> files = {{"aclImdb/train/pos/0_9.txt", "fine"},
                                        {"aclImdb/train/neg/0_1.txt", "poor"},
                                        {"aclImdb/test/pos/0_8.txt", "good"},
                                        {"aclImdb/test/neg/0_2.txt", "bad"}};
  PutArchive("aclImdb_v1.tar.gz", files);
  // One file was there when the process was killed.
  Put("aclImdb/train/pos/0_8.txt", "other");
  Generate("sentiment_imdb_characters");
  EXPECT_EQ(Examples("sentiment_imdb_characters").size(), 3u);
  EXPECT_TRUE(Exists(options_.tmp_dir + "/aclImdb/train/pos/0_9.txt"));
}

TEST_F(TextClassTest, ABadRowIsNamedByItsLine) {
  PutArchive("RTE.zip", {{"RTE/train.tsv", "h\n0\ta\tb\tentailment\n1\tc\td\n"},
                         {"RTE/dev.tsv", "h\n0\ta\tb\tentailment\n"}});
  const auto [code, message] = ErrorOf([&] { Generate("rte_characters"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("RTE/train.tsv, line 3 has 3 columns"),
            std::string::npos)
      << message;
  Put("RTE/train.tsv", "h\n0\ta\tb\tmaybe\n");
  options_.overwrite = true;
  const auto [other, label] = ErrorOf([&] { Generate("rte_characters"); });
  EXPECT_NE(label.find("line 2 has the label 'maybe'"), std::string::npos)
      << label;
  EXPECT_NE(label.find("not_entailment, entailment"), std::string::npos);
}

TEST_F(TextClassTest, AgreementOfAVerb) {
  std::string table =
      "sentence\torig\tpos\tverb_index\tverb_pos\tn_intervening\t"
      "n_diff_intervening\n";
  for (int i = 0; i < 400; ++i) {
    table += "the keys to n" + std::to_string(i) +
             " are here\to\tp\t5\tVBP\t1\t" + (i % 2 == 0 ? "1" : "0") + "\n";
  }
  Put("agr_50_mostcommon_10K.tsv", table);
  Generate("sva_number_prediction");
  const size_t train = Examples("sva_number_prediction").size();
  const size_t dev = Examples("sva_number_prediction", DataSplit::kDev).size();
  const size_t test =
      Examples("sva_number_prediction", DataSplit::kTest).size();
  EXPECT_NEAR(static_cast<double>(train), 36, 20);
  EXPECT_GT(dev, 0u);
  // Half of the others.
  EXPECT_NEAR(static_cast<double>(test), 180, 25);
  const std::string line = Dev("sva_number_prediction")[0];
  EXPECT_TRUE(StartsWith(line, "VBP the keys to n")) << line;
  EXPECT_FALSE(EndsWith(line, "are")) << line;
  Generate("sva_language_modeling");
  EXPECT_TRUE(EndsWith(Texts("sva_language_modeling", "targets")[0], " are"));
}

constexpr char kSquad[] =
    R"({"version": "1.1", "data": [{"title": "T", "paragraphs": [
      {"context": " The cat sat on the mat. ", "qas": [
        {"id": "1", "question": "Who sat ?",
         "answers": [{"answer_start": 4, "text": "cat"},
                     {"answer_start": 0, "text": "The cat"}]},
        {"id": "2", "question": "Where?",
         "answers": [{"answer_start": 15, "text": "mat"}]}]}]}]})";

TEST_F(TextClassTest, SquadsContextGoesBehindTheQuestion) {
  Put("train-v1.1.json", kSquad);
  Put("dev-v1.1.json", kSquad);
  Generate("squad_concat");  // whose data are squad's
  EXPECT_TRUE(Exists(options_.data_dir + "/squad-dev-00000-of-00001"));
  const auto problem = MakeProblem("squad_concat");
  std::vector<Example> dev = Examples("squad_concat", DataSplit::kDev);
  ASSERT_EQ(dev.size(), 2u);
  const ProblemInfo info = problem->Info(options_.data_dir);
  EXPECT_EQ(info.features.count("context"), 0u);
  EXPECT_EQ(
      MakeProblem("squad")->Info(options_.data_dir).features.count("context"),
      1u);
  const TextEncoder& encoder = *info.features.at("inputs").encoder;
  EXPECT_EQ(TextOf(dev[0], "context", encoder), "The cat sat on the mat.");
  problem->Preprocess(&dev[0], Mode::kEval, HParams());
  EXPECT_FALSE(dev[0].Has("context"));
  EXPECT_EQ(encoder.Decode({2}), "<EOQ>");
  const std::vector<int64_t>& ids = dev[0].Ints("inputs");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kEosId), 2);
  EXPECT_EQ(TextOf(dev[0], "targets", encoder), "cat");
}

TEST_F(TextClassTest, SquadsAnswersByTheirPlaces) {
  Put("train-v1.1.json", kSquad);
  Put("dev-v1.1.json", kSquad);
  const std::string name = "squad_concat_positioned";
  Generate(name);
  for (const Example& example : Examples(name, DataSplit::kDev)) {
    const std::vector<int64_t>& places = example.Ints("targets");
    ASSERT_GE(places.size(), 2u);
    const ProblemInfo info = MakeProblem(name)->Info(options_.data_dir);
    const std::vector<int64_t>& context = example.Ints("context");
    const std::string answer = info.features.at("inputs").encoder->Decode(
        {context.begin() + places[0], context.begin() + places[0] + places[1]});
    EXPECT_TRUE(answer == "cat" || answer == "mat") << answer;
  }
}

TEST_F(TextClassTest, BabisStoriesGrow) {
  std::vector<NamedText> files;
  const auto all = MakeProblem("babi_qa_concat_all_tasks_1k");
  for (const CorpusUse& use : all->corpora) {
    for (const CorpusFile& file : use.corpus.files) {
      files.emplace_back(file.name,
                         "1 Mary went home.\n2 Where is Mary? \thome\t1\n"
                         "3 She took milk,bread.\n"
                         "4 What has she?\tmilk,bread\t3\n"
                         "1 A " +
                             BaseName(file.name).substr(0, 3) +
                             ".\n2 Who?\tA\t1\n");
    }
  }
  PutArchive("tasks_1-20_v1-2.tar.gz", files);
  const std::string name = "babi_qa_concat_task7_1k";
  Generate(name);
  const std::string data = options_.data_dir + "/babi_qa_en_qa7_counting-";
  EXPECT_TRUE(Exists(data + "dev-00000-of-00001"));
  // All tasks are for training, of dev its own alone.
  EXPECT_EQ(Examples(name).size(), 60u);
  std::vector<Example> dev = Examples(name, DataSplit::kDev);
  ASSERT_EQ(dev.size(), 3u);
  const auto problem = MakeProblem(name);
  const ProblemInfo info = problem->Info(options_.data_dir);
  const TextEncoder& words = *info.features.at("inputs").encoder;
  EXPECT_EQ(words.Decode({2}), "<EOQ>");
  EXPECT_EQ(info.features.at("targets").encoder->Decode(dev[1].Ints("targets")),
            "milkbread");
  problem->Preprocess(&dev[1], Mode::kEval, HParams());
  EXPECT_EQ(words.Decode(dev[1].Ints("inputs")),
            "What has she ? <EOS> <EOQ> Mary went home . She took milk , bread "
            ". <EOS>");
  EXPECT_EQ(TextOf(dev[2], "context", words), "A qa7 .");
  Generate("babi_qa_concat_all_tasks_1k");
  EXPECT_EQ(Examples("babi_qa_concat_all_tasks_1k", DataSplit::kDev).size(),
            60u);
}

}  // namespace
}  // namespace t2t
