// Texts and their classes: GLUE's tasks, natural language inference, sentiment,
// number agreement. Of T2T's data_generators: cola.py, mrpc.py, multinli.py,
// qnli.py, quora_qpairs.py, rte.py, scitail.py, sst_binary.py, stanford_nli.py,
// wnli.py, imdb.py, yelp_full.py, yelp_polarity.py, subject_verb_agreement.py.
// Where T2T's data differ:
// - the labels of Yelp's problems are 1 and up there, beyond the last class;
//   here 0 and up;
// - which examples of number agreement are for training is drawn otherwise.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Strings = std::vector<std::string>;

Example LabelledTexts(Strings texts, int64_t label) {
  Example example;
  example.features["inputs"] = std::move(texts);
  example.features["targets"] = std::vector<int64_t>{label};
  return example;
}

// A table of texts and labels, with tabs between its columns.
struct Table {
  bool has_header = true;
  size_t columns = 0;  // at least so many
  std::vector<size_t> texts;
  // -1: the last one.
  int label = -1;
  bool label_is_number = false;
  bool both_orders = false;  // of two texts
  std::string skipped_label;
  // A line with fewer columns is left out, as T2T does with some of Quora's.
  bool skips_short_lines = false;
};

void AddRow(const Table& table, const Strings& labels, const FileLine& line,
            std::vector<Example>* samples) {
  if (table.has_header && line.number == 1) return;
  if (table.skips_short_lines &&
      Split(line.text, '\t').size() < table.columns) {
    return;
  }
  const Strings columns = Columns(line, table.columns);
  const std::string& label = table.label < 0
                                 ? columns.back()
                                 : columns[static_cast<size_t>(table.label)];
  if (!table.skipped_label.empty() && label == table.skipped_label) return;
  int64_t number = 0;
  if (!table.label_is_number) {
    number = LabelIndex(line, label, labels);
  } else if (!ParseInt(label, &number) || number < 0 ||
             number >= static_cast<int64_t>(labels.size())) {
    throw BadLine(line, "has the label '" + label + "'",
                  "a number below " + std::to_string(labels.size()));
  }
  Strings texts;
  for (const size_t text : table.texts) texts.push_back(columns[text]);
  samples->push_back(LabelledTexts(texts, number));
  if (!table.both_orders) return;
  std::reverse(texts.begin(), texts.end());
  samples->push_back(LabelledTexts(std::move(texts), number));
}

ReadSamples ReadTable(const Table& table, const Strings& labels) {
  return [=](const SampleFiles& files) {
    return SamplesOfLines(files.Paths(),
                          [=](const FileLine& line, std::vector<Example>* to) {
                            AddRow(table, labels, line, to);
                          });
  };
}

// A problem's variants: with its own subwords, with those of another problem,
// in characters.
struct ClassRow {
  std::string name;
  std::vector<CorpusUse> corpora;
  Strings labels;
  ReadSamples read;
  int64_t vocab_size;
  std::vector<SplitSpec> splits;
  // Behind the name, and whose vocabulary.
  std::vector<std::pair<std::string, std::string>> shared;
  std::string vocabulary_file;  // "": SharedSubwords()'
};

std::vector<CorpusUse> TrainAndDev(const std::string& corpus) {
  return {Train(CorpusNamed(corpus + "_train")),
          Dev(CorpusNamed(corpus + "_dev"))};
}

void AddClasses(const ClassRow& row, ProblemRegistry* problems) {
  const auto add = [&](const std::string& end, auto vocabulary) {
    const std::string name = row.name + end;
    problems->Add(name, [row, name, vocabulary] {
      Problem problem = TextToLabel(name, vocabulary(), row.labels);
      problem.corpora = row.corpora;
      problem.splits = row.splits;
      ReadBy({row.read}, &problem);
      return problem;
    });
  };
  add("", [row] {
    Vocabulary own = SharedSubwords(row.name, row.vocab_size);
    if (!row.vocabulary_file.empty()) own.file = row.vocabulary_file;
    return own;
  });
  for (const auto& [end, of] : row.shared) {
    add(end, [of = of] { return VocabularyOf(of); });
  }
  add("_characters", [] { return Bytes(); });
}

