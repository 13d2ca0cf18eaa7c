#ifndef T2T_DECODE_TESTING_DECODE_H_
#define T2T_DECODE_TESTING_DECODE_H_

#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/dataset_decode.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/file_decode.h"
#include "t2t/decode/load_model.h"
#include "t2t/decode/partial_file.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/decode/toy_model.h"
#include "t2t/decode/weights.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/text/encoders.h"

namespace t2t {

inline HParams ToyHParams() {
  HParams h;
  h.Add("sampling_method", "argmax");
  h.Add("sampling_temp", 1.0);
  h.Add("hidden_size", 1);
  return h;
}

inline Problem DecodeToyProblem() {
  Problem problem;
  problem.data_name = "toy";
  FeatureSpec& inputs = problem.features["inputs"];
  inputs.vocabulary.kind = Vocabulary::Kind::kCustom;
  inputs.vocabulary.file = "vocab.toy";
  inputs.vocabulary.load = [](const std::string&) {
    return std::make_shared<ToyEncoder>();
  };
  problem.features["targets"] = inputs;
  return problem;
}

class ToyNames : public ::testing::Environment {
 public:
  void SetUp() override {
    HParamsSets().Add("decode_toy", ToyHParams);
    Problems().Add("decode_toy_problem", DecodeToyProblem);
    AddModel<CopyModel>(Models(), "decode_toy_copy");
  }
};
[[maybe_unused]] inline const auto* const toy_names =
    ::testing::AddGlobalTestEnvironment(new ToyNames);

inline void SetStrength(Model* model, float strength) {
  const at::NoGradGuard no_grad;
  model->params().Get("toy/strength").fill_(strength);
}

inline std::unique_ptr<CopyModel> GoodModel(
    const ProblemInfo& info = ToyInfo()) {
  auto model = std::make_unique<CopyModel>(ToyHParams(), info, 0);
  SetStrength(model.get(), 20.F);
  return model;
}

inline ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

class DecodeTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const {
    return JoinPath(dir_, name);
  }
  // Decodes the text with settings, by `model` or a good one.
  std::string Decode(const std::string& text, const std::string& settings,
                     Model* model = nullptr) {
    WriteFileAtomically(Path("in"), text);
    const auto good = GoodModel();
    HParams decode_hparams = DecodeHParams(settings);
    decode_hparams.Set("log_results", false);
    TextDecoder decoder(model == nullptr ? good.get() : model, decode_hparams,
                        0);
    report_ = DecodeFile({Path("in"), Path("out"), "toy"}, &decoder);
    EXPECT_FALSE(Exists(Path("out.partial")));
    return ReadFile(Path("out"));
  }

  std::string dir_ = MakeTempDirectory("decode");
  FileDecodeReport report_;
};

}  // namespace t2t

#endif  // T2T_DECODE_TESTING_DECODE_H_
