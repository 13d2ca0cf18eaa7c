// Edits that correct a text (Stahlberg and Kumar 2020, "Seq2Edits",
// arXiv:2009.11136): of grammar, or of the way in which text is spoken. T2T's
// data_generators/seq2edits.py, which has no way to make the data either: a
// person brings T2T's shards and vocabularies.

#include <string>
#include <utility>

#include "problems/all_problems.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"

namespace t2t {
namespace {

Vocabulary Given(Vocabulary::Kind kind, const std::string& file) {
  Vocabulary vocabulary;
  vocabulary.kind = kind;
  vocabulary.file = file;
  if (kind == Vocabulary::Kind::kSubwords) vocabulary.size = 1 << 15;
  return vocabulary;
}

// An edit's span and, where a problem has them, the kind of error.
void AddSpans(Problem* problem) {
  for (const char* const name : {"targets_start_token", "targets_end_token"}) {
    problem->features[name].modality = "identity";
  }
  problem->features["targets_error_tag"].vocabulary =
      Given(Vocabulary::Kind::kTokens, "vocab.error_tags");
}

// Of the model transformer_seq2edits; in T2T, too, they come with the problem.
void AddEditHParams(HParams* hparams) {
  const auto add = [&](const char* name, auto value) {
    if (!hparams->Has(name)) hparams->Add(name, value);
  };
  add("use_error_tags", true);
  add("middle_prediction", true);
  add("middle_prediction_layer_factor", 2.0);
  add("use_start_token", false);
  add("feedback_end_token", false);
  add("ffn_in_prediction_cascade", int64_t{1});
  add("error_tag_embed_size", int64_t{6});
}

Problem MakeEdits(const std::string& name, bool is_grammar, bool is_deep,
                  bool has_tags, bool is_packed) {
  using Kind = Vocabulary::Kind;
  const Vocabulary subwords = Given(Kind::kSubwords, "vocab.subwords");
  Problem problem = is_grammar
                        ? TextToText(name, subwords, subwords)
                        : TextToText(name, Given(Kind::kTokens, "vocab.source"),
                                     Given(Kind::kTokens, "vocab.target"));
  problem.data_name = std::string("edit_ops_") +
                      (is_grammar ? "gec" : "textnorm") +
                      (is_packed ? "_packed256" : "");
  if (is_packed) problem.packed_length = 256;
  AddSpans(&problem);
  problem.adjust_hparams = [=](HParams* hparams) {
    AddEditHParams(hparams);
    if (!has_tags) hparams->Set("use_error_tags", false);
    if (is_deep) hparams->Set("middle_prediction_layer_factor", 1.5);
  };
  TakeGivenShards("where the texts were aligned", &problem);
  return problem;
}

}  // namespace

void RegisterEdits(ProblemRegistry& problems) {
  for (const bool is_grammar : {true, false}) {
    for (const bool is_deep : {false, true}) {
      if (is_deep && !is_grammar) continue;
      for (const bool has_tags : {true, false}) {
        for (const bool is_packed : {false, true}) {
          const std::string name =
              std::string("seq2edits_") + (is_grammar ? "gec" : "textnorm") +
              (is_deep ? "_deep" : "") + (has_tags ? "" : "_no_tags") +
              (is_packed ? "_packed256" : "");
          problems.Add(name, [=] {
            return MakeEdits(name, is_grammar, is_deep, has_tags, is_packed);
          });
        }
      }
    }
  }
}

}  // namespace t2t
