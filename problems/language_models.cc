// Text to be continued: T2T's data_generators/ptb.py, lm1b.py, wikitext103.py,
// enwik8.py and lambada.py. Where T2T's data differ:
// - ptb10k: T2T's vocabulary has no reserved ids, so that the commonest word is
//   <pad>; and each line ends in <EOS> twice. Here <pad> and <EOS> have their
//   ids, and a line ends in one.
// - lambada: the same, with <UNK> as <pad>. The control problems read the same
//   files as the others, in T2T by an oversight.
// - enwik8: from 512 to 32k bytes T2T's ids are the bytes themselves and not
//   those of its vocabulary, by which they are to be shown.
// - wikitext103: the lines of the raw text are T2T's.

#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr char kLambadaUnknown[] = "<UNK>";
constexpr int64_t kLambadaWords = 60000;

// Each line is a sample; not the empty ones, unless `keep_empty`.
ReadSamples Lines(bool keep_empty, const std::string& end = "") {
  return [=](const SampleFiles& files) {
    return SamplesOfLines(files.Paths(), [=](const FileLine& line,
                                             std::vector<Example>* samples) {
      std::string text = OneSpaced(line.text + end);
      if (text.empty() && !keep_empty) return;
      samples->push_back(TextAlone(std::move(text)));
    });
  };
}

Problem PennTreebank(bool characters) {
  const std::string name =
      characters ? "languagemodel_ptb_characters" : "languagemodel_ptb10k";
  Vocabulary words = Words(name, 10000);
  words.file = "vocab.lmptb.10000";
  Problem problem = TextToSelf(name, characters ? Bytes() : words);
  const std::string corpus = characters ? "ptb_char_" : "ptb_";
  problem.corpora = {Train(CorpusNamed(corpus + "train")),
                     Dev(CorpusNamed(corpus + "valid"))};
  problem.splits = TrainDev(10);
  ReadBy({Lines(true, characters ? " <EOS>" : "")}, &problem);
  return problem;
}

// Words that are not in the corpus' own list are UNK.
NextExample KnownWords(const SampleFiles& files) {
  auto known = std::make_shared<std::unordered_set<std::string>>();
  std::vector<std::string> texts;
  for (const std::string& path : files.Paths()) {
    if (!EndsWith(path, "vocab-2016-09-10.txt.en")) {
      texts.push_back(path);
      continue;
    }
    for (const std::string& line : ReadTextLines(path)) {
      known->emplace(StripPythonSpace(line));
    }
  }
  return SamplesOfLines(std::move(texts), [known](const FileLine& line,
                                                  std::vector<Example>* to) {
    std::string text;
    for (const std::string_view view : SplitPythonSpace(line.text)) {
      const std::string word(view);
      if (!text.empty()) text += ' ';
      text += known->count(word) > 0 ? word : "UNK";
    }
    to->push_back(TextAlone(std::move(text)));
  });
}

// size 0: characters.
Problem BillionWords(const std::string& name, int64_t size,
                     const std::string& vocabulary_of, int64_t packed_length) {
  Vocabulary vocabulary = size == 0 ? Bytes() : SharedSubwords(name, size);
  if (size > 0) vocabulary.max_samples = 63000;
  if (!vocabulary_of.empty()) vocabulary = VocabularyOf(vocabulary_of);
  Problem problem = TextToSelf(name, vocabulary);
  problem.corpora = {Train(CorpusNamed("lm1b_train")),
                     Dev(CorpusNamed("lm1b_heldout")),
                     OfAll(CorpusNamed("lm1b_vocabulary"))};
  problem.packed_length = packed_length;
  ReadBy({KnownWords}, &problem);
  return problem;
}

// Lines put together while they are less than so many words; 0: each alone.
// (What is left at the end is left out, as in T2T.)
NextExample JoinWords(NextExample lines, size_t most) {
  if (most == 0) return lines;
  return [lines = std::move(lines), most, text = std::string(),
          words = size_t{0}](Example* example) mutable {
    for (Example line; lines(&line);) {
      const std::string& more = line.Strings("targets").at(0);
      const size_t count = SplitPythonSpace(more).size();
      if (words + count < most) {
        text += (text.empty() ? "" : " ") + more;
        words += count;
        continue;
      }
      *example = TextAlone(std::exchange(text, more));
      words = count;
      return true;
    }
    return false;
  };
}

Problem Wikitext103(const std::string& name, bool characters, size_t words) {
  Problem problem = TextToSelf(name, characters ? Bytes() : Words(name));
  const std::string corpus = characters ? "wikitext103-raw_" : "wikitext103_";
  problem.corpora = {Train(CorpusNamed(corpus + "train")),
                     Dev(CorpusNamed(corpus + "valid")),
                     Test(CorpusNamed(corpus + "test"))};
  problem.splits = TrainDevTest(10);
  ReadBy({[words](const SampleFiles& files) {
           return JoinWords(Lines(false)(files), words);
         }},
         &problem);
  return problem;
}

