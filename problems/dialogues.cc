// Dialogues: an utterance to the next one. T2T's data_generators/dialog_*.py.
// (Problems with vocabularies of a size share the name of the vocabulary's
// file, as in T2T: each wants a data_dir of its own. The unknown word comes
// first and not last in it; words that are as common as others are by their
// bytes.)

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Utterances = std::vector<std::string>;
// Gives the dialogues of files in order, until it returns false.
using NextDialogue = std::function<bool(Utterances*)>;
using ReadDialogues = std::function<NextDialogue(const SampleFiles&)>;

// Of a hundred dialogues those up to `train` are for training, up to `dev` for
// dev, the others for test.
struct Shares {
  int train = 80, dev = 90;
  DataSplit Of(int64_t dialogue) const {
    const int64_t place = dialogue % 100;
    return place < train ? DataSplit::kTrain
           : place < dev ? DataSplit::kDev
                         : DataSplit::kTest;
  }
};

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Each place where `fits` is true of the three characters at it is replaced by
// what `make` makes of them; the three are passed over.
template <typename Fits, typename Make>
std::string EachThree(const std::string& text, const Fits& fits,
                      const Make& make) {
  std::string made;
  size_t at = 0;
  while (at < text.size()) {
    if (at + 3 <= text.size() && fits(text[at], text[at + 1], text[at + 2])) {
      made += make(text.substr(at, 3));
      at += 3;
    } else {
      made += text[at++];
    }
  }
  return made;
}

std::string Spaced(std::string text) {
  for (const char* const mark : {".", "?", "!"}) {
    text = ReplaceAll(std::move(text), mark, std::string(" ") + mark + " ");
  }
  return text;
}

// T2T's clean_line: small letters, digits and marks, with "'s" and "n't" as
// words of their own.
std::string Cleaned(const std::string& raw) {
  std::string text;
  for (const char c : Lower(raw)) {
    if (IsLetter(c) || IsDigit(c) || std::string(" .?!'").find(c) < 5) {
      text += c;
    }
  }
  text = EachThree(
      Spaced(std::move(text)),
      [](char a, char b, char c) { return a == ' ' && b == '\'' && c == ' '; },
      [](const std::string&) { return std::string(" "); });
  text = EachThree(
      text,
      [](char a, char b, char c) {
        return a == ' ' && b == '\'' && IsLetter(c);
      },
      [](const std::string& three) { return " " + three.substr(2); });
  text = ReplaceAll(std::move(text), "n't", " n't");
  return EachThree(
      text,
      [](char a, char b, char c) {
        return a != ' ' && a != 'n' && b == '\'' && c != ' ' && c != 't';
      },
      [](const std::string& three) { return ReplaceAll(three, "'", " '"); });
}

// That of subtitles, in which a backslash is before an apostrophe.
std::string CleanedSubtitle(const std::string& raw) {
  std::string text;
  for (const char c : Lower(raw)) {
    if (IsLetter(c) || std::string(" .!?'\t\\").find(c) < 7) text += c;
  }
  text = ReplaceAll(std::move(text), "\\' ", " '");
  text = Spaced(ReplaceAll(std::move(text), "\\", " "));
  text = EachThree(
      text,
      [](char a, char b, char c) { return a == ' ' && b == '\'' && c == ' '; },
      [](const std::string&) { return std::string(" "); });
  return ReplaceAll(std::move(text), "n't", " n't");
}

