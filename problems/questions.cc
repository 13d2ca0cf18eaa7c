// Questions about a text: SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250) and
// bAbI (Weston et al. 2015, arXiv:1502.05698). T2T's data_generators/squad.py
// and babi_qa.py. Where T2T's data differ:
// - two problems of SQuAD have shards of their own here, which in T2T overwrite
//   those of the problem `squad`;
// - bAbI's vocabularies have an id for <EOQ>, where T2T's second commonest word
//   is it.

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/tokenizer.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr int64_t k32 = 1 << 15;
constexpr char kWiki64k[] = "languagemodel_de_en_fr_ro_wiki64k";

std::string Stripped(const std::string& text) {
  return std::string(StripPythonSpace(text));
}

// Adds what a question of a paragraph becomes.
using MakeOfQuestion = std::function<Example(const std::string& context,
                                             const std::string& question,
                                             const std::string& answer)>;

void AddParagraph(const Json& paragraph, const MakeOfQuestion& make,
                  std::vector<Example>* samples) {
  const std::string context = Stripped(paragraph.At("context").AsString());
  for (const Json& question : paragraph.At("qas").items()) {
    const std::vector<Json>& answers = question.At("answers").items();
    if (answers.empty()) {
      throw DataError(
          "a question has no answer: " + question.At("question").AsString(),
          "SQuAD 1.1, where each has one");
    }
    samples->push_back(make(context,
                            Stripped(question.At("question").AsString()),
                            Stripped(answers[0].At("text").AsString())));
  }
}

ReadSamples ReadSquad(const MakeOfQuestion& make) {
  return [make](const SampleFiles& files) {
    return SamplesOfFiles(files.Paths(), [make](const std::string& path,
                                                std::vector<Example>* samples) {
      try {
        const Json squad = Json::Parse(ReadText(path));
        for (const Json& article : squad.At("data").items()) {
          for (const Json& paragraph : article.At("paragraphs").items()) {
            AddParagraph(paragraph, make, samples);
          }
        }
      } catch (const Error& error) {
        throw DataError(path + ": " + error.what());
      }
    });
  };
}

void SetSquad(const MakeOfQuestion& make, Problem* problem) {
  problem->corpora = {Train(CorpusNamed("squad_train")),
                      Dev(CorpusNamed("squad_dev"))};
  ReadBy({ReadSquad(make)}, problem);
}

Example WithContext(const std::string& context, const std::string& question,
                    const std::string& answer) {
  Example example = TextPair(question, answer);
  example.features["context"] = std::vector<std::string>{context};
  return example;
}

Problem SquadText(const std::string& name, const Vocabulary& vocabulary,
                  int64_t packed_length) {
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.packed_length = packed_length;
  SetSquad(
      [](const std::string& context, const std::string& question,
         const std::string& answer) {
        return TextPair("squad context: " + context + " question: " + question,
                        answer);
      },
      &problem);
  return problem;
}

Problem Squad(const std::string& name, const Vocabulary& vocabulary,
              int train_shards) {
  Problem problem = QuestionToText(name, vocabulary);
  problem.splits = TrainDev(train_shards);
  SetSquad(WithContext, &problem);
  return problem;
}

Vocabulary SquadWords() {
  Vocabulary vocabulary = SharedSubwords("squad", k32);
  vocabulary.reserved = {kEndOfQuestion};
  return vocabulary;
}

// Where the answer is in the context, and how long: for each time that it is
// there. (T2T doesn't look at the context's last place.)
NextExample Positioned(NextExample examples, uint64_t /*seed*/) {
  return [examples = std::move(examples)](Example* example) {
    while (examples(example)) {
      std::vector<int64_t> answer = example->Ints("targets");
      answer.pop_back();  // EOS
      const std::vector<int64_t>& context = example->Ints("context");
      const auto length = static_cast<int64_t>(answer.size());
      std::vector<int64_t> places;
      const auto last = static_cast<int64_t>(context.size()) - length;
      for (int64_t i = 0; i < last; ++i) {
        if (std::equal(answer.begin(), answer.end(), context.begin() + i)) {
          places.push_back(i);
          places.push_back(length);
        }
      }
      if (places.empty()) continue;
      example->features["targets"] = std::move(places);
      return true;
    }
    return false;
  };
}

