// News to their highlights (Hermann et al. 2015, arXiv:1506.03340; the split of
// See et al. 2017): T2T's data_generators/cnn_dailymail.py. Which stories a
// problem of a part of them trains on is drawn by a generator of our own.

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/sha1.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

struct Story {
  std::string text, highlights;
};

bool EndsASentence(const std::string& line) {
  for (const char* const end :
       {".", "!", "?", "'", "`", "\"", "\u2019", "\u201d", ")"}) {
    if (EndsWith(line, end)) return true;
  }
  return false;
}

// Lines that "@highlight" is before are highlights; a line without a full stop
// gets one. Both are empty where the story has none of one of them.
Story ReadStory(const std::string& path) {
  constexpr std::string_view kHighlight = "@highlight";
  Story story;
  bool highlights = false;
  for (const std::string& raw : ReadTextLines(path)) {
    std::string line(StripPythonSpace(raw));
    if (line.empty()) continue;
    if (StartsWith(line, kHighlight)) {
      if (story.text.empty()) return {};
      highlights = true;
      continue;
    }
    if (line.find(kHighlight) == std::string::npos && !EndsASentence(line)) {
      line += '.';
    }
    std::string& to = highlights ? story.highlights : story.text;
    to += (to.empty() ? "" : " ") + line;
  }
  if (story.text.empty() || story.highlights.empty()) return {};
  return story;
}

// The files of a split's stories, in the order of its list of addresses: a file
// is called by the SHA-1 of its own.
std::vector<std::string> StoriesOf(const SampleFiles& files) {
  std::unordered_map<std::string, std::string> paths;
  std::string list;
  for (const std::string& path : files.Paths()) {
    if (EndsWith(path, ".story")) {
      paths[BaseName(path)] = path;
    } else {
      list = path;
    }
  }
  std::vector<std::string> stories;
  int64_t missing = 0;
  for (const std::string& line : ReadTextLines(list)) {
    const std::string address(StripPythonSpace(line));
    if (address.empty()) continue;
    const auto found = paths.find(Sha1(address) + ".story");
    if (found == paths.end()) {
      ++missing;
    } else {
      stories.push_back(found->second);
    }
  }
  if (missing > 0) {
    Log("  note: " + Count(missing, "story") + " of " + list +
        " are not there");
  }
  return stories;
}

ReadSamples ReadStories(double share, bool for_vocabulary) {
  return [=](const SampleFiles& files) {
    std::vector<std::string> stories = StoriesOf(files);
    if (share < 1 && files.split == DataSplit::kTrain) {
      Rng rng(files.seed);
      rng.Shuffle(&stories);
      stories.resize(
          static_cast<size_t>(static_cast<double>(stories.size()) * share));
    }
    return SamplesOfFiles(
        std::move(stories),
        [=](const std::string& path, std::vector<Example>* samples) {
          Story story = ReadStory(path);
          if (story.text.empty()) return;
          samples->push_back(
              for_vocabulary ? TextAlone(story.text + " " + story.highlights)
                             : TextPair(std::move(story.text),
                                        std::move(story.highlights)));
        });
  };
}

Problem Summaries(const std::string& name, const Vocabulary& vocabulary,
                  double share = 1) {
  Problem problem = TextToText(name, vocabulary, vocabulary);
  problem.corpora = {
      OfAll(CorpusNamed("cnn_stories")),
      OfAll(CorpusNamed("dailymail_stories")), Train(CorpusNamed("news_train")),
      Dev(CorpusNamed("news_val")), Test(CorpusNamed("news_test"))};
  problem.splits = {{DataSplit::kTrain, 100, true},
                    {DataSplit::kDev, 10, false},
                    {DataSplit::kTest, 10, false}};
  ReadBy({ReadStories(share, false), false, ReadStories(1, true)}, &problem);
  return problem;
}

// Of a Wikipedia article what is before its first section's title.
bool KeepLead(Example* example, const StepContext&) {
  const std::vector<int64_t>& boundaries = example->Ints("section_boundaries");
  std::vector<int64_t> targets = example->Ints("targets");
  if (boundaries.empty() || boundaries[0] < 0) {
    throw DataError("an article has no 'section_boundaries'",
                    "where its first section begins",
                    "make the data again, as T2T's wikisum says");
  }
  if (static_cast<size_t>(boundaries[0]) < targets.size()) {
    targets.resize(static_cast<size_t>(boundaries[0]));
  }
  targets.push_back(kEosId);
  example->features["targets"] = std::move(targets);
  return true;
}

