#include "t2t/checkpoint/importer/variables.h"

#include <gtest/gtest.h>

#include <string>

#include "t2t/base/error.h"

namespace t2t {
namespace {

const char kBundle[] = "tests/golden/importer/bundle.ckpt-7";
const char kModel[] = "tests/golden/importer/t2t/model.ckpt-5";

std::string MismatchOf(BundleReader* reader, const ParamStore& params) {
  try {
    MapVariables(reader, params, "");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    return error.what();
  }
  return "";
}

TEST(ReadVariableTest, TypesAndParts) {
  BundleReader reader(kBundle);
  EXPECT_EQ(ReadVariable(&reader, "b/half").scalar_type(), at::kHalf);
  EXPECT_EQ(ReadVariable(&reader, "b/bfloat16").scalar_type(), at::kBFloat16);
  EXPECT_EQ(ReadVariable(&reader, "b/bool").sum().item<int64_t>(), 2);
  EXPECT_EQ(ReadVariable(&reader, "a/scalar").item<float>(), 2.5F);
  EXPECT_EQ(ReadVariable(&reader, "a/empty").sizes(), at::IntArrayRef({0, 3}));
  EXPECT_EQ(ReadVariable(&reader, "global_step").item<int64_t>(), 123456789012);
  const at::Tensor deep = ReadVariable(&reader, "deep");
  EXPECT_EQ(deep.sizes(), at::IntArrayRef({4, 3, 130}));
  EXPECT_LE(deep.abs().max().item<int>(), 9);
  EXPECT_THROW(ReadVariable(&reader, "b/words"), Error);
}

TEST(MapVariablesTest, JoinsShardsAndTakesSlots) {
  BundleReader reader(kModel);
  ParamStore params(0);
  const std::string weights = "transformer/symbol_modality_33_8/shared/weights";
  const std::string kernel =
      "transformer/body/encoder/layer_0/self_attention/multihead_attention/q/"
      "kernel";
  params.Create(weights, {33, 8}, ZerosInit());
  params.Create(kernel, {8, 8}, ZerosInit());
  MappedVariables mapped = MapVariables(&reader, params, "adam");
  const at::Tensor& whole = mapped.tensors.at(weights);
  // T2T's shards have 9, 8, 8 and 8 rows.
  EXPECT_TRUE(
      whole.slice(0, 0, 9).equal(ReadVariable(&reader, weights + "_0")));
  EXPECT_TRUE(
      whole.slice(0, 25, 33).equal(ReadVariable(&reader, weights + "_3")));
  EXPECT_TRUE(mapped.has_optimizer);
  EXPECT_EQ(mapped.tensors.size(), 6U);
  EXPECT_TRUE(
      mapped.tensors.at("optimizer/adam_v/" + kernel)
          .equal(ReadVariable(&reader, "training/" + kernel + "/Adam_1")));
  EXPECT_EQ(mapped.tensors.at("optimizer/adam_m/" + weights).sizes(),
            at::IntArrayRef({33, 8}));
  EXPECT_FALSE(mapped.unused.empty());
  for (const std::string& name : mapped.unused) {
    EXPECT_EQ(name.rfind("transformer/body/", 0), 0U) << name;
  }

  mapped = MapVariables(&reader, params, "adafactor");
  EXPECT_FALSE(mapped.has_optimizer);
  EXPECT_EQ(mapped.tensors.size(), 2U);
}

TEST(MapVariablesTest, ConvertsAndReshapes) {
  BundleReader reader(kBundle);
  ParamStore params(0);
  params.Create("b/double", {2, 3}, ZerosInit());  // stored as [2, 1, 3]
  params.Create("b/half", {9}, ZerosInit());
  params.Create("wide", {7, 5}, ZerosInit());
  // A model's memory is not in the checkpoint.
  params.CreateBuffer("memory", {2}, OnesInit());
  MappedVariables mapped = MapVariables(&reader, params, "");
  EXPECT_TRUE(mapped.tensors.at("memory").equal(at::ones({2})));
  mapped.tensors.erase("memory");
  for (const auto& [name, tensor] : mapped.tensors) {
    EXPECT_EQ(tensor.scalar_type(), at::kFloat) << name;
    EXPECT_TRUE(tensor.equal(
        ReadVariable(&reader, name).to(at::kFloat).reshape(tensor.sizes())));
  }
}

TEST(MapVariablesTest, ListsWhatDoesNotFit) {
  BundleReader reader(kBundle);
  ParamStore params(0);
  params.Create("wide", {5, 7}, ZerosInit());
  params.Create("not/there", {2}, ZerosInit());
  params.CreateBuffer("norm/moving_mean", {2}, ZerosInit());
  params.Create("a/float", {3, 5}, ZerosInit());
  const std::string message = MismatchOf(&reader, params);
  EXPECT_NE(message.find("wide has the shape [7, 5], not [5, 7]"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("not/there [2] is missing"), std::string::npos);
  // Not a memory, which would begin anew.
  EXPECT_NE(message.find("norm/moving_mean [2] is missing"), std::string::npos);
  EXPECT_EQ(message.find("a/float ["), std::string::npos);
  EXPECT_NE(message.find("\n  a/float/longer"), std::string::npos);
}

TEST(InfoFromVariablesTest, ReadsTheNames) {
  const ProblemInfo info =
      InfoFromVariables(BundleReader(kModel), "someones_own_problem");
  EXPECT_EQ(info.name, "someones_own_problem");
  ASSERT_EQ(info.features.size(), 2U);
  for (const auto& [name, feature] : info.features) {
    EXPECT_EQ(feature.modality, "symbol") << name;
    EXPECT_EQ(feature.vocab_size, 33) << name;
  }
  EXPECT_THROW(InfoFromVariables(BundleReader(kBundle), "x"), Error);
}

}  // namespace
}  // namespace t2t
