#include <gtest/gtest.h>

#include <cstdlib>

#include "problems/archive_testing.h"
#include "t2t/base/sha1.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Lines = std::vector<std::string>;

class TextTasksTest : public ArchiveTest {};

TEST_F(TextTasksTest, StoriesAndTheirHighlights) {
  std::vector<NamedText> stories;
  const auto add = [&](const std::string& address, const std::string& text) {
    stories.emplace_back("cnn/stories/" + Sha1(address) + ".story", text);
  };
  add("http://a",
      "It rained\n\nWe stayed.\n\n@highlight\n\nrain comes\n\n"
      "@highlight\n\nall stay!\n");
  add("http://b", "Only text.\n");
  add("http://c", "Dev text\n\n@highlight\n\nshort\n");
  PutArchive("cnn_stories.tgz", stories);
  PutArchive("dailymail_stories.tgz",
             {{"dailymail/stories/" + Sha1("http://d") + ".story",
               "Mail's text”\n\n@highlight\n\nmail\n"}});
  Put("all_train.txt", "http://a\nhttp://b\nhttp://d\nhttp://gone\n");
  Put("all_val.txt", "http://c\n");
  Put("all_test.txt", "http://c\n");
  const std::string name = "summarize_cnn_dailymail32k";
  Generate(name);
  EXPECT_EQ(Set(name, "inputs"),
            (TextSet{"It rained. We stayed.", "Mail's text”"}));
  EXPECT_EQ(Set(name, "targets"), (TextSet{"rain comes. all stay!", "mail."}));
  EXPECT_EQ(Texts(name, "targets", DataSplit::kDev), Lines{"short."});
  EXPECT_EQ(
      MakeProblem(name)->DataFiles(options_.data_dir, DataSplit::kDev).size(),
      10u);
}

TEST_F(TextTasksTest, CornellsDialogues) {
  const std::string folder = "cornell movie-dialogs corpus/";
  const std::string mark = " +++$+++ ";
  std::string lines, conversations;
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    const auto line = [&](const std::string& id, const std::string& text) {
      return "L" + id + number + mark + "u0" + mark + "m0" + mark + "BIANCA" +
             mark + text + "\n";
    };
    lines += line("1", "They don't, do they?") + line("2", "It's M" + number) +
             line("3", "I'm off.");
    conversations += "u0" + mark + "u2" + mark + "m0" + mark + "['L1" + number +
                     "', 'L2" + number + "', 'L3" + number + "']\n";
  }
  PutArchive("cornell_movie_dialogs_corpus.zip",
             {{folder + "movie_lines.txt", lines},
              {folder + "movie_conversations.txt", conversations}});
  const std::string name = "dialog_cornell32k";
  Generate(name);
  EXPECT_EQ(Examples(name).size(), 160u);
  EXPECT_EQ(Examples(name, DataSplit::kDev).size(), 20u);
  EXPECT_EQ(Examples(name, DataSplit::kTest).size(), 20u);
  const std::string vocabulary =
      ReadFile(options_.data_dir + "/vocab.chatbot.32768");
  EXPECT_TRUE(StartsWith(vocabulary, "<pad>\n<EOS>\n<unk>\n")) << vocabulary;
  // Of first and second lines, of training alone.
  EXPECT_NE(vocabulary.find("\nm79\n"), std::string::npos);
  EXPECT_EQ(vocabulary.find("\nm80\n"), std::string::npos);
  EXPECT_EQ(vocabulary.find("\noff\n"), std::string::npos);
  EXPECT_EQ(Texts(name, "inputs", DataSplit::kDev)[0], "they do n't do they ?");
  EXPECT_EQ(Texts(name, "targets", DataSplit::kDev)[0], "it 's <unk>");
}