void AddSquad(ProblemRegistry* problems) {
  problems->Add("squad", [] { return Squad("squad", SquadWords(), 10); });
  problems->Add("squad_concat", [] {
    Problem problem = Squad("squad_concat", VocabularyOf("squad"), 10);
    problem.data_name = "squad";
    JoinContext(&problem);
    return problem;
  });
  problems->Add("squad_concat_positioned", [] {
    Problem problem =
        Squad("squad_concat_positioned", VocabularyOf("squad"), 10);
    problem.regroup = Positioned;
    JoinContext(&problem);
    return problem;
  });
  problems->Add("squad_concat_multi64k", [] {
    Problem problem =
        Squad("squad_concat_multi64k", VocabularyOf(kWiki64k), 100);
    problem.data_name = "squad_multi64k";
    JoinContext(&problem);
    return problem;
  });
  problems->Add("squad_concat_shared_vocab", [] {
    Problem problem = Squad("squad_concat_shared_vocab",
                            VocabularyOf("languagemodel_en_wiki32k"), 100);
    JoinContext(&problem);
    return problem;
  });
  problems->Add("squad_text2text", [] {
    return SquadText("squad_text2text", SharedSubwords("squad_text2text", k32),
                     0);
  });
  problems->Add("squad_text2text_multi64k_packed1k", [] {
    return SquadText("squad_text2text_multi64k_packed1k",
                     VocabularyOf(kWiki64k), 1024);
  });
}

// Words and marks with a space between them.
std::string Spaced(const std::string& text) {
  std::string spaced;
  for (const std::string_view token : Tokenize(text)) {
    spaced += std::string(StripPythonSpace(token)) + ' ';
  }
  return OneSpaced(spaced);
}

// "<number> <sentence>" tells a story from 1 on; "<number> <question> tab
// <answer> tab <numbers>" asks about what was told so far.
NextExample ReadBabi(const SampleFiles& files, const std::string& task) {
  std::vector<std::string> paths = files.Paths();
  if (files.split != DataSplit::kTrain && !task.empty()) {
    std::erase_if(paths, [&](const std::string& path) {
      return path.find("/" + task + "_") == std::string::npos;
    });
  }
  return SamplesOfLines(std::move(paths), [story = std::string()](
                                              const FileLine& line,
                                              std::vector<Example>*
                                                  samples) mutable {
    const size_t space = line.text.find(' ');
    int64_t number = 0;
    if (space == std::string::npos ||
        !ParseInt(line.text.substr(0, space), &number)) {
      throw BadLine(line, "has no number", "\"1 Mary went home.\"");
    }
    if (number == 1) story.clear();
    const FileLine rest = {line.text.substr(space + 1), line.path, line.number};
    if (rest.text.find('\t') == std::string::npos) {
      story += (story.empty() ? "" : " ") + Spaced(rest.text);
      return;
    }
    const std::vector<std::string> columns = Columns(rest, 3);
    samples->push_back(WithContext(story, Spaced(columns[0]),
                                   ReplaceAll(columns[1], ",", "")));
  });
}

// All tasks train together; a problem is evaluated on its own ("": all).
Problem Babi(const std::string& name, const std::string& folder,
             const std::string& task) {
  const std::string data =
      "babi_qa_" + folder + "_" + (task.empty() ? "qa0_all-tasks" : task);
  Vocabulary words = Words(data);
  words.reserved = {kEndOfQuestion};
  words.of_dev_too = true;
  Problem problem = QuestionToText(name, words);
  problem.data_name = data;
  problem.features["targets"].modality = "class_label";
  problem.features["targets"].ends_at_eos = false;
  problem.metrics = {"accuracy"};
  problem.splits = TrainDev(1);
  problem.corpora = {Train(CorpusNamed("babi_" + folder + "_train")),
                     Dev(CorpusNamed("babi_" + folder + "_test"))};
  JoinContext(&problem);
  ReadBy({[task](const SampleFiles& files) { return ReadBabi(files, task); }},
         &problem);
  return problem;
}

}  // namespace

void RegisterQuestions(ProblemRegistry& problems) {
  AddSquad(&problems);
  for (const auto& [folder, end] :
       {std::pair<std::string, std::string>{"en", "_1k"}, {"en-10k", "_10k"}}) {
    const std::string stem = "babi_qa_concat_";
    problems.Add(stem + "all_tasks" + end, [=, folder = folder, end = end] {
      return Babi(stem + "all_tasks" + end, folder, "");
    });
    for (const CorpusFile& file :
         CorpusNamed("babi_" + folder + "_train").files) {
      // "tasks_1-20_v1-2/en/qa7_counting_train.txt"
      std::string task = file.name.substr(file.name.rfind('/') + 1);
      task.resize(task.rfind('_'));
      const std::string name =
          stem + "task" + task.substr(2, task.find('_') - 2) + end;
      problems.Add(name,
                   [=, folder = folder] { return Babi(name, folder, task); });
    }
  }
}

}  // namespace t2t
