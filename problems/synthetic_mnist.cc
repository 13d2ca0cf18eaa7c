#include "problems/synthetic_mnist.h"

#include "t2t/base/fs.h"
#include "t2t/base/rng.h"

namespace t2t {
namespace {

void AppendBigEndian(int64_t value, std::string* bytes) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    *bytes += static_cast<char>((value >> shift) & 0xFF);
  }
}

void WriteSet(const std::string& stem, int64_t count, Rng* rng) {
  constexpr int kSide = 28;
  constexpr int kBlock = 6;
  std::string images;
  std::string labels;
  for (const int64_t field :
       {int64_t{0x803}, count, int64_t{kSide}, int64_t{kSide}}) {
    AppendBigEndian(field, &images);
  }
  AppendBigEndian(0x801, &labels);
  AppendBigEndian(count, &labels);
  for (int64_t i = 0; i < count; ++i) {
    const int label = static_cast<int>(rng->Below(10));
    const int top = label / 4 * 9;
    const int left = label % 4 * 7;
    for (int row = 0; row < kSide; ++row) {
      for (int column = 0; column < kSide; ++column) {
        const bool bright = row >= top && row < top + kBlock &&
                            column >= left && column < left + kBlock;
        images += static_cast<char>(rng->Below(64) + (bright ? 160 : 0));
      }
    }
    labels += static_cast<char>(label);
  }
  WriteFileAtomically(stem + "-images-idx3-ubyte", images);
  WriteFileAtomically(stem + "-labels-idx1-ubyte", labels);
}

}  // namespace

void WriteSyntheticMnist(const std::string& directory, int64_t train_images,
                         int64_t test_images, uint64_t seed,
                         const std::string& prefix) {
  MakeDirectories(directory);
  Rng rng(seed);
  WriteSet(JoinPath(directory, prefix + "train"), train_images, &rng);
  WriteSet(JoinPath(directory, prefix + "t10k"), test_images, &rng);
}

}  // namespace t2t