TEST_F(TextTasksTest, OtherDialogues) {
  PutArchive("ijcnlp_dailydialog.zip",
             {{"ijcnlp_dailydialog/dialogues_text.txt",
               "Hi . __eou__ Hello ! __eou__ Bye . __eou__\n" + [] {
                 std::string more;
                 for (int i = 1; i < 100; ++i) {
                   more += "One __eou__ two __eou__\n";
                 }
                 return more;
               }()}});
  Generate("dialog_dailydialog16k");
  EXPECT_EQ(Set("dialog_dailydialog16k", "inputs").count("hi ."), 1u);
  EXPECT_EQ(Set("dialog_dailydialog16k", "targets").count("bye ."), 1u);

  std::string chat;
  for (int i = 0; i < 101; ++i) {
    chat += "1 hello you\tgood day\tx\n2 how are you\tfine\tx\n";
    if (i == 3) chat += "3 __SILENCE__\tnever\n4 lost\tlost too\n";
  }
  PutArchive("convai2_fix_723.tgz",
             {{"train_none_original_no_cands.txt", chat},
              {"valid_none_original_no_cands.txt", "1 hi\tho\n"}});
  RemoveFile(options_.data_dir + "/vocab.chatbot.16384");
  Generate("dialog_personachat16k");
  // 81 of a hundred dialogues and the one after, three pairs each.
  EXPECT_EQ(Examples("dialog_personachat16k").size(), 82u * 3);
  const TextSet texts = Set("dialog_personachat16k", "targets");
  EXPECT_EQ(texts.count("lost too"), 0u);
  EXPECT_EQ(texts.count("how are you"), 82u);

  std::vector<NamedText> films;
  for (int i = 0; i < 100; ++i) {
    films.emplace_back("OpenSubtitles/en/1999/" + std::to_string(i) + "/f.xml",
                       "<s id=\"1\">\n<w id=\"1.1\">Go</w>\n<w "
                       "id=\"1.2\">!</w>\n</s>\n<s id=\"2\">\n<w "
                       "id=\"2.1\">I</w>\n</s>\n<s id=\"3\">\n<w "
                       "id=\"3.1\">Lost</w>\n</s>\n");
  }
  PutArchive("opensubtitles2009.en.tar.gz", films);
  Generate("dialog_opensubtitles64k2009");
  EXPECT_EQ(Examples("dialog_opensubtitles64k2009").size(), 80u);
  EXPECT_EQ(Texts("dialog_opensubtitles64k2009", "inputs")[0], "go !");
  EXPECT_EQ(Texts("dialog_opensubtitles64k2009", "targets")[0], "i");
}

TEST_F(TextTasksTest, StyleBothWays) {
  PutArchive("shakespeare.train.tgz",
             {{"train.original", "thou art\n"}, {"train.modern", "you are\n"}});
  PutArchive("shakespeare.dev.tgz",
             {{"dev.original", "hath\n"}, {"dev.modern", "has\n"}});
  Generate("style_transfer_shakespeare_to_modern_characters");
  EXPECT_EQ(Texts("style_transfer_shakespeare_to_modern_characters", "targets"),
            Lines{"you are"});
  Generate("style_transfer_modern_to_shakespeare");
  EXPECT_EQ(Texts("style_transfer_modern_to_shakespeare", "targets"),
            Lines{"thou art"});
}

TEST_F(TextTasksTest, CaptionsOfAnImageAreParaphrases) {
  const auto captions = [](const std::string& more) {
    return R"({"annotations": [
      {"image_id": 5, "id": 1, "caption": "a cat"},
      {"image_id": 2, "id": 2, "caption": "a dog"},
      {"image_id": 5, "id": 3, "caption": "one cat"})" +
           more + "]}";
  };
  PutArchive("captions_train-val2014.zip",
             {{"annotations/captions_train2014.json",
               captions(R"(, {"image_id": 5, "caption": "cats"})")},
              {"annotations/captions_val2014.json", captions("")}});
  const std::string name = "paraphrase_generation_ms_coco_problem";
  Generate(name + "1d_characters");
  EXPECT_EQ(Set(name + "1d_characters", "inputs"),
            (TextSet{"a cat", "a cat", "one cat"}));
  Generate(name + "2d_characters");
  EXPECT_EQ(Texts(name + "2d_characters", "inputs", DataSplit::kDev),
            (Lines{"a cat", "one cat"}));
}

