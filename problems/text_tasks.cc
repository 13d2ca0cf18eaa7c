// Text to text of many kinds. Of T2T's data_generators: style_transfer.py,
// paraphrase_ms_coco.py, conll_ner.py, wsj_parsing.py, ice_parsing.py,
// program_search.py, function_docstring.py, algorithmic_math_two_variables.py
// and algorithmic_math_deepmind.py. Where T2T's data differ:
// - wsj_parsing's vocabulary is of the first 1,000 trees, and T2T's of two
//   further files that a person makes of them;
// - conll2002_ner, which is a base class that T2T can't make, is both
// languages;
// - parsing_icelandic16k has 256 for the size of its targets' vocabulary in
//   T2T, whatever the file's is.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
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
#include "t2t/problem/text_source.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Strings = std::vector<std::string>;

std::vector<CorpusUse> TrainAndDev(const std::string& corpus) {
  return {Train(CorpusNamed(corpus + "_train")),
          Dev(CorpusNamed(corpus + "_dev"))};
}

// Shakespeare's lines and the same in modern English (Xu et al. 2012).
Problem Style(const std::string& name, const std::string& from,
              bool characters) {
  Vocabulary vocabulary = characters ? Bytes() : SharedSubwords(name, 8000);
  vocabulary.sample_characters = 1e6;
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.corpora = TrainAndDev(from);
  problem.splits = TrainDev(1);
  problem.open = OpenTextPairs;
  return problem;
}

// Each two captions of an image (Chen et al. 2015, arXiv:1504.00325), in one
// order or in both.
void AddPairs(const Strings& captions, bool both_orders,
              std::vector<Example>* samples) {
  for (size_t i = 0; i < captions.size(); ++i) {
    for (size_t j = i + 1; j < captions.size(); ++j) {
      samples->push_back(TextPair(captions[i], captions[j]));
      if (both_orders) samples->push_back(TextPair(captions[j], captions[i]));
    }
  }
}

ReadSamples ReadCaptions(bool both_orders) {
  return [both_orders](const SampleFiles& files) {
    return SamplesOfFiles(
        files.Paths(),
        [both_orders](const std::string& path, std::vector<Example>* samples) {
          std::vector<int64_t> images;  // in the order of the file
          std::map<int64_t, Strings> captions;
          try {
            const Json json = Json::Parse(ReadText(path));
            for (const Json& caption : json.At("annotations").items()) {
              const int64_t image = caption.At("image_id").AsInt();
              Strings& of = captions[image];
              if (of.empty()) images.push_back(image);
              of.push_back(caption.At("caption").AsString());
            }
          } catch (const Error& error) {
            throw DataError(path + ": " + error.what());
          }
          for (const int64_t image : images) {
            AddPairs(captions[image], both_orders, samples);
          }
        });
  };
}

Problem Paraphrases(const std::string& name, bool both_orders,
                    bool characters) {
  const Vocabulary vocabulary =
      characters ? Bytes() : SharedSubwords(name, 1 << 13);
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.corpora = TrainAndDev("coco_captions");
  problem.splits = TrainDev(10);
  ReadBy({ReadCaptions(both_orders)}, &problem);
  return problem;
}

// CoNLL 2002's entities (Tjong Kim Sang 2002): "<word> <part of speech> <tag>",
// an empty line between sentences.
NextExample ReadTagged(const SampleFiles& files) {
  return SamplesOfFiles(files.Paths(), [](const std::string& path,
                                          std::vector<Example>* samples) {
    Strings words, tags;
    const auto flush = [&] {
      if (words.empty()) return;
      samples->push_back(TextPair(Join(words, " "), Join(tags, " ")));
      words.clear();
      tags.clear();
    };
    int64_t number = 0;
    for (const std::string& line : ReadTextLines(path)) {
      ++number;
      const std::vector<std::string_view> columns = SplitPythonSpace(line);
      if (columns.empty()) {
        flush();
      } else if (columns.size() < 3) {
        throw BadLine({line, path, number}, "has no tag",
                      "a word, its part of speech and its tag");
      } else {
        words.emplace_back(columns[0]);
        tags.emplace_back(columns[2]);
      }
    }
    flush();
  });
}

Problem Entities(const std::string& name, const Strings& corpora) {
  const Vocabulary vocabulary = SharedSubwords(name, 1 << 15);
  Problem problem = TextToText(name, vocabulary, vocabulary);
  for (const std::string& corpus : corpora) {
    for (CorpusUse& use : TrainAndDev(corpus)) {
      problem.corpora.push_back(std::move(use));
    }
  }
  ReadBy({ReadTagged}, &problem);
  return problem;
}

