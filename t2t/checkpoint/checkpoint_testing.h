#ifndef T2T_CHECKPOINT_CHECKPOINT_TESTING_H_
#define T2T_CHECKPOINT_CHECKPOINT_TESTING_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "t2t/base/fs.h"
#include "t2t/checkpoint/checkpoint.h"

namespace t2t {

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : dir_(MakeTempDirectory("checkpoint")) {}
  ~CheckpointTest() override { RemoveTree(dir_); }

  static Checkpoint Make(int64_t step) {
    Checkpoint checkpoint;
    checkpoint.step = step;
    checkpoint.tensors["a/kernel"] =
        at::arange(6, at::kFloat).reshape({2, 3}) + step;
    checkpoint.tensors["b"] = at::ones({3}, at::kLong) * step;
    checkpoint.tensors["half"] = at::ones({5}, at::kBFloat16);
    checkpoint.tensors["none"] = at::empty({0, 4}, at::kFloat);
    checkpoint.tensors["scalar"] = at::tensor(2.5, at::kDouble);
    checkpoint.meta.Set("input", "{\"epoch\": 3}");
    return checkpoint;
  }

  const std::string dir_;
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_CHECKPOINT_TESTING_H_
