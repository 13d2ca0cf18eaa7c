// t2t-query-server against a server of a fake model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/subprocess.h"
#include "t2t/problem/datagen.h"
#include "t2t/problem/problem.h"
#include "t2t/serve/grpc_server.h"
#include "t2t/serve/rest_fixture.h"

namespace t2t {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kBadData = static_cast<int>(ExitCode::kBadData);
constexpr int kRetry = static_cast<int>(ExitCode::kRetry);

class QueryServerTest : public RestTest {
 protected:
  QueryServerTest() {
    options_.max_input_tokens = 5;
    Start();
    grpc_.emplace(GrpcOptions{}, &*service_);
  }

  std::vector<std::string> Addresses() const {
    return {"http://127.0.0.1:" + std::to_string(server_->port()),
            "127.0.0.1:" + std::to_string(grpc_->port())};
  }

  // Its standard input is a file of these lines.
  RunResult Ask(const std::string& address, const std::string& lines,
                const std::string& flags = "--servable_name=m") const {
    const std::string path = JoinPath(base_, "lines");
    WriteFileAtomically(path, lines);
    return RunProgram({"/bin/sh", "-c",
                       "t2t/bin/query_server/t2t-query-server --server=" +
                           address + " " + flags + " <" + path});
  }

  std::optional<GrpcServer> grpc_;
};

// tensorflow/tensor2tensor#1219: the first empty line ended the client.
TEST_F(QueryServerTest, NothingInNothingOut) {
  GenerateOptions generate;
  generate.data_dir = base_;
  generate.tmp_dir = base_;
  generate.max_cases = 2;
  GenerateData(*MakeProblem("translate_numbers_ende"), generate);
  for (const std::string& address : Addresses()) {
    const RunResult run = Ask(address, "\n \u3000\t\nab\n");
    EXPECT_EQ(run.code, 0) << run.output;
    EXPECT_THAT(run.output,
                HasSubstr("Input:\n\n\nOutput (Score 0.000):\n\n>> "));
    EXPECT_THAT(run.output, HasSubstr("Output (Score -0.100):\nab.\n"));
    // T2T would send the end symbol alone.
    const RunResult encoded =
        Ask(address, "\n\n",
            "--servable_name=m --problem=translate_numbers_ende --data_dir=" +
                base_);
    EXPECT_EQ(encoded.code, 0) << encoded.output;
    EXPECT_THAT(encoded.output, Not(HasSubstr("Score -")));
  }
  EXPECT_EQ(service_->metrics().Value("t2t_rows_total"), 2);
}

TEST_F(QueryServerTest, ALineThatIsRefusedCostsNoOther) {
  for (const std::string& address : Addresses()) {
    const RunResult run = Ask(address, "abcdef\nab\nfail\ncd\n");
    EXPECT_EQ(run.code, kBadData) << run.output;
    EXPECT_THAT(run.output, HasSubstr("line 1: the server answers"));
    EXPECT_THAT(run.output, HasSubstr("6 tokens; at most 5 are taken"));
    EXPECT_THAT(run.output, HasSubstr(":\nab.\n"));
    EXPECT_THAT(run.output, HasSubstr("line 3: the server answers"));
    EXPECT_THAT(run.output, HasSubstr(":\ncd.\n"));
    EXPECT_THAT(run.output, HasSubstr("2 of 4 lines have no answer"));
    // The model's own failures may pass.
    EXPECT_EQ(Ask(address, "fail\n").code, kRetry);
    // Beyond what the protocol takes, and beyond all memory of the server's.
    const RunResult huge = Ask(address, std::string(5 << 20, 'x') + "\nab\n");
    EXPECT_EQ(huge.code, kBadData);
    EXPECT_THAT(huge.output, HasSubstr(":\nab.\n"));
  }
}

TEST_F(QueryServerTest, WhatConcernsEveryLineEndsIt) {
  for (const std::string& address : Addresses()) {
    const RunResult run = Ask(address, "a\nb\n", "--servable_name=other");
    EXPECT_EQ(run.code, static_cast<int>(ExitCode::kUsage)) << run.output;
    EXPECT_THAT(run.output, Not(HasSubstr("line ")));
  }
  const std::string rest = Addresses()[0];
  server_.reset();
  EXPECT_EQ(Ask(rest, "a\nb\n").code, kRetry);
}

}  // namespace
}  // namespace t2t
