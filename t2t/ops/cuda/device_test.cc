#include "t2t/ops/cuda/device.h"

#include <gtest/gtest.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

void ExpectError(const std::string& choice, ExitCode code,
                 const std::vector<std::string>& texts) {
  try {
    UseDevice(choice, 0);
    ADD_FAILURE() << choice << " is there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& text : texts) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos)
          << "'" << text << "' in: " << error.what();
    }
  }
  EXPECT_TRUE(ComputeDevice().is_cpu());
}

TEST(DeviceTest, WithoutAGpu) {
  if (Exists("/dev/nvidiactl")) GTEST_SKIP() << "there is a GPU here";
  EXPECT_EQ(UseDevice("cpu", 0), "");
  EXPECT_EQ(UseDevice("auto", 0), "");
  ExpectError("cuda", ExitCode::kMissing,
              {"--device=cuda", "no GPU is seen", "--device=cpu",
               "install_deps.sh --cuda"});
  ExpectError("gpu", ExitCode::kUsage, {"--device=gpu", "auto, cpu or cuda"});
  EXPECT_EQ(DeviceMemoryText(), "");
  EXPECT_EQ(DeviceName(), "");
  EXPECT_EQ(MakeDeviceBackend({}, 0, 1).get(), nullptr);
  SynchronizeDevice();
}

}  // namespace
}  // namespace t2t
