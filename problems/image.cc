// Small images and their classes: T2T's data_generators/mnist.py and cifar.py.

#include <string>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/problem/image_kinds.h"

namespace t2t {
namespace {

const ImageShape kMnist = {28, 28, 1};
const ImageShape kCifar = {32, 32, 3};

CorpusUse TrainOn(const char* corpus) { return Train(CorpusNamed(corpus)); }
CorpusUse DevOn(const char* corpus) { return Dev(CorpusNamed(corpus)); }

std::vector<std::string> Digits() {
  return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
}

std::vector<std::string> Cifar10Classes() {
  return {"airplane", "automobile", "bird",  "cat",  "deer",
          "dog",      "frog",       "horse", "ship", "truck"};
}

// (MNIST's records are of before there were PNGs here.)
std::vector<ImageClassRow> Rows() {
  return {
      {"image_mnist",
       {TrainOn("mnist_train"), DevOn("mnist_test")},
       ImageFiles::kIdx,
       ImageRecord::kInts,
       kMnist,
       Digits(),
       {Standardize()}},
      {"image_mnist_tune",
       {TrainOn("mnist_train")},
       ImageFiles::kIdx,
       ImageRecord::kInts,
       kMnist,
       Digits(),
       {Standardize()},
       12},
      {"image_fashion_mnist",
       {TrainOn("fashion_mnist_train"), DevOn("fashion_mnist_test")},
       ImageFiles::kIdx,
       ImageRecord::kInts,
       kMnist,
       Digits(),
       {}},
      {"image_cifar10",
       {TrainOn("cifar10_train"), DevOn("cifar10_test")},
       ImageFiles::kCifar,
       ImageRecord::kPng,
       kCifar,
       Cifar10Classes(),
       {RandomShift(kCifar, 4), RandomFlip(kCifar), Standardize()}},
  };
}

}  // namespace

void RegisterImage(ProblemRegistry& problems) {
  for (const ImageClassRow& row : Rows()) {
    problems.Add(row.name, [row] { return ImageToClass(row); });
  }
}

}  // namespace t2t
