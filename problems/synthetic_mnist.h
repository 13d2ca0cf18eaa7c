#ifndef PROBLEMS_SYNTHETIC_MNIST_H_
#define PROBLEMS_SYNTHETIC_MNIST_H_

#include <cstdint>
#include <string>

namespace t2t {

// For tests: IDX files under MNIST's names (with `prefix` before them) of
// images that are easily told apart: a label is a bright block in its own
// place, on noise.
void WriteSyntheticMnist(const std::string& directory, int64_t train_images,
                         int64_t test_images, uint64_t seed,
                         const std::string& prefix = "");

}  // namespace t2t

#endif  // PROBLEMS_SYNTHETIC_MNIST_H_