// Pieces of `length` bytes, in training four times as many that overlap; the
// last 10 million bytes are for dev and test.
NextExample Pieces(const SampleFiles& files, size_t length) {
  constexpr size_t kHeldOut = 5000000;
  constexpr size_t kOverlap = 4;
  auto file = std::make_shared<MappedFile>(files.Path("enwik8"));
  std::string_view part = file->data();
  if (part.size() < 3 * kHeldOut) {
    throw DataError(
        files.Path("enwik8") + " has " + std::to_string(part.size()) + " bytes",
        "the 100,000,000 of enwik8");
  }
  const size_t train = part.size() - 2 * kHeldOut;
  size_t step = length;
  if (files.split == DataSplit::kTrain) {
    part = part.substr(0, train);
    step = length / kOverlap;
  } else {
    part = part.substr(
        files.split == DataSplit::kDev ? train : train + kHeldOut, kHeldOut);
  }
  return [file, part, length, step, at = size_t{0}](Example* example) mutable {
    if (at >= part.size()) return false;
    *example = TextAlone(std::string(part.substr(at, length)));
    at += step;
    return true;
  };
}

Problem Enwik8(const std::string& name, size_t length) {
  Problem problem = TextToSelf(name, Bytes());
  problem.features["targets"].appends_eos = false;
  problem.corpora = {OfAll(CorpusNamed("enwik8"))};
  problem.splits = TrainDevTest(16);
  ReadBy({[length](const SampleFiles& files) { return Pieces(files, length); }},
         &problem);
  return problem;
}

void SetLambadaData(const ReadSamples& read, Problem* problem) {
  problem->corpora = {Train(CorpusNamed("lambada_novels")),
                      Dev(CorpusNamed("lambada_development")),
                      Test(CorpusNamed("lambada_test"))};
  CorpusUse vocabulary;
  vocabulary.corpus = CorpusNamed("lambada_vocabulary");
  problem->corpora.push_back(std::move(vocabulary));
  problem->splits = TrainDevTest(10);
  ReadBy({[read](const SampleFiles& files) {
           // (The list of words is no text.)
           std::vector<FoundCorpus> texts = files.corpora;
           texts.pop_back();
           return read({texts, files.split, files.seed});
         }},
         problem);
}

Vocabulary LambadaWords(const std::string& name) {
  Vocabulary words;
  words.kind = Vocabulary::Kind::kTokens;
  words.file = "vocab." + name + ".tokens";
  words.list_file = "lambada-vocab-2.txt";
  words.size = kLambadaWords;
  words.oov_token = kLambadaUnknown;
  return words;
}

Problem LambadaText(const std::string& name) {
  Problem problem = TextToSelf(name, LambadaWords(name));
  SetLambadaData(Lines(true), &problem);
  return problem;
}

// The last word is to be told from those before it.
Problem LambadaLastWord(const std::string& name) {
  Problem problem = TextToText(name, LambadaWords(name), LambadaWords(name));
  problem.features["targets"].modality = "class_label";
  problem.features["targets"].ends_at_eos = false;
  const ReadSamples read = [](const SampleFiles& files) {
    return SamplesOfLines(
        files.Paths(), [](const FileLine& line, std::vector<Example>* samples) {
          const std::string text = OneSpaced(line.text);
          const size_t last = text.rfind(' ');
          if (text.empty()) return;
          samples->push_back(
              last == std::string::npos
                  ? TextPair("", text)
                  : TextPair(text.substr(0, last), text.substr(last + 1)));
        });
  };
  SetLambadaData(read, &problem);
  return problem;
}

void AddBillionWords(ProblemRegistry& problems) {
  const std::string stem = "languagemodel_lm1b";
  const auto add = [&](const std::string& end, int64_t size,
                       const std::string& of, int64_t packed_length) {
    problems.Add(stem + end, [=] {
      return BillionWords(stem + end, size, of, packed_length);
    });
  };
  add("8k", 1 << 13, "", 0);
  add("32k", 1 << 15, "", 0);
  add("8k_packed", 1 << 13, stem + "8k", 256);
  add("32k_packed", 1 << 15, stem + "32k", 256);
  add("_characters", 0, "", 0);
  add("_characters_packed", 0, "", 1024);
}

}  // namespace

void RegisterLanguageModels(ProblemRegistry& problems) {
  problems.Add("languagemodel_ptb10k", [] { return PennTreebank(false); });
  problems.Add("languagemodel_ptb_characters",
               [] { return PennTreebank(true); });
  AddBillionWords(problems);
  const std::string wikitext = "languagemodel_wikitext103";
  problems.Add(wikitext, [=] { return Wikitext103(wikitext, false, 0); });
  problems.Add(wikitext + "_characters",
               [=] { return Wikitext103(wikitext + "_characters", true, 0); });
  problems.Add(wikitext + "_l4k",
               [=] { return Wikitext103(wikitext + "_l4k", false, 4096); });
  problems.Add(wikitext + "_l16k",
               [=] { return Wikitext103(wikitext + "_l16k", false, 16384); });
  const std::pair<const char*, size_t> lengths[] = {
      {"l512", 512}, {"l1k", 1024},   {"l2k", 2048},   {"l4k", 4096},
      {"l8k", 8192}, {"l16k", 16384}, {"l32k", 32768}, {"l65k", 65536}};
  for (const auto& [end, length] : lengths) {
    const std::string name = std::string("enwik8_") + end;
    problems.Add(name,
                 [name, length = length] { return Enwik8(name, length); });
  }
  for (const std::string end : {"", "_control"}) {
    problems.Add("lambada_lm" + end,
                 [end] { return LambadaText("lambada_lm" + end); });
    problems.Add("lambada_rc" + end,
                 [end] { return LambadaLastWord("lambada_rc" + end); });
  }
}

}  // namespace t2t