// Articles of Wikipedia out of what they refer to (Liu et al. 2018,
// arXiv:1801.10198). T2T's data_generators/wikisum makes the shards on a
// thousand machines.
Problem Wikisum(const std::string& data, bool lead_alone) {
  Vocabulary vocabulary;
  vocabulary.kind = Vocabulary::Kind::kSubwords;
  vocabulary.file = "vocab." + data + ".32768";
  vocabulary.size = 1 << 15;
  Problem problem = TextToText(data + (lead_alone ? "_lead_section" : ""),
                               vocabulary, vocabulary);
  problem.data_name = data;
  problem.metrics = DefaultEvalMetrics();
  problem.metrics.insert(problem.metrics.end(),
                         {"rouge_2_fscore", "rouge_L_fscore"});
  problem.splits = TrainDevTest(1000);
  problem.features["section_boundaries"].modality = "identity";
  problem.features["section_boundaries"].in_shards_only = true;
  std::vector<Step> first;
  // (How long a lead is its boundary says, and no length.)
  if (lead_alone) first.push_back({.name = "keep the lead", .run = KeepLead});
  first.push_back({.name = "drop section boundaries",
                   .run =
                       [](Example* example, const StepContext&) {
                         example->features.erase("section_boundaries");
                         return true;
                       },
                   .lengths = [](Mode, const HParams&) -> LengthsStep {
                     return [](ExampleLengths* lengths) {
                       lengths->Erase("section_boundaries");
                       return true;
                     };
                   }});
  problem.steps.insert(problem.steps.begin(), first.begin(), first.end());
  TakeGivenShards("T2T's data_generators/wikisum", &problem);
  return problem;
}

}  // namespace

void RegisterSummaries(ProblemRegistry& problems) {
  const std::string wiki64k = "languagemodel_en_wiki64k";
  const std::string multi64k = "languagemodel_de_en_fr_ro_wiki64k";
  problems.Add("summarize_cnn_dailymail32k", [] {
    const std::string name = "summarize_cnn_dailymail32k";
    return Summaries(name, SharedSubwords(name, 1 << 15));
  });
  for (const std::string data : {"wikisum_commoncrawl", "wikisum_web"}) {
    for (const bool lead_alone : {false, true}) {
      problems.Add(data + (lead_alone ? "_lead_section" : ""),
                   [=] { return Wikisum(data, lead_alone); });
    }
  }
  const std::string stem = "summarize_cnn_dailymail_wiki_lm_";
  const std::pair<std::string, std::string> shared[] = {
      {stem + "shared_vocab", "languagemodel_en_wiki32k"},
      {stem + "shared_vocab64k", wiki64k},
      {stem + "multi_vocab64k", multi64k}};
  for (const auto& [name, of] : shared) {
    problems.Add(name, [name = name, of = of] {
      return Summaries(name, VocabularyOf(of));
    });
  }
  problems.Add("summarize_cnn_dailymail_multi64k_packed1k", [=] {
    Problem problem = Summaries("summarize_cnn_dailymail_multi64k_packed1k",
                                VocabularyOf(multi64k));
    problem.packed_length = 1024;
    SetPrefixes("CNN Daily Mail article to summary ",
                "CNN Daily Mail summary to article ", &problem);
    return problem;
  });
  // So many percent of the stories, to learn from few.
  const std::pair<const char*, double> shares[] = {
      {"", 1},     {"0p1", 0.001}, {"1", 0.01}, {"2", 0.02},
      {"5", 0.05}, {"10", 0.1},    {"20", 0.2}, {"50", 0.5}};
  for (const auto& [percent, share] : shares) {
    const std::string name = std::string("summarize_frac") + percent +
                             "_cnn_dailymail_wiki_lm_shared_vocab64k";
    problems.Add(name, [name, wiki64k, share = share] {
      return Summaries(name, VocabularyOf(wiki64k), share);
    });
  }
}

}  // namespace t2t
