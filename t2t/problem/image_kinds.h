#ifndef T2T_PROBLEM_IMAGE_KINDS_H_
#define T2T_PROBLEM_IMAGE_KINDS_H_

#include <string>
#include <vector>

#include "t2t/problem/image_steps.h"
#include "t2t/problem/problem.h"

namespace t2t {

// Files of small images with a label each: IDX (MNIST: a file of images and one
// of labels) or CIFAR's (a label and a plane for each colour, image by image).
enum class ImageFiles { kIdx, kCifar };

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

}  // namespace t2t

#endif  // T2T_PROBLEM_IMAGE_KINDS_H_