TEST_F(TextTasksTest, EntitiesAndTrees) {
  const std::string text = "El DA O\nPaís NC B-ORG\n\nSí RG O\n";
  PutArchive("conll2002.zip", {{"conll2002/esp.train", text},
                               {"conll2002/esp.testa", text},
                               {"conll2002/esp.testb", "No RN O\n\n\n"}});
  Generate("conll2002_es_ner");
  EXPECT_EQ(Texts("conll2002_es_ner", "inputs", DataSplit::kDev),
            (Lines{"El País", "Sí", "No"}));
  EXPECT_EQ(Texts("conll2002_es_ner", "targets", DataSplit::kDev),
            (Lines{"O B-ORG", "O", "O"}));

  Put("wsjTrain.trees", "(TOP (S (NP (DT the) (NN cat)) (VP (VBD sat))))\n");
  Put("wsjEval.trees", "(TOP (S (NP (PRP it)) (VP (VBD sat))))\n");
  Generate("wsj_parsing");
  EXPECT_EQ(Texts("wsj_parsing", "inputs"), Lines{"the cat sat"});
  EXPECT_EQ(Texts("wsj_parsing", "targets"),
            Lines{"S NP DT NN /NP VP VBD /VP /S"});
  Put("wsjEval.trees", "(TOP (S it\n");
  options_.overwrite = true;
  const auto [code, message] = ErrorOf([&] { Generate("wsj_parsing"); });
  EXPECT_NE(message.find("wsjEval.trees, line 1 is no tree"), std::string::npos)
      << message;
  options_.overwrite = false;

  Put("parsing_train.pairs", "hann fór\t(S hann fór)\n");
  Put("parsing_dev.pairs", "hann\t(S hann)\n");
  Generate("parsing_icelandic16k");
  EXPECT_EQ(Texts("parsing_icelandic16k", "targets", DataSplit::kDev),
            Lines{"(S hann)"});
}

