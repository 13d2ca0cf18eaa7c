#ifndef T2T_PROBLEM_IMAGE_STEPS_H_
#define T2T_PROBLEM_IMAGE_STEPS_H_

#include <cstdint>
#include <string>

#include "t2t/problem/picture.h"
#include "t2t/problem/step.h"

namespace t2t {

// Steps on images of one shape, "inputs" [height * width * channels], bytes or
// integers.

// T2T's fields (image/encoded: a PNG or a JPEG; image/class/label) to "inputs",
// which are bytes, and "targets"; their other fields go. An example without
// them stays as it is. For images that all have this shape.
Step DecodeImage(const ImageShape& shape);

// T2T's per_image_standardization: mean 0, deviation 1 (or, where the pixels
// are nearly all the same, what rounding allows).
Step Standardize();

// The augmentation of CIFAR (He et al. 2016, "Deep Residual Learning", 4.2; as
// T2T's cifar_image_augmentation), in training alone: shifts by up to `pixels`
// in each direction, zeros come in; and turns left to right every second time.
Step RandomShift(const ImageShape& shape, int64_t pixels);
Step RandomFlip(const ImageShape& shape);
// T2T's random_shift (of Glow), in training alone: by up to this share of the
// sides, to the nearest pixel.
Step RandomTranslation(const ImageShape& shape, double share);

}  // namespace t2t

#endif  // T2T_PROBLEM_IMAGE_STEPS_H_
