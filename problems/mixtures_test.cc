#include "problems/archive_testing.h"
#include "t2t/problem/mixture_kinds.h"

namespace t2t {
namespace {

std::vector<Problem> Mixtures() {
  std::vector<Problem> mixtures;
  for (const std::string& name : Problems().Names()) {
    Problem problem = *MakeProblem(name);
    if (problem.mixture) mixtures.push_back(std::move(problem));
  }
  return mixtures;
}

// Else a member's ids would mean other words.
TEST(MixturesTest, MembersHaveTheMixturesVocabulary) {
  const std::vector<Problem> mixtures = Mixtures();
  EXPECT_EQ(mixtures.size(), 20u);
  for (const Problem& mixture : mixtures) {
    const Vocabulary& own = mixture.features.at("targets").vocabulary;
    for (const std::string& name : mixture.mixture->members) {
      const auto member = MakeProblem(name);
      const bool has_inputs = member->features.count("inputs") > 0;
      const Vocabulary& text =
          member->features.at(has_inputs ? "inputs" : "targets").vocabulary;
      EXPECT_EQ(text.kind, own.kind) << mixture.name << ": " << name;
      EXPECT_EQ(text.file, own.file) << mixture.name << ": " << name;
      EXPECT_EQ(member->packed_length, mixture.packed_length) << name;
    }
    // The first is what the model is to learn before.
    if (mixture.mixture->kind == Mixture::Kind::kTasks) {
      const auto first = MakeProblem(mixture.mixture->members[0]);
      EXPECT_EQ(first->features.count("inputs"), 0u) << mixture.name;
      EXPECT_TRUE(mixture.splits.empty() && mixture.steps.empty());
    }
  }
}

// T2T's epoch_rates_to_pmf of its numbers of examples.
TEST(MixturesTest, PackedOnesDrawByEpochs) {
  const double all =
      2 * (3597800 + 173800 + 1760600 + 32 + 252600.0) + 18300 + 16300;
  const auto problem =
      MakeProblem("languagemodel_multi_wiki_translate_packed1k");
  const std::vector<double> rates = problem->mixture->rates.At(0);
  ASSERT_EQ(rates.size(), 12u);
  EXPECT_NEAR(rates[0], 3597800 / all, 1e-12);
  EXPECT_NEAR(rates[6], 32 / all, 1e-12);
  EXPECT_NEAR(rates[11], 16300 / all, 1e-12);
  EXPECT_EQ(problem->mixture->members[7],
            "translate_enro_wmt_multi_tiny64k_packed1k_rev");
  const auto v2 = MakeProblem("languagemodel_multi_wiki_translate_packed1k_v2");
  const std::vector<double> more = v2->mixture->rates.At(0);
  EXPECT_NEAR(more[6] / more[0], 3200 / 3597800.0, 1e-12);
}

// Three members of two problems' data.
TEST_F(ArchiveTest, AMixturesDataAreThoseOfItsMembers) {
  const std::string reversal = "algorithmic_reverse_decimal40";
  if (!Problems().Has("mixed_algorithms")) {
    Problems().Add("mixed_algorithms", [reversal] {
      return TaskMixture("mixed_algorithms", {"algorithmic_identity_decimal40",
                                              reversal, reversal + "_rev"});
    });
  }
  options_.max_cases = 20;
  Generate("mixed_algorithms");
  const auto mixture = MakeProblem("mixed_algorithms");
  EXPECT_EQ(mixture->DataFiles(options_.data_dir, DataSplit::kTrain).size(),
            30u);
  const DataFacts facts = DataFactsOf("mixed_algorithms");
  EXPECT_EQ(facts.train_shards, 20);
  EXPECT_FALSE(facts.downloads);
  EXPECT_TRUE(DataFactsOf("languagemodel_multi_wiki_translate_fr").downloads);
  const ProblemInfo info = mixture->Info(options_.data_dir);
  const Problem reverse = MixtureMember(*mixture, 1, info);
  const Problem back = MixtureMember(*mixture, 2, info);
  EXPECT_EQ(WrongLengths(reverse, options_.data_dir, HParams()), "");
  EXPECT_EQ(WrongLengths(back, options_.data_dir, HParams()), "");
  // Targets and inputs of the one are inputs and targets of the other.
  for (Example example :
       ReadExamples(reverse, options_.data_dir, DataSplit::kDev)) {
    std::vector<int64_t> inputs = example.Ints("inputs");
    const std::vector<int64_t> targets = example.Ints("targets");
    ASSERT_TRUE(back.RunFixedSteps(&example, Mode::kTrain, HParams()));
    std::vector<int64_t> expected(targets.begin(), targets.end() - 1);
    expected.push_back(info.tasks[2].id);
    expected.insert(expected.end(), inputs.begin(), inputs.end());
    EXPECT_EQ(example.Ints("targets"), expected);
  }
}

// As T2T's MultiText2TextProblem: texts are cut, and all of one that isn't
// packed is one segment.
TEST(MixturesTest, TextsOfAPackedMixture) {
  Problem mixture = TextMixture(
      "mixed_texts", {{"tiny_algo"}, {"algorithmic_reverse_decimal40", 3}},
      "algorithmic_reverse_decimal40", /*has_inputs=*/true,
      /*packed_length=*/4);
  EXPECT_EQ(mixture.mixture->rates.At(9), (std::vector<double>{0.25, 0.75}));
  const Problem member = MixtureMember(mixture, 1, mixture.Info(""));
  Example example;
  example.features["inputs"] = std::vector<int64_t>{5, 6, 1};
  example.features["targets"] = std::vector<int64_t>{4, 5, 6, 7, 1};
  Example other = example;
  ASSERT_TRUE(member.RunFixedSteps(&example, Mode::kTrain, HParams()));
  using Ids = std::vector<int64_t>;
  EXPECT_EQ(example.features.size(), 6u);
  EXPECT_EQ(example.Ints("inputs_segmentation"), (Ids{1, 1, 1}));
  EXPECT_EQ(example.Ints("inputs_position"), (Ids{0, 1, 2}));
  EXPECT_EQ(example.Ints("targets"), (Ids{4, 5, 6, 7}));
  // Without inputs both are one text.
  mixture.features.erase("inputs");
  mixture.packed_length = 0;
  HParams hparams;
  hparams.Add("max_length", 6);
  ASSERT_TRUE(MixtureMember(mixture, 1, mixture.Info(""))
                  .RunFixedSteps(&other, Mode::kTrain, hparams));
  EXPECT_EQ(other.Ints("targets"), (Ids{5, 6, 4, 5, 6, 7}));
  EXPECT_EQ(other.features.size(), 1u);
}

}  // namespace
}  // namespace t2t