constexpr int64_t k8 = 1 << 13;
constexpr int64_t k16 = 1 << 14;
constexpr int64_t k32 = 1 << 15;

// <column 1> <columns 2 and 3> <label>, with a header: most of GLUE.
Table GlueTable() { return {.columns = 4, .texts = {1, 2}, .label = 3}; }

Table CountedGlueTable() {
  Table table = GlueTable();
  table.label_is_number = true;
  return table;
}

std::vector<ClassRow> GlueRows() {
  const Strings entailment = {"not_entailment", "entailment"};
  const Strings cola = {"unacceptable", "acceptable"};
  const Strings quora = {"not_duplicate", "duplicate"};
  const Strings sst = {"neg", "pos"};
  return {
      {"cola", TrainAndDev("cola"), cola,
       ReadTable({.has_header = false,
                  .columns = 4,
                  .texts = {3},
                  .label = 1,
                  .label_is_number = true},
                 cola),
       k8, TrainDev(10)},
      {"question_nli", TrainAndDev("qnli"), entailment,
       ReadTable(GlueTable(), entailment), k32, TrainDev(100)},
      {"rte", TrainAndDev("rte"), entailment,
       ReadTable(GlueTable(), entailment), k8, TrainDev(1)},
      {"winograd_nli",
       TrainAndDev("wnli"),
       entailment,
       ReadTable(CountedGlueTable(), entailment),
       k8,
       TrainDev(1),
       {},
       "vocab.wnli.8192"},
      {"quora_question_pairs", TrainAndDev("qqp"), quora,
       ReadTable({.columns = 6,
                  .texts = {3, 4},
                  .label = 5,
                  .label_is_number = true,
                  .both_orders = true,
                  .skips_short_lines = true},
                 quora),
       k32, TrainDev(100)},
      {"sentiment_sst_binary", TrainAndDev("sst2"), sst,
       ReadTable(
           {.columns = 2, .texts = {0}, .label = 1, .label_is_number = true},
           sst),
       k16, TrainDev(10)},
  };
}

// Microsoft's paraphrases: a list says which of the training file are for dev.
// Each pair is there in both orders.
NextExample ReadMrpc(const SampleFiles& files) {
  auto dev = std::make_shared<std::vector<std::string>>();
  std::string texts = "msr_paraphrase_test.txt";
  if (files.split != DataSplit::kTest) {
    texts = "msr_paraphrase_train.txt";
    for (const std::string& line : ReadTextLines(files.Path("dev_ids.tsv"))) {
      dev->emplace_back(StripPythonSpace(line));
    }
    std::sort(dev->begin(), dev->end());
  }
  const Table table = {.columns = 5,
                       .texts = {3, 4},
                       .label = 0,
                       .label_is_number = true,
                       .both_orders = true};
  return SamplesOfLines(
      {files.Path(texts)}, [dev, table, split = files.split](
                               const FileLine& line, std::vector<Example>* to) {
        if (line.number > 1 && split != DataSplit::kTest) {
          const Strings columns = Columns(line, table.columns);
          const bool is_dev = std::binary_search(
              dev->begin(), dev->end(), columns[1] + "\t" + columns[2]);
          if (is_dev != (split == DataSplit::kDev)) return;
        }
        AddRow(table, {"not_paraphrase", "paraphrase"}, line, to);
      });
}

