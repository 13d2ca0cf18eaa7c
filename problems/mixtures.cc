// Mixtures of problems: a language model and the tasks that it is to learn
// besides.

#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/problem/mixture_kinds.h"

namespace t2t {
namespace {

constexpr char kEnglish32k[] = "languagemodel_en_wiki32k";
constexpr char kEnglish64k[] = "languagemodel_en_wiki64k";
constexpr char kFourLanguages[] = "languagemodel_de_en_fr_ro_wiki64k";

struct TaskRow {
  const char* name;
  std::vector<std::string> members;
};

std::vector<TaskRow> TaskRows() {
  const std::string nli = "multi_nli_";
  const std::string news = "summarize_cnn_dailymail_wiki_lm_";
  return {
      {"languagemodel_lm1b_sentiment_imdb",
       {"languagemodel_lm1b_characters", "sentiment_imdb_characters"}},
      {"languagemodel_lm1b_multi_nli",
       {"languagemodel_lm1b_characters", nli + "characters"}},
      {"languagemodel_lm1b_multi_nli_subwords",
       {"languagemodel_lm1b32k", nli + "shared_vocab"}},
      {"languagemodel_en_wiki_lm_multi_nli_subwords",
       {kEnglish32k, nli + "wiki_lm_shared_vocab"}},
      {"languagemodel_en_wiki_lm_multi_nli_subwords64k",
       {kEnglish64k, nli + "wiki_lm_shared_vocab64k"}},
      {"languagemodel_en_wiki_lm_short_multi_nli_subwords64k",
       {"languagemodel_en_wiki64k_shorter", nli + "wiki_lm_shared_vocab64k"}},
      {"languagemodel_en_wiki_lm_squad_concat_subwords",
       {kEnglish32k, "squad_concat_shared_vocab"}},
      {"languagemodel_en_wiki_lm_summarize_cnndm_subwords",
       {kEnglish32k, news + "shared_vocab"}},
      {"languagemodel_en_wiki_lm_summarize_cnndm_subwords64k",
       {kEnglish64k, news + "shared_vocab64k"}},
      {"languagemodel_multi_wiki_translate_fr",
       {kFourLanguages, "translate_enfr_wmt_multi64k"}},
      {"languagemodel_multi_wiki_translate",
       {kFourLanguages, "translate_ende_wmt_multi64k",
        "translate_enfr_wmt_multi64k", "translate_enro_wmt_multi_tiny64k",
        "translate_ende_wmt_multi64k_rev", "translate_enfr_wmt_multi64k_rev",
        "translate_enro_wmt_multi_tiny64k_rev", news + "multi_vocab64k",
        nli + "wiki_lm_multi_vocab64k", "squad_concat_multi64k"}},
  };
}

// With T2T's number of training examples, which turns epochs into examples.
struct PackedRow {
  const char* name;
  double examples;
  bool reversed_too;
  double epochs;        // of languagemodel_multi_wiki_translate_packed1k
  double epochs_of_v2;  // more of what is rare
};

constexpr PackedRow kPacked[] = {
    {"languagemodel_de_en_fr_ro_wiki64k_fitb_packed1k", 3597800, true, 1, 1},
    {"translate_ende_wmt_multi64k_packed1k", 173800, true, 1, 3},
    {"translate_enfr_wmt_multi64k_packed1k", 1760600, true, 1, 1},
    {"translate_enro_wmt_multi_tiny64k_packed1k", 32, true, 1, 100},
    {"summarize_cnn_dailymail_multi64k_packed1k", 252600, true, 1, 1},
    {"multi_nli_text2text_multi64k_packed1k", 18300, false, 1, 10},
    {"squad_text2text_multi64k_packed1k", 16300, false, 1, 10},
};

Problem Packed(const std::string& name, double PackedRow::*epochs) {
  std::vector<TextMember> members;
  for (const PackedRow& row : kPacked) {
    const double rate = row.*epochs * row.examples;
    members.push_back({row.name, rate});
    if (row.reversed_too) {
      members.push_back({std::string(row.name) + "_rev", rate});
    }
  }
  return TextMixture(name, members, kFourLanguages, /*has_inputs=*/true,
                     /*packed_length=*/1024);
}

}  // namespace

void RegisterMixtures(ProblemRegistry& problems) {
  for (const TaskRow& row : TaskRows()) {
    problems.Add(row.name,
                 [row] { return TaskMixture(row.name, row.members); });
  }
  // A language model, and summaries of some percent of the stories.
  for (const std::string percent : {"1", "2", "5", "10", "20", "50"}) {
    const std::string name = "languagemodel_en_wiki_lm_summarize_frac" +
                             percent + "_cnndm_subwords64k";
    problems.Add(name, [=] {
      return TaskMixture(
          name, {kEnglish64k, "summarize_frac" + percent +
                                  "_cnn_dailymail_wiki_lm_shared_vocab64k"});
    });
  }
  const std::string halves = "languagemodel_en_wiki_lm_multi_nli_subwords_v2";
  problems.Add(halves, [halves] {
    return TextMixture(halves,
                       {{kEnglish32k}, {"multi_nli_wiki_lm_shared_vocab"}},
                       kEnglish32k, /*has_inputs=*/false);
  });
  const std::pair<std::string, double PackedRow::*> packed[] = {
      {"languagemodel_multi_wiki_translate_packed1k", &PackedRow::epochs},
      {"languagemodel_multi_wiki_translate_packed1k_v2",
       &PackedRow::epochs_of_v2}};
  for (const auto& [name, epochs] : packed) {
    problems.Add(
        name, [name = name, epochs = epochs] { return Packed(name, epochs); });
  }
}

}  // namespace t2t
