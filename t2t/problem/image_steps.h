#ifndef T2T_PROBLEM_IMAGE_STEPS_H_
#define T2T_PROBLEM_IMAGE_STEPS_H_

#include <cstdint>
#include <vector>

#include "t2t/problem/step.h"

namespace t2t {

// Steps on images, "inputs" [height * width * channels], bytes or integers.
// `shape`: height, width, channels.
using ImageShape = std::vector<int64_t>;

// T2T's fields (image/encoded and image/format: a PNG; image/class/label) to
// "inputs", which are bytes, and "targets"; their other fields go. An example
// without them stays as it is.
Step DecodeImage(const ImageShape& shape);

// T2T's per_image_standardization: mean 0, deviation 1 (or, where the pixels
// are nearly all the same, what rounding allows).
Step Standardize();

// The augmentation of CIFAR (He et al. 2016, "Deep Residual Learning", 4.2; as
// T2T's cifar_image_augmentation), in training alone: shifts by up to `pixels`
// in each direction, zeros come in; and turns left to right every second time.
Step RandomShift(const ImageShape& shape, int64_t pixels);
Step RandomFlip(const ImageShape& shape);

}  // namespace t2t

#endif  // T2T_PROBLEM_IMAGE_STEPS_H_
