#ifndef T2T_PROBLEM_IMAGE_KINDS_H_
#define T2T_PROBLEM_IMAGE_KINDS_H_

#include <string>
#include <vector>

#include "t2t/problem/image_steps.h"
#include "t2t/problem/picture_steps.h"
#include "t2t/problem/problem.h"

namespace t2t {

// Files of small images with a label each: IDX (MNIST: a file of images and one
// of labels) or CIFAR's (a label and a plane for each colour, image by image),
// of which CIFAR-100's have two labels.
enum class ImageFiles { kIdx, kCifar, kCifarCoarse, kCifarFine };

// How an image lies in an example: as numbers in "inputs" and "targets", or as
// T2T's fields with a PNG. (Either is read.)
enum class ImageRecord { kInts, kPng };

// T2T's Image2ClassProblem of small images.
struct ImageClassRow {
  std::string name;
  std::vector<CorpusUse> corpora;
  ImageFiles files = ImageFiles::kIdx;
  ImageRecord record = ImageRecord::kPng;
  ImageShape shape;
  std::vector<std::string> classes;
  std::vector<Step> steps;  // behind the image's decoding
  // Dev is the last so-many-th of the training images; 0: it has its own.
  size_t dev_is_one_in = 0;
};

Problem ImageToClass(const ImageClassRow& row);

// T2T's ImageProblem: `open`, features and steps are still to be set.
Problem ImageProblem(const std::string& name, const std::string& data_name);

// Pixels, 0 to 255. `shape`: as a model gets them; {}: a sequence.
FeatureSpec ImageFeature(const std::string& modality, const ImageShape& shape,
                         int64_t space_id);
// T2T's SpaceIDs.
inline constexpr int64_t kImageSpace = 25;
inline constexpr int64_t kImageLabelSpace = 1;

// "targets" out of these classes. `is_small`: the loss weighs three times as
// much.
void SetClasses(std::vector<std::string> classes, bool is_small,
                Problem* problem);

// Both features are images: T2T's img2img_*.
void SetImageToImage(const ImageShape& inputs, const ImageShape& targets,
                     int64_t space_id, Problem* problem);

// For problems whose "targets" are in no example of T2T's: they are to be used
// as <name>_rev.
void DropTargets(Problem* problem);

std::vector<SplitSpec> ShuffledSplits(int train, int dev, int test = 0);

}  // namespace t2t

#endif  // T2T_PROBLEM_IMAGE_KINDS_H_