TEST_F(TextTasksTest, T2TsOlderNamesOfParsingAndEntities) {
  PutArchive("conll2002.zip", {{"conll2002/esp.train", "El DA O\n"},
                               {"conll2002/ned.train", "De Art O\n\nJa N O\n"},
                               {"conll2002/esp.testa", "Sí RG O\n"},
                               {"conll2002/esp.testb", "No RN O\n"},
                               {"conll2002/ned.testa", "Nee N O\n"},
                               {"conll2002/ned.testb", "Goed\n"}});
  const auto [code, message] = ErrorOf([&] { Generate("conll2002_ner"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("ned.testb, line 1 has no tag"), std::string::npos)
      << message;
  Put("conll2002/ned.testb", "Goed B B-ORG\n");
  options_.overwrite = true;
  Generate("conll2002_ner");
  options_.overwrite = false;
  EXPECT_EQ(Set("conll2002_ner", "inputs"),
            (std::multiset<std::string>{"El", "De", "Ja"}));
  EXPECT_EQ(Texts("conll2002_ner", "inputs", DataSplit::kDev),
            (Lines{"Sí", "No", "Nee", "Goed"}));

  Put("wsjTrain.trees", "(TOP (S (NP (DT the) (NN cat)) (VP (VBD sat))))\n");
  Put("wsjEval.trees", "(TOP (S (NP (PRP it)) (VP (VBD sat))))\n");
  for (const char* const name :
       {"parsing_english_ptb8k", "parsing_english_ptb16k"}) {
    Generate(name);
    EXPECT_EQ(Texts(name, "inputs"), Lines{"the cat sat"});
    EXPECT_EQ(Texts(name, "targets", DataSplit::kDev),
              Lines{"S NP PRP /NP VP VBD /VP /S"});
  }
  EXPECT_TRUE(Exists(options_.data_dir + "/vocab.endefr.8192"));
  EXPECT_TRUE(Exists(options_.data_dir + "/wsj_source.vocab.512"));
  EXPECT_TRUE(Exists(options_.data_dir + "/wsj_target.vocab.16384"));
}

// Tasks lie as deep as their site has it; a file says by what is in it of which
// language it is.
TEST_F(TextTasksTest, DescriptionsToCode) {
  std::vector<NamedText> files;
  for (int i = 0; i < 50; ++i) {
    const std::string task =
        "description2code_current/" +
        std::string(i % 2 == 0 ? "codechef/easy/" : "codeforces/") + "T" +
        std::to_string(i);
    files.push_back({task + "/description/description.txt",
                     " add " + std::to_string(i) + "\n"});
    files.push_back({task + "/solutions_c++/1.txt",
                     "int x; // a comment\n\tx += " + std::to_string(i) + ";"});
    files.push_back({task + "/solutions_python/1.txt",
                     "if x:\n\tx += " + std::to_string(i) + "\n"});
    files.push_back({task + "/solutions_python/2.txt", "#include <x>\n"});
  }
  files.push_back({"description2code_current/alone/description/description.txt",
                   "nobody solved it"});
  PutArchive("description2code_current.zip", files);
  Generate("programming_desc2code_py");
  const std::multiset<std::string> python =
      Set("programming_desc2code_py", "targets");
  EXPECT_EQ(python.size(), 48u);
  const Lines dev =
      Texts("programming_desc2code_py", "targets", DataSplit::kDev);
  ASSERT_EQ(dev.size(), 2u);
  EXPECT_EQ(python.count(dev[0]), 0u);
  EXPECT_EQ(dev[0].substr(0, 15), "if x:\n    x += ");
  const Lines asked =
      Texts("programming_desc2code_py", "inputs", DataSplit::kDev);
  EXPECT_EQ("add " + dev[0].substr(15), asked[0]);
  Generate("programming_desc2code_cpp");
  const Lines cpp =
      Texts("programming_desc2code_cpp", "targets", DataSplit::kDev);
  ASSERT_EQ(cpp.size(), 2u);
  EXPECT_EQ(cpp[0].substr(0, 12), "int x; x += ");
  EXPECT_TRUE(Exists(options_.data_dir + "/vocab.cpp.4096"));
}

// Their shards are given; an article's lead ends where its first section
// begins.
TEST_F(TextTasksTest, Wikisum) {
  const auto [code, message] = ErrorOf([&] { Generate("wikisum_web"); });
  EXPECT_EQ(code, ExitCode::kMissing);
  EXPECT_NE(message.find("wikisum_web-train-00000-of-01000"), std::string::npos)
      << message;
  using Ids = std::vector<int64_t>;
  Example article;
  article.features["inputs"] = Ids{7, 8, 1};
  article.features["targets"] = Ids{11, 12, 13, 14, 1};
  article.features["section_boundaries"] = Ids{2, 4};
  Example lead = article;
  const auto whole = MakeProblem("wikisum_web");
  ASSERT_TRUE(whole->Preprocess(&article, Mode::kTrain, HParams()));
  EXPECT_EQ(article.Ints("targets"), (Ids{11, 12, 13, 14, 1}));
  EXPECT_FALSE(article.Has("section_boundaries"));
  const auto problem = MakeProblem("wikisum_web_lead_section");
  EXPECT_EQ(problem->data_name, "wikisum_web");
  EXPECT_FALSE(problem->FixedStepsOnLengths(Mode::kTrain, HParams()));
  Example cut = lead;
  ASSERT_TRUE(problem->Preprocess(&lead, Mode::kTrain, HParams()));
  EXPECT_EQ(lead.Ints("targets"), (Ids{11, 12, 1}));
  cut.features["section_boundaries"] = Ids{};
  EXPECT_THROW(problem->Preprocess(&cut, Mode::kTrain, HParams()), Error);
}

TEST_F(TextTasksTest, Programs) {
  const std::string task =
      R"({"text": ["add", "a"], "short_tree": ["+", "a", ["len", "b", 3]]})"
      "\n";
  for (const std::string set : {"train", "dev", "test"}) {
    Put("metaset3." + set + ".jsonl", task);
  }
  Generate("program_search_algolisp");
  EXPECT_EQ(Texts("program_search_algolisp", "targets"),
            Lines{"[ + a [ len b 3 ] ]"});

  for (int i = 0; i < 100; ++i) {
    Put(Format("func-doc-pairs-%05d-of-00100.csv", i),
        "adds two,\"def add ( a , b ) : \"\"x\"\"\"\nother,code\n");
  }
  Generate("github_function_docstring");
  // Of 200 the 101st and its like are for dev.
  EXPECT_EQ(Examples("github_function_docstring").size(), 199u);
  EXPECT_EQ(Texts("github_function_docstring", "targets", DataSplit::kDev),
            Lines{"def add ( a , b ) : \"x\""});
}

TEST_F(TextTasksTest, Mathematics) {
  std::string tasks;
  for (int i = 0; i < 22; ++i) {
    tasks +=
        "y=1,x=" + std::to_string(i) + ",y+x:" + std::to_string(i + 1) + "\n";
  }
  PutArchive("mathematical_language_understanding_train.tar.gz",
             {{"symbolic_math_train.txt", tasks}});
  Generate("algorithmic_math_two_variables");
  EXPECT_EQ(Texts("algorithmic_math_two_variables", "inputs", DataSplit::kDev),
            (Lines{"y=1,x=10,y+x", "y=1,x=21,y+x"}));
  EXPECT_EQ(Examples("algorithmic_math_two_variables").size(), 20u);

  const std::string folder = "mathematics_dataset-v1.0/";
  PutArchive("mathematics_dataset-v1.0.tar.gz",
             {{folder + "train-easy/a.txt", "What is 1+1?\n2\n"},
              {folder + "train-medium/a.txt", "What is 2+1?\n3\n"},
              {folder + "train-hard/b.txt", "What is 3+1?\n4\n"},
              {folder + "interpolate/a.txt", "What is 4+1?\n5\n"},
              {folder + "extrapolate/b.txt", "What is 9+9?\n18\n"}});
  Generate("algorithmic_math_deepmind_all");
  EXPECT_EQ(Set("algorithmic_math_deepmind_all", "targets"),
            (TextSet{"2", "3", "4"}));
  EXPECT_EQ(Texts("algorithmic_math_deepmind_all", "targets", DataSplit::kDev),
            (Lines{"5", "18"}));
}

// An unknown token of the source has an id of its own, and the same in the
// target.
TEST_F(TextTasksTest, TokensThatCanBeCopied) {
  using Ids = std::vector<int64_t>;
  Put("vocab.txt", "the\nof\n");
  Put("inputs.train.txt", "the Ada of Rome Ada\n");
  Put("targets.train.txt", "Rome of Paris\n");
  Put("inputs.eval.txt", "the of\n");
  Put("targets.eval.txt", "of the\n");
  const std::string name = "text2text_copyable_tokens";
  Generate(name);
  const Example example = Examples(name).at(0);
  EXPECT_EQ(example.Ints("inputs"), (Ids{3, 2, 4, 2, 2, 1}));
  EXPECT_EQ(example.Ints("inputs_extend"), (Ids{3, 5, 4, 6, 5, 1}));
  EXPECT_EQ(example.Ints("targets"), (Ids{2, 4, 2, 1}));
  EXPECT_EQ(example.Ints("targets_extend"), (Ids{6, 4, 2, 1}));
  EXPECT_EQ(MakeProblem(name)->Info(options_.data_dir).features.size(), 2u);
}

TEST_F(TextTasksTest, DataThatAreMadeElsewhereAreAskedFor) {
  const auto [code, message] =
      ErrorOf([&] { Generate("seq2edits_gec_packed256"); });
  EXPECT_EQ(code, ExitCode::kMissing);
  EXPECT_NE(message.find("edit_ops_gec_packed256-train-00000-of-00100"),
            std::string::npos)
      << message;
}

// What a dead site may answer with.
TEST_F(TextTasksTest, AWebPageIsNoArchive) {
  Put("mirror/dev.tgz", "\n<!DOCTYPE html><html><body>moved</body></html>");
  ::setenv("T2T_WMT_URL", ("file://" + options_.tmp_dir + "/mirror").c_str(),
           1);
  for (const std::string language : {"en", "ro"}) {
    Put("europarl-v7.ro-en." + language, "a\n");
    Put("SETIMES.en-ro." + language, "a\n");
  }
  const std::string archive = "dev-romanian-updated.tgz";
  Rename(options_.tmp_dir + "/mirror/dev.tgz",
         options_.tmp_dir + "/mirror/" + archive);
  const auto [code, message] =
      ErrorOf([&] { Generate("translate_enro_wmt8k"); });
  ::unsetenv("T2T_WMT_URL");
  EXPECT_EQ(code, ExitCode::kMissing);
  for (const std::string& part :
       {std::string("what came is a web page"), archive, options_.tmp_dir,
        std::string("newsdev2016-roen-ref.en.sgm")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

// The first member is whole, and is not taken either.
TEST_F(TextTasksTest, ACutArchiveIsNamedWithTheMemberThatIsCut) {
  Rng rng(1);
  std::string words;
  for (int i = 0; i < 40000; ++i) {
    words += "w" + std::to_string(rng.Below(1000000)) + " N O\n";
  }
  PutArchive("conll2002.zip", {{"conll2002/esp.train", words},
                               {"conll2002/esp.testa", words},
                               {"conll2002/esp.testb", words}});
  const std::string path = options_.tmp_dir + "/conll2002.zip";
  const std::string archive = ReadFile(path);
  WriteFileAtomically(path, archive.substr(0, archive.size() / 2));
  const auto [code, message] = ErrorOf([&] { Generate("conll2002_es_ner"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("can't unpack " + path), std::string::npos) << message;
  EXPECT_NE(message.find("conll2002/esp."), std::string::npos) << message;
  EXPECT_NE(message.find("a whole archive"), std::string::npos) << message;
  EXPECT_FALSE(Exists(options_.tmp_dir + "/conll2002/esp.train"));
}

TEST_F(TextTasksTest, SourceAndTargetOfDifferentLengthsAreNamedWithBoth) {
  Put("inputs.train.txt", "a\nb\nc\n");
  Put("targets.train.txt", "a\nb\n");
  Put("inputs.eval.txt", "a\n");
  Put("targets.eval.txt", "a\n");
  const auto [code, message] = ErrorOf([&] { Generate("text2text_tmpdir"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  for (const std::string& part :
       {options_.tmp_dir + "/inputs.train.txt has 3 lines",
        options_.tmp_dir + "/targets.train.txt has 2 lines"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST_F(TextTasksTest, SequencesAreTurnedAbout) {
  options_.max_cases = 300;
  for (const std::string name :
       {"copy_sequence_small", "reverse_sequence_small",
        "flip_bi_gram_sequence"}) {
    Generate(name);
    const Lines inputs = Texts(name, "inputs");
    const Lines targets = Texts(name, "targets");
    const bool flips = name[0] == 'f';
    ASSERT_EQ(inputs.size(), 300u);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Lines words = Split(inputs[i], ' ');
      EXPECT_GE(words.size(), flips ? 8u : 4u);
      EXPECT_LE(words.size(), flips ? 64u : 16u);
      Lines expected = words;
      if (name[0] == 'r') expected.assign(words.rbegin(), words.rend());
      if (flips) {
        EXPECT_EQ(words.size() % 2, 0u);
        for (size_t j = 0; j < words.size(); ++j) expected[j] = words[j ^ 1];
      }
      EXPECT_EQ(targets[i], Join(expected, " "));
    }
  }
  const std::string vocabulary =
      ReadFile(options_.data_dir + "/vocab.copy_sequence_small.tokens");
  EXPECT_TRUE(StartsWith(vocabulary, "<pad>\n<EOS>\nsym_1\nsym_10\nsym_11\n"));
}

TEST_F(TextTasksTest, TimeSeries) {
  Generate("timeseries_toy_problem");
  // Seven windows of ten times, dealt to two shards.
  std::vector<Example> dev =
      Examples("timeseries_toy_problem", DataSplit::kDev);
  EXPECT_EQ(Examples("timeseries_toy_problem").size(), 4u);
  ASSERT_EQ(dev.size(), 3u);
  EXPECT_EQ(dev[0].Floats("inputs"), (std::vector<float>{1, 2, 2, 3}));
  EXPECT_EQ(dev[0].Floats("targets"), (std::vector<float>{3, 4, 4, 5}));
  Generate("timeseries_toy_problem_no_inputs");
  EXPECT_FALSE(Examples("timeseries_toy_problem_no_inputs")[0].Has("inputs"));

  const std::string waves = "timeseries_synthetic_data_series10_samples100k";
  options_.max_cases = 3;
  Generate(waves);
  Example example = Examples(waves, DataSplit::kDev)[0];
  ASSERT_EQ(example.Floats("inputs").size(), 2500u);
  ASSERT_EQ(example.Floats("targets").size(), 1000u);
  // The last series begins at 2,500 + 43 with noise of 53.
  double sum = 0;
  for (size_t i = 9; i < 2500; i += 10) sum += example.Floats("inputs")[i];
  EXPECT_NEAR(sum / 250, 2543, 20);
  MakeProblem(waves)->Preprocess(&example, Mode::kTrain, HParams());
  EXPECT_NEAR(example.Floats("inputs")[9], 25.4, 3);
}

}  // namespace
}  // namespace t2t