// A tree's words, and its tags: "(S (NP (N x)) (V y))" is "x y", and
// "NP N /N /NP V /V" without the outermost.
Example OfTree(const FileLine& line) {
  Strings words, tags, open;
  for (const std::string_view token : SplitPythonSpace(line.text)) {
    if (token[0] == '(') {
      tags.emplace_back(token.substr(1));
      open.push_back(tags.back());
      continue;
    }
    const size_t closing = token.size() - 1 - token.find_last_not_of(')');
    if (closing == 0 || closing > open.size()) {
      throw BadLine(line, "is no tree", "(S (N word) (V word))");
    }
    // The first closes the word's own tag.
    open.pop_back();
    for (size_t i = 1; i < closing; ++i) {
      tags.push_back("/" + open.back());
      open.pop_back();
    }
    words.emplace_back(token.substr(0, token.size() - closing));
  }
  if (tags.size() < 2) {
    throw BadLine(line, "is no tree", "(S (N word) (V word))");
  }
  return TextPair(Join(words, " "),
                  Join({tags.begin() + 1, tags.end() - 1}, " "));
}

ReadSamples EachLine(const std::function<Example(const FileLine& line)>& make) {
  return [make](const SampleFiles& files) {
    return SamplesOfLines(
        files.Paths(), [make](const FileLine& line, std::vector<Example>* to) {
          if (!line.text.empty()) to->push_back(make(line));
        });
  };
}

// The same with vocabularies of the names that T2T's older problems have; T2T
// has no way to make their data any more.
Problem EnglishParsing(const std::string& name, const std::string& source_file,
                       int64_t source_size, const std::string& target_file,
                       int64_t target_size) {
  Vocabulary source = SharedSubwords(name, source_size);
  Vocabulary target = SharedSubwords(name, target_size);
  source.file = source_file;
  target.file = target_file;
  source.model_file.clear();
  target.model_file.clear();
  Problem problem = TextToText(name, source, target);
  problem.features["inputs"].space_id = 3;    // EN_TOK
  problem.features["targets"].space_id = 15;  // EN_PARSE_TOK
  problem.metrics = DefaultEvalMetrics();
  problem.corpora = TrainAndDev("wsj_trees");
  problem.splits = TrainDev(10);
  ReadBy({EachLine(OfTree)}, &problem);
  return problem;
}

Problem WsjParsing() {
  Vocabulary vocabulary = SharedSubwords("wsj_parsing", 1 << 15);
  vocabulary.max_samples = 1000;
  Problem problem = TextToText("wsj_parsing", vocabulary, vocabulary);
  problem.corpora = TrainAndDev("wsj_trees");
  ReadBy({EachLine(OfTree)}, &problem);
  return problem;
}

// "<one text> tab <another>".
Example OfTwoColumns(const FileLine& line) {
  const size_t tab = line.text.find('\t');
  if (tab == std::string::npos) throw BadLine(line, "has no tab", "two texts");
  return TextPair(std::string(StripPythonSpace(line.text.substr(0, tab))),
                  std::string(StripPythonSpace(line.text.substr(tab + 1))));
}

Problem IcelandicParsing() {
  const std::string name = "parsing_icelandic16k";
  Vocabulary source = SharedSubwords(name, 1 << 14);
  source.file = "ice_source.tokens.vocab.16384";
  Vocabulary target = SharedSubwords(name, 1 << 8);
  target.file = "ice_target.tokens.vocab.256";
  source.model_file.clear();
  target.model_file.clear();
  Problem problem = TextToText(name, source, target);
  problem.features["inputs"].space_id = 18;   // ICE_TOK
  problem.features["targets"].space_id = 19;  // ICE_PARSE_TOK
  problem.metrics = DefaultEvalMetrics();
  problem.loss_multiplier = 2.5;
  problem.corpora = TrainAndDev("icelandic");
  problem.splits = TrainDev(10);
  ReadBy({EachLine(OfTwoColumns)}, &problem);
  return problem;
}

void AppendProgram(const Json& tree, Strings* tokens) {
  tokens->push_back("[");
  for (const Json& node : tree.items()) {
    if (node.is_array()) {
      AppendProgram(node, tokens);
    } else {
      tokens->push_back(node.is_string() ? node.AsString() : node.ToString());
    }
  }
  tokens->push_back("]");
}

// AlgoLisp (Polosukhin and Skidanov 2018, arXiv:1802.04335): a text to a
// program, each line an object.
Example OfAlgolisp(const FileLine& line) {
  try {
    const Json task = Json::Parse(line.text);
    Strings text, program;
    for (const Json& word : task.At("text").items()) {
      text.push_back(word.AsString());
    }
    AppendProgram(task.At("short_tree"), &program);
    return TextPair(Join(text, " "), Join(program, " "));
  } catch (const Error& error) {
    throw BadLine(line, std::string("is no task: ") + error.what(),
                  "an object with 'text' and 'short_tree'");
  }
}

