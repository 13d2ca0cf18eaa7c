#include "t2t/input/chunked_input.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// Batches by their number; the state is the number of the next.
class ListedInput : public InputPipeline {
 public:
  explicit ListedInput(std::vector<Batch> batches)
      : batches_(std::move(batches)) {}

  std::optional<Batch> Next() override {
    if (next_ >= batches_.size()) return std::nullopt;
    return batches_[next_++];
  }
  std::string State() const override { return std::to_string(next_); }
  void Restore(const std::string& state) override {
    next_ = static_cast<size_t>(std::stoi(state));
  }

 private:
  std::vector<Batch> batches_;
  size_t next_ = 0;
};

HostTensor Ids(int64_t rows, int64_t columns, const std::vector<int64_t>& ids) {
  return HostTensor({rows, columns}, ids);
}

std::vector<Batch> Batches() {
  return {{{"targets", Ids(3, 5,
                           {2, 3, 4, 5, 6,  //
                            7, 8, 0, 0, 0,  //
                            9, 0, 0, 0, 0})},
           {"inputs", Ids(3, 2, {1, 2, 3, 4, 5, 6})}},
          {{"targets", Ids(1, 4, {0, 0, 3, 4})}, {"inputs", Ids(1, 1, {7})}}};
}

std::unique_ptr<InputPipeline> Make(int64_t length, int64_t max_rows) {
  return MakeChunkedPipeline(std::make_unique<ListedInput>(Batches()), length,
                             max_rows);
}

std::string Text(const Batch& batch) {
  std::string text;
  for (const auto& [name, tensor] : batch) {
    text += name + "[" + std::to_string(tensor.shape()[0]) + "," +
            std::to_string(tensor.shape()[1]) + "]";
    for (const int64_t id : tensor.Ints()) text += " " + std::to_string(id);
    text += "; ";
  }
  return text;
}

std::vector<std::string> Rest(InputPipeline* input) {
  std::vector<std::string> texts;
  while (const std::optional<Batch> batch = input->Next()) {
    texts.push_back(Text(*batch));
  }
  return texts;
}

TEST(ChunkedInputTest, CutsTargets) {
  EXPECT_EQ(Rest(Make(2, 0).get()),
            (std::vector<std::string>{
                "chunk_number[3,1] 0 0 0; inputs[3,2] 1 2 3 4 5 6; "
                "targets[3,2] 2 3 7 8 9 0; ",
                "chunk_number[3,1] 1 1 1; inputs[3,2] 1 2 3 4 5 6; "
                "targets[3,2] 4 5 0 0 0 0; ",
                "chunk_number[3,1] 2 2 2; inputs[3,2] 1 2 3 4 5 6; "
                "targets[3,2] 6 0 0 0 0 0; ",
                // The first chunk is padding alone.
                "chunk_number[1,1] 1; inputs[1,1] 7; targets[1,2] 3 4; "}));
}

TEST(ChunkedInputTest, DividesRows) {
  EXPECT_EQ(Rest(Make(4, 2).get()),
            (std::vector<std::string>{
                "chunk_number[2,1] 0 0; inputs[2,2] 1 2 3 4; "
                "targets[2,4] 2 3 4 5 7 8 0 0; ",
                "chunk_number[2,1] 1 1; inputs[2,2] 1 2 3 4; "
                "targets[2,4] 6 0 0 0 0 0 0 0; ",
                // The third row has no second chunk.
                "chunk_number[1,1] 0; inputs[1,2] 5 6; targets[1,4] 9 0 0 0; ",
                "chunk_number[1,1] 0; inputs[1,1] 7; targets[1,4] 0 0 3 4; "}));
}

TEST(ChunkedInputTest, GoesOnExactly) {
  const std::vector<std::string> all = Rest(Make(2, 2).get());
  for (size_t stop = 0; stop <= all.size(); ++stop) {
    const auto first = Make(2, 2);
    for (size_t i = 0; i < stop; ++i) first->Next();
    const auto second = Make(2, 2);
    second->Next();
    second->Restore(first->State());
    // Asked again before anything was read.
    const auto third = Make(2, 2);
    third->Restore(second->State());
    const std::vector<std::string> left(
        all.begin() + static_cast<std::ptrdiff_t>(stop), all.end());
    EXPECT_EQ(Rest(second.get()), left) << stop;
    EXPECT_EQ(Rest(third.get()), left) << stop;
  }
}

TEST(ChunkedInputTest, TakesTheStateOfARunWithoutChunks) {
  const auto input = Make(2, 0);
  input->Restore("1");
  EXPECT_EQ(Rest(input.get()).size(), 1U);
}

TEST(ChunkedInputTest, RefusesWhatIsNoText) {
  const auto code = [](Batch batch) {
    try {
      MakeChunkedPipeline(
          std::make_unique<ListedInput>(std::vector<Batch>{std::move(batch)}),
          2, 0)
          ->Next();
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kOk;
  };
  EXPECT_EQ(code({{"inputs", Ids(1, 1, {2})}}), ExitCode::kUsage);
  const HostTensor image({1, 2, 1}, std::vector<int64_t>{1, 2});
  EXPECT_EQ(code({{"targets", image}}), ExitCode::kUsage);
  EXPECT_EQ(code({{"targets", Ids(1, 2, {1, 2})},
                  {"targets_segmentation", Ids(1, 2, {1, 1})}}),
            ExitCode::kUsage);
  EXPECT_THROW(Make(2, 0)->Restore("{\"whole\":\"0\",\"chunk\":-1}"), Error);
}

}  // namespace
}  // namespace t2t
