#include "t2t/bin/datagen/select_problems.h"

#include <gtest/gtest.h>

#include "t2t/base/error.h"

namespace t2t {
namespace {

using Names = std::vector<std::string>;

TEST(SelectProblemsTest, NamesListsAndPatterns) {
  EXPECT_EQ(SelectProblems("tiny_algo", ""), Names{"tiny_algo"});
  EXPECT_EQ(SelectProblems("translate_ende_multi30k_rev", ""),
            Names{"translate_ende_multi30k"});
  EXPECT_EQ(SelectProblems("tiny_algo, image_mnist,tiny_algo_rev", ""),
            (Names{"tiny_algo", "image_mnist"}));
  EXPECT_EQ(SelectProblems("translate_*_multi30k", "encs"),
            (Names{"translate_ende_multi30k", "translate_enfr_multi30k"}));
}

TEST(SelectProblemsTest, NamesWhatIsWrong) {
  EXPECT_THROW(SelectProblems("", ""), Error);
  EXPECT_THROW(SelectProblems("no_such_*", ""), Error);
  EXPECT_THROW(SelectProblems("tiny_algo", "tiny"), Error);
  try {
    SelectProblems("tiny_algo,translate_ende_multi30", "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("translate_ende_multi30k"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace t2t
