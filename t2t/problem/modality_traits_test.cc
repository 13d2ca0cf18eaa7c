#include "t2t/problem/modality_traits.h"

#include <gtest/gtest.h>

#include "t2t/base/error.h"

namespace t2t {
namespace {

TEST(ModalityTraitsTest, AllOfT2TsModalities) {
  EXPECT_EQ(ModalitiesWithTraits().size(), 33u);
}

// T2T's weights_fn of each.
TEST(ModalityTraitsTest, PaddingWeighsNothingWhereT2THasItSo) {
  std::vector<std::string> nonzero;
  for (const std::string& name : ModalitiesWithTraits()) {
    if (TraitsOfModality(name).padding_weighs_nothing) nonzero.push_back(name);
  }
  EXPECT_EQ(nonzero, (std::vector<std::string>{"ctc_symbol", "identity_symbol",
                                               "multi_label", "symbol",
                                               "symbol_one_hot"}));
}

TEST(ModalityTraitsTest, OfSymbolsTokensAreCounted) {
  for (const std::string& name : ModalitiesWithTraits()) {
    EXPECT_EQ(TraitsOfModality(name).is_symbols,
              name.find("symbol") != std::string::npos)
        << name;
  }
}

TEST(ModalityTraitsTest, AnUnknownOneGetsAHintAndOnesOwnAPlace) {
  try {
    TraitsOfModality("symbl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("did you mean 'symbol'"),
              std::string::npos)
        << error.what();
  }
  ModalityTraits traits;
  traits.is_image = true;
  EXPECT_THROW(AddModalityTraits("image", traits), Error);
}

}  // namespace
}  // namespace t2t