std::vector<ClassRow> PairRows() {
  const Strings three = {"contradiction", "entailment", "neutral"};
  const Strings scitail = {"neutral", "entails"};
  const std::string lm1b = "languagemodel_lm1b32k";
  const std::string wiki32k = "languagemodel_en_wiki32k";
  const std::string wiki64k = "languagemodel_en_wiki64k";
  return {
      {"msr_paraphrase_corpus",
       {Train(CorpusNamed("mrpc_train")), Dev(CorpusNamed("mrpc_train")),
        Test(CorpusNamed("mrpc_test")), OfAll(CorpusNamed("mrpc_dev_ids"))},
       {"not_paraphrase", "paraphrase"},
       ReadMrpc,
       k8,
       TrainDevTest(10)},
      {"multi_nli",
       TrainAndDev("mnli"),
       three,
       ReadTable({.columns = 11, .texts = {8, 9}}, three),
       k32,
       TrainDev(100),
       {{"_shared_vocab", lm1b},
        {"_wiki_lm_shared_vocab", wiki32k},
        {"_wiki_lm_shared_vocab64k", wiki64k},
        {"_wiki_lm_multi_vocab64k", "languagemodel_de_en_fr_ro_wiki64k"}}},
      {"stanford_nli",
       TrainAndDev("snli"),
       three,
       ReadTable(
           {.columns = 7, .texts = {5, 6}, .label = 0, .skipped_label = "-"},
           three),
       k32,
       TrainDev(100),
       {{"_shared_vocab", lm1b},
        {"_wiki_lm_shared_vocab", wiki32k},
        {"_wiki_lm_shared_vocab64k", wiki64k}}},
      {"sci_tail",
       TrainAndDev("scitail"),
       scitail,
       ReadTable(
           {.has_header = false, .columns = 3, .texts = {0, 1}, .label = 2},
           scitail),
       k8,
       TrainDev(10),
       {{"_shared_vocab", lm1b}}},
  };
}

// A review a file; those of one label, then those of the other.
NextExample ReadImdb(const SampleFiles& files) {
  return SamplesOfFiles(
      files.Paths(), [](const std::string& path, std::vector<Example>* to) {
        const bool positive = path.find("/pos/") != std::string::npos;
        to->push_back(LabelledTexts(
            {std::string(StripPythonSpace(ReadText(path)))}, positive ? 1 : 0));
      });
}

// "<label>","<text>" on each line; what is quoted in the text stays as it is.
ReadSamples ReadYelp(const Strings& labels) {
  return [labels](const SampleFiles& files) {
    return SamplesOfLines(files.Paths(), [labels](const FileLine& line,
                                                  std::vector<Example>* to) {
      const std::string& text = line.text;
      if (text.size() < 6 || text.substr(2, 3) != "\",\"" ||
          text.back() != '"') {
        throw BadLine(line, "is no label and text", "\"1\",\"text\"");
      }
      to->push_back(LabelledTexts(
          {std::string(StripPythonSpace(text.substr(5, text.size() - 6)))},
          LabelIndex(line, text.substr(1, 1), labels)));
    });
  };
}

std::vector<ClassRow> SentimentRows() {
  const Strings full = {"1", "2", "3", "4", "5"};
  const Strings polarity = {"1", "2"};
  return {
      {"sentiment_imdb",
       {Train(CorpusNamed("imdb_train_pos")),
        Train(CorpusNamed("imdb_train_neg")), Dev(CorpusNamed("imdb_test_pos")),
        Dev(CorpusNamed("imdb_test_neg"))},
       {"neg", "pos"},
       ReadImdb,
       k8,
       TrainDev(10)},
      {"sentiment_yelp_full", TrainAndDev("yelp_full"), full, ReadYelp(full),
       k8, TrainDev(10)},
      {"sentiment_yelp_polarity", TrainAndDev("yelp_polarity"), polarity,
       ReadYelp(polarity), k8, TrainDev(10)},
  };
}

// MultiNLI as text to text: the label is to be written.
Problem MultiNliText(const std::string& name, const Vocabulary& vocabulary,
                     int64_t packed_length) {
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.corpora = TrainAndDev("mnli");
  problem.packed_length = packed_length;
  ReadBy({[](const SampleFiles& files) {
           return SamplesOfLines(files.Paths(), [](const FileLine& line,
                                                   std::vector<Example>* to) {
             if (line.number == 1) return;
             const Strings columns = Columns(line, 11);
             to->push_back(TextPair("multinli premise: " + columns[8] +
                                        " hypothesis: " + columns[9],
                                    columns.back()));
           });
         }},
         &problem);
  return problem;
}

// Whether a verb agrees with its subject, "VBZ" or "VBP" (Linzen et al. 2016,
// arXiv:1611.01368): the words before the verb, or up to it.
struct Agreement {
  size_t sentence = 0, verb_index = 0, verb_pos = 0;
  size_t intervening = 0, different = 0;
  size_t columns = 0;
};

