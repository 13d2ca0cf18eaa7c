#ifndef T2T_PROBLEM_PICTURE_STEPS_H_
#define T2T_PROBLEM_PICTURE_STEPS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/problem/picture.h"
#include "t2t/problem/record_fields.h"
#include "t2t/problem/step.h"

// Steps on images of any size: one decodes an example's image and makes
// features of it, by changes that a problem lists.

namespace t2t {

// What a step does to a picture. It may look at the mode and draw.
using PictureChange = std::function<void(Picture*, const StepContext&)>;

PictureChange Resize(int64_t height, int64_t width, ResizeMethod method);
PictureChange Crop(int64_t top, int64_t left, int64_t height, int64_t width);
// T2T's random_crop, whatever the mode.
PictureChange RandomCrop(int64_t height, int64_t width);
// T2T's imagenet_preprocess_example: in training a part of random size, shape
// and place, flipped every second time; else the middle of the picture, whose
// smaller side becomes side + 32. All by bicubic interpolation. `normalized`:
// to mean 0 and deviation 1 over ImageNet's colours.
PictureChange ForImagenet(int64_t side, bool normalized);
// T2T's vqa_v2_preprocess_image: the smaller side becomes hparams' resize_side,
// and a part of `side` is cut out of it, at random in training, where the
// colours change, too (distort). Then as the network hparams' image_model_fn
// takes it. Throws a usage error where hparams' height or width is another.
PictureChange ForQuestions(int64_t side);
// A square in a random place that has this share of the picture becomes black.
PictureChange PaintSquare(double share);

// A feature that is made of an example's image.
struct PictureFeature {
  std::string name;
  ImageShape shape;  // that it has after the changes
  std::vector<PictureChange> changes;
  // Else whole numbers, cut off as tf.to_int64 does.
  bool floats = false;
};

// Keeps image/encoded and these fields, drops all others: the first step where
// MakePictures() is to come.
Step TakeFields(FieldNames names);
// image/encoded, decoded and changed in the ways that all share, to features.
// `draws`: a change does.
Step MakePictures(const std::vector<PictureChange>& shared,
                  const std::vector<PictureFeature>& features, bool draws);
// The name of that step, to take it out again.
inline constexpr char kMakePictures[] = "make pictures";

// T2T's make_multiscale: the picture at each of these sides, one below the
// other, each in rows as wide as the last. A pixel that bicubic interpolation
// brings below 0 or above 255 becomes that.
PictureChange Multiscale(const std::vector<int64_t>& sides);
ImageShape MultiscaleShape(const std::vector<int64_t>& sides, int64_t channels);

}  // namespace t2t

#endif  // T2T_PROBLEM_PICTURE_STEPS_H_