// Cornell's movie dialogues (Danescu-Niculescu-Mizil and Lee 2011): lines by
// their numbers, and which of them are said one after another. Two lines have
// no text of their own.
NextDialogue ReadCornell(const SampleFiles& files) {
  const std::string separator = " +++$+++ ";
  auto lines = std::make_shared<std::unordered_map<std::string, std::string>>();
  const auto fields = [separator](const std::string& line) {
    std::vector<std::string> parts;
    size_t at = 0;
    for (size_t end; (end = line.find(separator, at)) != std::string::npos;
         at = end + separator.size()) {
      parts.push_back(line.substr(at, end - at));
    }
    parts.push_back(line.substr(at));
    return parts;
  };
  LineReader reader(files.Path("movie_lines.txt"));
  for (std::string line; reader.Next(&line);) {
    const std::vector<std::string> parts = fields(line);
    if (parts.size() > 4) (*lines)[parts[0]] = Cleaned(parts[4]);
  }
  auto conversations =
      std::make_shared<LineReader>(files.Path("movie_conversations.txt"));
  return [=](Utterances* dialogue) {
    std::string line;
    if (!conversations->Next(&line)) return false;
    dialogue->clear();
    const std::vector<std::string> parts = fields(line);
    if (parts.size() < 4) return true;
    for (const std::string& item : Split(parts[3], ',')) {
      std::string number;
      for (const char c : item) {
        if (IsDigit(c) || (c >= 'A' && c <= 'Z')) number += c;
      }
      const auto found = lines->find(number);
      dialogue->push_back(found == lines->end() ? "" : found->second);
    }
    return true;
  };
}

std::vector<std::string> SplitAtMarks(const std::string& text) {
  const std::string mark = "__eou__";
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t end; (end = text.find(mark, at)) != std::string::npos;
       at = end + mark.size()) {
    parts.push_back(text.substr(at, end - at));
  }
  return parts;
}

// DailyDialog (Li et al. 2017, arXiv:1710.03957): a dialogue a line.
NextDialogue ReadDailyDialog(const SampleFiles& files) {
  auto lines = std::make_shared<LineReader>(files.Path("dialogues_text.txt"));
  return [lines](Utterances* dialogue) {
    std::string line;
    if (!lines->Next(&line)) return false;
    dialogue->clear();
    for (const std::string& utterance : SplitAtMarks(line)) {
      dialogue->push_back(Cleaned(utterance));
    }
    return true;
  };
}

// PersonaChat (Zhang et al. 2018, arXiv:1801.07243): "<number> <one says> tab
// <the other says>", from 1 in each dialogue. One with a silence ends there.
class PersonaChat {
 public:
  explicit PersonaChat(std::vector<std::string> paths)
      : paths_(std::move(paths)) {}

  bool Next(Utterances* dialogue) {
    for (std::string line; NextLine(&line);) {
      const std::vector<std::string_view> words = SplitPythonSpace(line);
      if (words.empty()) continue;
      const bool first = words[0] == "1";
      silent_ =
          line.find("__SILENCE__") != std::string::npos || (silent_ && !first);
      const size_t tab = line.find('\t');
      if (silent_ || tab == std::string::npos) continue;
      std::string source = OneSpaced(line.substr(0, tab));
      source.erase(0, source.find(' ') + 1);
      std::string target = line.substr(tab + 1);
      target.resize(std::min(target.size(), target.find('\t')));
      const bool done = first && !current_.empty();
      if (done) *dialogue = std::exchange(current_, {});
      current_.push_back(Cleaned(source));
      current_.push_back(Cleaned(target));
      if (done) return true;
    }
    return false;  // the last one is left out, as in T2T
  }

 private:
  bool NextLine(std::string* line) {
    for (;;) {
      if (!lines_) {
        if (next_ == paths_.size()) return false;
        lines_.emplace(paths_[next_++]);
      }
      if (lines_->Next(line)) return true;
      lines_.reset();
    }
  }

  std::vector<std::string> paths_;
  size_t next_ = 0;
  std::optional<LineReader> lines_;
  bool silent_ = false;
  Utterances current_;
};

NextDialogue ReadPersonaChat(const SampleFiles& files) {
  auto chat = std::make_shared<PersonaChat>(files.Paths());
  return [chat](Utterances* dialogue) { return chat->Next(dialogue); };
}