// The fields of a line of a CSV file; a field may be in quotes, where two are
// one of its own.
Strings CsvFields(const std::string& line) {
  Strings fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

// A function's documentation to its code.
Example OfFunction(const FileLine& line) {
  Strings fields = CsvFields(line.text);
  if (fields.size() != 2) {
    throw BadLine(line, "has " + std::to_string(fields.size()) + " fields",
                  "a function's documentation and its code");
  }
  return TextPair(std::move(fields[0]), std::move(fields[1]));
}

// "y=691,x=-999,y*x:-690309".
Example OfTwoVariables(const FileLine& line) {
  const Strings sides = Split(line.text, ':');
  if (sides.size() != 2) {
    throw BadLine(line, "is no task", "y=691,x=-999,y*x:-690309");
  }
  return TextPair(sides[0], sides[1]);
}

// A question on one line, its answer on the next (Saxton et al. 2019,
// arXiv:1904.01557).
NextExample ReadTwoLines(const SampleFiles& files) {
  return SamplesOfLines(
      files.Paths(),
      [question = std::string()](const FileLine& line,
                                 std::vector<Example>* samples) mutable {
        if (line.number % 2 == 1) {
          question = line.text;
        } else {
          samples->push_back(TextPair(std::move(question), line.text));
        }
      });
}

void AddStyleAndParaphrases(ProblemRegistry* problems) {
  for (const bool characters : {false, true}) {
    const std::string end = characters ? "_characters" : "";
    const std::pair<std::string, std::string> directions[] = {
        {"style_transfer_shakespeare_to_modern" + end, "shakespeare"},
        {"style_transfer_modern_to_shakespeare" + end, "modern"}};
    for (const auto& [name, from] : directions) {
      problems->Add(name, [=, name = name, from = from] {
        return Style(name, from, characters);
      });
    }
    for (const bool both : {false, true}) {
      const std::string name = "paraphrase_generation_ms_coco_problem" +
                               std::string(both ? "2d" : "1d") + end;
      problems->Add(name, [=] { return Paraphrases(name, both, characters); });
    }
  }
}

}  // namespace

void RegisterTextTasks(ProblemRegistry& problems) {
  AddStyleAndParaphrases(&problems);
  const std::pair<std::string, Strings> entities[] = {
      {"conll2002_es_ner", {"conll2002_es"}},
      {"conll2002_nl_ner", {"conll2002_nl"}},
      {"conll2002_ner", {"conll2002_es", "conll2002_nl"}}};
  for (const auto& [name, corpora] : entities) {
    problems.Add(name, [name = name, corpora = corpora] {
      return Entities(name, corpora);
    });
  }
  problems.Add("wsj_parsing", WsjParsing);
  problems.Add("parsing_english_ptb8k", [] {
    Problem problem =
        EnglishParsing("parsing_english_ptb8k", "vocab.endefr.8192", 1 << 13,
                       "vocab.endefr.8192", 1 << 13);
    problem.loss_multiplier = 2.0;
    return problem;
  });
  problems.Add("parsing_english_ptb16k", [] {
    return EnglishParsing("parsing_english_ptb16k", "wsj_source.vocab.512",
                          1 << 9, "wsj_target.vocab.16384", 1 << 14);
  });
  problems.Add("parsing_icelandic16k", IcelandicParsing);
  problems.Add("program_search_algolisp", [] {
    const std::string name = "program_search_algolisp";
    const Vocabulary vocabulary = SharedSubwords(name, 1 << 15);
    Problem problem = TextToText(name, vocabulary, vocabulary);
    problem.corpora = TrainAndDev("algolisp");
    ReadBy({EachLine(OfAlgolisp)}, &problem);
    return problem;
  });
  problems.Add("github_function_docstring", [] {
    const std::string name = "github_function_docstring";
    Vocabulary vocabulary = SharedSubwords(name, 1 << 13);
    vocabulary.max_samples = 350000;
    Problem problem = TextToText(name, vocabulary, vocabulary);
    problem.metrics = {"accuracy"};
    problem.corpora = {OfAll(CorpusNamed("function_docstring"))};
    ReadBy({EachLine(OfFunction), /*dealt=*/true}, &problem);
    return problem;
  });
  problems.Add("algorithmic_math_two_variables", [] {
    Problem problem =
        TextToText("algorithmic_math_two_variables", Bytes(), Bytes());
    problem.corpora = {OfAll(CorpusNamed("two_variables"))};
    problem.splits = TrainDev(10);
    ReadBy({EachLine(OfTwoVariables), /*dealt=*/true}, &problem);
    return problem;
  });
  problems.Add("algorithmic_math_deepmind_all", [] {
    Problem problem =
        TextToText("algorithmic_math_deepmind_all", Bytes(), Bytes());
    problem.corpora = TrainAndDev("deepmind_mathematics");
    problem.splits = TrainDev(128);
    ReadBy({ReadTwoLines}, &problem);
    return problem;
  });
}

}  // namespace t2t
