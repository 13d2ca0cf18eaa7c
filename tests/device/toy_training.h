#ifndef T2T_TESTS_DEVICE_TOY_TRAINING_H_
#define T2T_TESTS_DEVICE_TOY_TRAINING_H_

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/hparams.h"
#include "t2t/input/input.h"
#include "t2t/model/model.h"

namespace t2t {

// A transformer of two layers of width 16.
inline std::unique_ptr<Model> MakeToyTransformer(
    int64_t vocabulary, const std::string& changes,
    const ParamOptions& params = 3) {
  ProblemInfo info;
  info.features["inputs"].vocab_size = vocabulary;
  info.features["targets"].vocab_size = vocabulary;
  return Models().Get("transformer")(
      MakeHParams(
          "transformer_base",
          "num_hidden_layers=2,hidden_size=16,learning_rate_schedule=constant,"
          "learning_rate_constant=0.001,optimizer_adam_epsilon=1e-4," +
              changes),
      info, params);
}

// Batches of three pairs of six ids from 2 to 19, the same for each object.
class ToyInput : public InputPipeline {
 public:
  // end: how many batches there are, -1 for no end. killed: the process is, at
  // this batch.
  explicit ToyInput(int64_t end = -1, int64_t killed = -1)
      : end_(end), killed_(killed) {}

  std::optional<Batch> Next() override {
    if (count_ == end_) return std::nullopt;
    if (count_ == killed_) ::raise(SIGKILL);
    Rng rng(Rng::Combine(7, static_cast<uint64_t>(count_++)));
    Batch batch;
    for (const char* const name : {"inputs", "targets"}) {
      std::vector<int64_t> ids;
      for (int64_t i = 0; i < 18; ++i) {
        // The second row is shorter.
        const bool padding = i >= 10 && i < 12;
        ids.push_back(padding ? 0 : 2 + static_cast<int64_t>(rng.Below(18)));
      }
      batch[name] = HostTensor({3, 6}, ids);
    }
    return batch;
  }
  std::string State() const override { return std::to_string(count_); }
  void Restore(const std::string& state) override {
    ASSERT_TRUE(ParseInt(state, &count_));
  }

 private:
  const int64_t end_;
  const int64_t killed_;
  int64_t count_ = 0;
};

}  // namespace t2t

#endif  // T2T_TESTS_DEVICE_TOY_TRAINING_H_