Agreement AgreementColumns(const FileLine& header) {
  const Strings names = Split(header.text, '\t');
  const auto column = [&](const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      throw BadLine(header, "has no column " + name, "a table that has");
    }
    return static_cast<size_t>(found - names.begin());
  };
  return {column("sentence"),           column("verb_index"),
          column("verb_pos"),           column("n_intervening"),
          column("n_diff_intervening"), names.size()};
}

// 9 lines of 100 are for training, 1 for dev; of the others, for test, those
// where all nouns between are of the other number (or none is there). `all`:
// for the vocabulary.
NextExample ReadAgreement(const SampleFiles& files, bool to_verb, bool all) {
  auto columns = std::make_shared<Agreement>();
  const auto split_of = [](int64_t line) {
    const uint64_t draw = Rng::Mix(static_cast<uint64_t>(line)) % 100;
    return draw < 9    ? DataSplit::kTrain
           : draw < 10 ? DataSplit::kDev
                       : DataSplit::kTest;
  };
  return SamplesOfLines(
      files.Paths(),
      [=, split = files.split](const FileLine& line, std::vector<Example>* to) {
        if (line.number == 1) {
          *columns = AgreementColumns(line);
          return;
        }
        const Strings row = Columns(line, columns->columns);
        const std::string& sentence = row[columns->sentence];
        if (all) {
          to->push_back(TextPair(sentence, sentence));
          return;
        }
        if (split_of(line.number) != split ||
            (split == DataSplit::kTest &&
             row[columns->intervening] != row[columns->different])) {
          return;
        }
        int64_t verb = 0;
        Strings words;
        for (const std::string_view word : SplitPythonSpace(sentence)) {
          words.emplace_back(word);
        }
        if (!ParseInt(row[columns->verb_index], &verb) || verb < 1 ||
            verb > static_cast<int64_t>(words.size())) {
          throw BadLine(line, "has the verb " + row[columns->verb_index],
                        "the number of a word");
        }
        words.resize(static_cast<size_t>(to_verb ? verb : verb - 1));
        const int64_t label =
            LabelIndex(line, row[columns->verb_pos], {"VBZ", "VBP"});
        to->push_back(to_verb ? TextAlone(Join(words, " "))
                              : LabelledTexts({Join(words, " ")}, label));
      });
}

void SetAgreement(bool to_verb, Problem* problem) {
  problem->corpora = {OfAll(CorpusNamed("sva"))};
  problem->splits = {{DataSplit::kTrain, 1, true},
                     {DataSplit::kDev, 1, false},
                     {DataSplit::kTest, 10, false}};
  const auto read = [to_verb](bool all) {
    return [=](const SampleFiles& files) {
      return ReadAgreement(files, to_verb, all);
    };
  };
  ReadBy({read(false), false, read(true)}, problem);
}

}  // namespace

void RegisterTextClass(ProblemRegistry& problems) {
  for (const auto rows : {GlueRows, PairRows, SentimentRows}) {
    for (const ClassRow& row : rows()) AddClasses(row, &problems);
  }
  problems.Add("multi_nli_text2text", [] {
    const std::string name = "multi_nli_text2text";
    return MultiNliText(name, SharedSubwords(name, k32), 0);
  });
  problems.Add("multi_nli_text2text_multi64k_packed1k", [] {
    return MultiNliText("multi_nli_text2text_multi64k_packed1k",
                        VocabularyOf("languagemodel_de_en_fr_ro_wiki64k"),
                        1024);
  });
  problems.Add("sva_number_prediction", [] {
    const std::string name = "sva_number_prediction";
    Problem problem = TextToLabel(name, Words(name), {"VBZ", "VBP"});
    problem.metrics = {"accuracy"};
    SetAgreement(false, &problem);
    return problem;
  });
  problems.Add("sva_language_modeling", [] {
    const std::string name = "sva_language_modeling";
    Problem problem = TextToSelf(name, Words(name));
    SetAgreement(true, &problem);
    return problem;
  });
}

}  // namespace t2t