// Subtitles (Lison and Tiedemann 2016), a film a file: <s id="1"> begins a
// sentence of words, <w id="1.1">word</w>. (The last sentence of a file is left
// out, as in T2T.)
NextDialogue ReadSubtitles(const SampleFiles& files) {
  return
      [paths = files.Paths(), next = size_t{0}](Utterances* dialogue) mutable {
        if (next == paths.size()) return false;
        dialogue->clear();
        std::string words;
        LineReader lines(paths[next++]);
        for (std::string line; lines.Next(&line);) {
          if (line.find("<s id=\"") != std::string::npos) {
            if (!words.empty()) dialogue->push_back(CleanedSubtitle(words));
            words.clear();
            continue;
          }
          const size_t at = line.find("<w id=\"");
          if (at == std::string::npos) continue;
          const size_t begin = line.find('>', at) + 1;
          const size_t end = line.find("</w", begin);
          if (begin == 0 || end == std::string::npos) continue;
          words += ' ' + ReplaceAll(line.substr(begin, end - begin), "\t", " ");
        }
        return true;
      };
}

struct DialogueRow {
  std::string name;
  int64_t size;  // of the vocabulary, with three reserved words
  std::vector<std::string> corpora;
  ReadDialogues read;
  Shares shares;
  bool vocabulary_has_last = true;  // it is of a dialogue's last utterance too
};

// Pairs of utterances; `for_vocabulary`: each utterance of training once.
ReadSamples Pairs(const DialogueRow& row, bool for_vocabulary) {
  return [=](const SampleFiles& files) {
    return SamplesOfGroups(
        [=, next = row.read(files), split = files.split,
         number = int64_t{0}](std::vector<Example>* samples) mutable {
          Utterances dialogue;
          if (!next(&dialogue)) return false;
          if (row.shares.Of(number++) != split || dialogue.empty()) return true;
          const auto stripped = [&](size_t i) {
            return std::string(StripPythonSpace(dialogue[i]));
          };
          const bool last = for_vocabulary && row.vocabulary_has_last;
          for (size_t i = 0; i + (last ? 0 : 1) < dialogue.size(); ++i) {
            if (for_vocabulary) {
              samples->push_back(TextAlone(stripped(i)));
            } else if (!dialogue[i].empty() && !dialogue[i + 1].empty()) {
              samples->push_back(TextPair(stripped(i), stripped(i + 1)));
            }
          }
          return true;
        });
  };
}

Problem MakeDialogue(const DialogueRow& row) {
  constexpr int64_t kReserved = 3;
  Vocabulary words = Words(row.name, row.size - kReserved);
  words.file = "vocab.chatbot." + std::to_string(row.size);
  words.oov_token = "<unk>";
  Problem problem = TextToText(row.name, words, words);
  problem.metrics = DefaultEvalMetrics();
  problem.metrics.push_back("approx_bleu_score");
  problem.splits = TrainDevTest(1);
  for (const std::string& corpus : row.corpora) {
    problem.corpora.push_back(OfAll(CorpusNamed(corpus)));
  }
  ReadBy({Pairs(row, false), false, Pairs(row, true)}, &problem);
  return problem;
}

}  // namespace

void RegisterDialogues(ProblemRegistry& problems) {
  std::vector<DialogueRow> rows = {
      {"dialog_cornell32k", 1 << 15, {"cornell"}, ReadCornell, {}, false},
      {"dialog_dailydialog16k", 1 << 14, {"dailydialog"}, ReadDailyDialog},
      {"dialog_personachat16k",
       1 << 14,
       {"personachat"},
       ReadPersonaChat,
       {81, 91}}};
  for (const std::string year :
       {"2009", "2011", "2012", "2013", "2016", "2018"}) {
    rows.push_back({"dialog_opensubtitles64k" + year,
                    1 << 16,
                    {"opensubtitles" + year},
                    ReadSubtitles});
  }
  for (const DialogueRow& row : rows) {
    problems.Add(row.name, [row] { return MakeDialogue(row); });
  }
}

}  // namespace t2t
