// Translations of T2T's data_generators/translate_*.py.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/rng.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/problem/text_source.h"

namespace t2t {
namespace {

// The text of a problem: names of corpora.
struct Text {
  std::vector<std::string> training;
  std::vector<std::string> development;
  // Taken where they lie in tmp_dir.
  std::vector<std::string> optional;
};

struct Options {
  int train_shards = 100;
  // The training text stays in the order of its corpora, in one shard: blocks
  // of authentic and of back-translated text must not mix (Popel et al. 2020,
  // "Transforming machine translation").
  bool in_blocks = false;
  int64_t packed_length = 0;
  // Prefixes of the texts, by which a model of several tasks tells them apart.
  std::string inputs_prefix, targets_prefix;
  // Training corpora of these readers go through CleanPairs().
  std::vector<CorpusReader> clean;
  // So many training examples are drawn; 0: all are taken.
  int64_t sampled_examples = 0;
};

struct TranslationRow {
  std::string name;
  Text text;
  TranslationVocabulary vocabulary;
  Options options;
};

constexpr CorpusReader kTxt = CorpusReader::kLines;
constexpr CorpusReader kTmx = CorpusReader::kTmx;
constexpr int64_t k8 = 1 << 13;
constexpr int64_t k32 = 1 << 15;
constexpr char kWiki64k[] = "languagemodel_de_en_fr_ro_wiki64k";

Options Packed(int64_t length) { return {.packed_length = length}; }
Options Cleaned(std::vector<CorpusReader> readers) {
  return {.clean = std::move(readers)};
}
Options InBlocks() { return {.train_shards = 1, .in_blocks = true}; }
// Of T2T's models of several languages and tasks.
Options OneOfSeveral(const std::string& source, const std::string& target) {
  return {.packed_length = 1024,
          .inputs_prefix = "translate " + source + " " + target + " ",
          .targets_prefix = "translate " + target + " " + source + " "};
}
// A small part of the Romanian text.
Options Sampled(int64_t examples) {
  return {.train_shards = 16, .sampled_examples = examples};
}

// Each block of back-translated text is followed by all authentic text.
Text WithBlocks(const std::vector<std::string>& blocks, const Text& text) {
  Text mixed = text;
  mixed.training.clear();
  for (const std::string& block : blocks) {
    mixed.training.push_back(block);
    mixed.training.insert(mixed.training.end(), text.training.begin(),
                          text.training.end());
  }
  return mixed;
}

Text With(Text text, const std::string& corpus) {
  text.training.push_back(corpus);
  return text;
}

std::vector<TranslationRow> German() {
  const Text wmt = {{"nc_v13_ende", "commoncrawl_ende", "europarl_v7_ende"},
                    {"newstest2013_ende"}};
  const Text crawl = {{"paracrawl4_ende"}, {"newstest2013_ende"}};
  const Text both = With(wmt, "paracrawl4_ende");
  const TranslationVocabulary of_32k = Of("translate_ende_wmt32k");
  return {
      {"translate_ende_wmt8k", wmt, Shared(k8), {}},
      {"translate_ende_wmt8k_packed", wmt, Of("translate_ende_wmt8k"),
       Packed(256)},
      {"translate_ende_wmt32k", wmt, Shared(k32), {}},
      {"translate_ende_wmt32k_packed", wmt, of_32k, Packed(256)},
      {"translate_ende_wmt_characters", wmt, Characters(), {}},
      {"translate_ende_wmt_multi64k", wmt, Of(kWiki64k), {}},
      {"translate_ende_wmt_multi64k_packed1k", wmt, Of(kWiki64k),
       OneOfSeveral("English", "German")},
      // WMT 18's text. (T2T's own says which but can't read it.)
      {"translate_ende2018_wmt32k", With(wmt, "rapid2016_ende"), of_32k, {}},
      {"translate_ende_wmt_clean32k", wmt, of_32k, Cleaned({kTxt})},
      {"translate_ende_pc32k", crawl, of_32k, {}},
      {"translate_ende_pc_clean32k", crawl, of_32k, Cleaned({kTmx})},
      {"translate_ende_wmt_pc32k", both, of_32k, {}},
      {"translate_ende_wmt_clean_pc32k", both, of_32k, Cleaned({kTxt})},
      {"translate_ende_wmt_pc_clean32k", both, of_32k, Cleaned({kTmx})},
      {"translate_ende_wmt_clean_pc_clean32k", both, of_32k,
       Cleaned({kTxt, kTmx})},
  };
}

std::vector<TranslationRow> French() {
  const Text small = {{"baseline_train_enfr"}, {"baseline_valid_enfr"}};
  const Text wmt = {{"commoncrawl_enfr", "europarl_v7_enfr", "nc_v9_enfr",
                     "giga_enfr", "undoc_enfr"},
                    {"newstest2013_enfr"}};
  const TranslationVocabulary of_32k = Of("translate_enfr_wmt32k");
  return {
      {"translate_enfr_wmt_small8k", small, Shared(k8), {}},
      {"translate_enfr_wmt_small32k", small, Shared(k32), {}},
      {"translate_enfr_wmt_small_characters", small, Characters(), {}},
      {"translate_enfr_wmt8k", wmt, Shared(k8), {}},
      {"translate_enfr_wmt32k", wmt, Shared(k32), {}},
      {"translate_enfr_wmt32k_packed", wmt, of_32k, Packed(256)},
      {"translate_enfr_wmt_characters", wmt, Characters(), {}},
      {"translate_enfr_wmt_multi64k", wmt, Of(kWiki64k), {}},
      {"translate_enfr_wmt_multi64k_packed1k", wmt, Of(kWiki64k),
       OneOfSeveral("English", "French")},
      {"translate_enfr_wmt32k_with_backtranslate_fr",
       WithBlocks({"fr_mono"}, wmt), of_32k, InBlocks()},
      {"translate_enfr_wmt32k_with_backtranslate_en",
       WithBlocks({"en_mono0", "en_mono1", "en_mono2"}, wmt), of_32k,
       InBlocks()},
  };
}

std::vector<TranslationRow> Spanish() {
  const Text wmt = {
      {"commoncrawl_enes", "europarl_v7_enes", "undoc_enes", "paracrawl1_enes"},
      {"newstest2013_enes"}};
  return {
      {"translate_enes_wmt8k", wmt, Shared(k8), {}},
      {"translate_enes_wmt8k_packed", wmt, Of("translate_enes_wmt8k"),
       Packed(256)},
      {"translate_enes_wmt32k", wmt, Shared(k32), {}},
      {"translate_enes_wmt32k_packed", wmt, Of("translate_enes_wmt32k"),
       Packed(256)},
      {"translate_enes_wmt_clean32k", wmt, Of("translate_enes_wmt32k"),
       Cleaned({kTxt})},
      {"translate_enes_wmt_characters", wmt, Characters(), {}},
  };
}

std::vector<TranslationRow> Czech() {
  const Text wmt = {
      {"czeng_encs", "nc_v13_encs", "commoncrawl_encs", "europarl_v7_encs"},
      {"newstest2013_encs"}};
  return {
      {"translate_encs_wmt32k", wmt, Shared(k32), {}},
      {"translate_encs_wmt_characters", wmt, Characters(), {}},
      {"translate_encs_cubbitt",
       WithBlocks({"cs_mono0", "cs_mono1", "cs_mono2"}, wmt),
       Of("translate_encs_wmt32k"), InBlocks()},
  };
}

std::vector<TranslationRow> Romanian() {
  const Text wmt = {{"europarl_v7_enro", "setimes_enro"}, {"newsdev2016_enro"}};
  Options tiny_packed = OneOfSeveral("English", "Romanian");
  tiny_packed.train_shards = 16;
  tiny_packed.sampled_examples = 600;
  return {
      {"translate_enro_wmt8k", wmt, Shared(k8), {}},
      {"translate_enro_wmt32k", wmt, Shared(k32), {}},
      {"translate_enro_wmt_characters", wmt, Characters(), {}},
      {"translate_enro_wmt_multi64k", wmt, Of(kWiki64k), {}},
      {"translate_enro_wmt_multi_small64k", wmt, Of(kWiki64k), Sampled(6000)},
      {"translate_enro_wmt_multi_tiny64k", wmt, Of(kWiki64k), Sampled(600)},
      {"translate_enro_wmt_multi_tiny64k_packed1k", wmt, Of(kWiki64k),
       tiny_packed},
  };
}

std::vector<TranslationRow> Others() {
  const Text chinese = {
      {"nc_v13_enzh"}, {"newsdev2017_enzh"}, {"cwmt_enzh", "un_v1_enzh"}};
  const Text estonian = {
      {"europarl_v8_enet", "paracrawl1_enet", "rapid2016_enet"},
      {"newsdev2018_enet"}};
  const Text macedonian = {{"setimes_enmk"}, {"mte1984_enmk"}};
  const Text indonesian = {{"iwslt17_train_enid", "panl_ECO_enid",
                            "panl_INT_enid", "panl_SCI_enid", "panl_SPO_enid"},
                           {"iwslt17_test_enid"}};
  TranslationVocabulary tswana = Shared(k32);
  tswana.file = "vocab.entn.32768";
  return {
      {"translate_enzh_wmt8k",
       {chinese.training, chinese.development},
       PerSide("en", "zh", k8, 1e8),
       {.train_shards = 10}},
      {"translate_enzh_wmt32k", chinese, PerSide("en", "zh", k32, 1e8), {}},
      {"translate_enet_wmt32k", estonian, Shared(k32), {}},
      {"translate_enet_wmt_characters", estonian, Characters(), {}},
      {"translate_enid_iwslt32k", indonesian, Shared(k32), {}},
      {"translate_enmk_setimes32k", macedonian, Shared(k32), {}},
      {"translate_enmk_setimes_characters", macedonian, Characters(), {}},
      {"translate_entn_rma",
       {{"autshumato_train_entn"}, {"autshumato_dev_entn"}},
       tswana,
       {}},
      {"translate_envi_iwslt32k",
       {{"iwslt15_train_envi"}, {"iwslt15_tst2012_envi"}},
       Shared(k32),
       {}},
  };
}

// T2T draws each of the 614,000 Romanian pairs with the probability that gives
// about so many, in the order of the text, and goes through it twice at most.
NextSample DrawSome(const OpenSamples& open, int64_t examples, uint64_t seed) {
  constexpr double kPairs = 614000;
  const double share = static_cast<double>(examples) / kPairs;
  return [open, share, next = open(), again = true, rng = Rng(seed),
          left = examples](TextSample* sample) mutable {
    while (left > 0) {
      if (next(sample)) {
        if (rng.Uniform() > share) continue;
        --left;
        return true;
      }
      if (!std::exchange(again, false)) return false;
      next = open();
    }
    return false;
  };
}

Problem MakeTranslation(const TranslationRow& row) {
  const Options& options = row.options;
  std::vector<CorpusUse> corpora;
  for (const std::string& name : row.text.training) {
    CorpusUse use = Train(CorpusNamed(name));
    const auto& clean = options.clean;
    use.clean =
        std::find(clean.begin(), clean.end(), use.corpus.reader) != clean.end();
    corpora.push_back(std::move(use));
  }
  for (const std::string& name : row.text.optional) {
    corpora.push_back(WhereItLies(Train(CorpusNamed(name))));
  }
  for (const std::string& name : row.text.development) {
    corpora.push_back(Dev(CorpusNamed(name)));
  }
  Problem problem = Translation(row.name, std::move(corpora), row.vocabulary);
  problem.splits = TrainDev(options.train_shards);
  problem.splits[0].shuffle = !options.in_blocks;
  problem.packed_length = options.packed_length;
  SetPrefixes(options.inputs_prefix, options.targets_prefix, &problem);
  if (options.sampled_examples > 0) {
    problem.open =
        [most = options.sampled_examples](const SourceContext& context) {
          const auto seed = static_cast<uint64_t>(context.options.seed);
          return OpenSomeTranslations(context, [=](const OpenSamples& open) {
            return DrawSome(open, most, seed);
          });
        };
  }
  return problem;
}

}  // namespace

void RegisterTranslate(ProblemRegistry& problems) {
  for (const auto rows : {German, French, Spanish, Czech, Romanian, Others}) {
    for (const TranslationRow& row : rows()) {
      problems.Add(row.name, [row] { return MakeTranslation(row); });
    }
  }
}

}  // namespace t2t
