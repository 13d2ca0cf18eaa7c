// Small images and their classes: T2T's data_generators/mnist.py and cifar.py.
// Where T2T's differ: CIFAR-100's classes are shown there by names in another
// order than that of their labels.

#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/problem/image_kinds.h"

namespace t2t {
namespace {

using Strings = std::vector<std::string>;

const ImageShape kMnist = {28, 28, 1};
const ImageShape kCifar = {32, 32, 3};
const ImageShape kSmall = {8, 8, 3};

CorpusUse TrainOn(const std::string& corpus) {
  return Train(CorpusNamed(corpus));
}
CorpusUse DevOn(const std::string& corpus) { return Dev(CorpusNamed(corpus)); }

Strings Digits() { return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; }

Strings Cifar10Classes() {
  return {"airplane", "automobile", "bird",  "cat",  "deer",
          "dog",      "frog",       "horse", "ship", "truck"};
}

Strings Cifar20Classes() {
  return {"aquatic mammals",
          "fish",
          "flowers",
          "food containers",
          "fruit and vegetables",
          "household electrical devices",
          "household furniture",
          "insects",
          "large carnivores",
          "large man-made outdoor things",
          "large natural outdoor scenes",
          "large omnivores and herbivores",
          "medium-sized mammals",
          "non-insect invertebrates",
          "people",
          "reptiles",
          "small mammals",
          "trees",
          "vehicles 1",
          "vehicles 2"};
}

Strings Cifar100Classes() {
  return {
      "apple",    "aquarium fish", "baby",       "bear",         "beaver",
      "bed",      "bee",           "beetle",     "bicycle",      "bottle",
      "bowl",     "boy",           "bridge",     "bus",          "butterfly",
      "camel",    "can",           "castle",     "caterpillar",  "cattle",
      "chair",    "chimpanzee",    "clock",      "cloud",        "cockroach",
      "couch",    "crab",          "crocodile",  "cup",          "dinosaur",
      "dolphin",  "elephant",      "flatfish",   "forest",       "fox",
      "girl",     "hamster",       "house",      "kangaroo",     "keyboard",
      "lamp",     "lawn mower",    "leopard",    "lion",         "lizard",
      "lobster",  "man",           "maple tree", "motorcycle",   "mountain",
      "mouse",    "mushroom",      "oak tree",   "orange",       "orchid",
      "otter",    "palm tree",     "pear",       "pickup truck", "pine tree",
      "plain",    "plate",         "poppy",      "porcupine",    "possum",
      "rabbit",   "raccoon",       "ray",        "road",         "rocket",
      "rose",     "sea",           "seal",       "shark",        "shrew",
      "skunk",    "skyscraper",    "snail",      "snake",        "spider",
      "squirrel", "streetcar",     "sunflower",  "sweet pepper", "table",
      "tank",     "telephone",     "television", "tiger",        "tractor",
      "train",    "trout",         "tulip",      "turtle",       "wardrobe",
      "whale",    "willow tree",   "wolf",       "woman",        "worm"};
}

// (MNIST's records are of before there were PNGs here.)
std::vector<ImageClassRow> MnistRows() {
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
  };
}

// A set in CIFAR's form, which has a family of problems.
struct CifarSet {
  std::string name;
  std::string corpus;
  ImageFiles files;
  Strings classes;
};

std::vector<CifarSet> CifarSets() {
  return {{"cifar10", "cifar10", ImageFiles::kCifar, Cifar10Classes()},
          {"cifar20", "cifar100", ImageFiles::kCifarCoarse, Cifar20Classes()},
          {"cifar100", "cifar100", ImageFiles::kCifarFine, Cifar100Classes()}};
}

// Of the data that is called `data`.
Problem Cifar(const CifarSet& set, const std::string& name,
              const std::string& data, std::vector<Step> steps) {
  ImageClassRow row;
  row.name = data;
  row.corpora = {TrainOn(set.corpus + "_train"), DevOn(set.corpus + "_test")};
  row.files = set.files;
  row.shape = kCifar;
  row.classes = set.classes;
  row.steps = std::move(steps);
  Problem problem = ImageToClass(row);
  problem.name = name;
  return problem;
}

std::vector<Step> Augmented() {
  return {RandomShift(kCifar, 4), RandomFlip(kCifar), Standardize()};
}

// The last 2,000 training images to tune on.
Problem CifarTune(const CifarSet& set, const std::string& name) {
  ImageClassRow row;
  row.name = name;
  row.corpora = {TrainOn(set.corpus + "_train")};
  row.files = set.files;
  row.shape = kCifar;
  row.classes = set.classes;
  row.steps = Augmented();
  row.dev_is_one_in = 25;
  return ImageToClass(row);
}

// Instead of all steps: pictures of these shapes, by area.
void SetScaled(const std::vector<PictureFeature>& features, bool keeps_label,
               Problem* problem) {
  std::vector<std::pair<std::string, std::string>> fields;
  if (keeps_label) fields.emplace_back("image/class/label", "targets");
  problem->steps = {TakeFields(fields),
                    MakePictures({}, features, /*draws=*/false)};
}

PictureFeature Scaled(const std::string& name, int64_t side) {
  return {name, {side, side, 3}, {Resize(side, side, ResizeMethod::kArea)}};
}

Problem Cifar8(const CifarSet& set, const std::string& name,
               const std::string& data) {
  Problem problem = Cifar(set, name, data, {});
  SetScaled({Scaled("inputs", 8)}, /*keeps_label=*/true, &problem);
  problem.steps.push_back(Standardize());
  problem.features.at("inputs").shape = kSmall;
  return problem;
}

Problem CifarToCifar(const CifarSet& set, const std::string& name,
                     const std::string& data) {
  Problem problem = Cifar(set, name, data, {});
  SetScaled({Scaled("inputs", 8), Scaled("targets", 32)},
            /*keeps_label=*/false, &problem);
  SetImageToImage(kSmall, kCifar, /*space_id=*/1, &problem);
  return problem;
}

// Pixels one after another, of no class.
Problem CifarFlat(const CifarSet& set, const std::string& name,
                  const std::string& data) {
  Problem problem = Cifar(set, name, data, {});
  problem.features.at("inputs") =
      ImageFeature("symbol_weights_all", {}, /*space_id=*/0);
  DropTargets(&problem);
  return problem;
}

void RegisterCifar(const CifarSet& set, ProblemRegistry& problems) {
  const std::string name = "image_" + set.name;
  const std::string plain = name + "_plain";
  problems.Add(name, [=] { return Cifar(set, name, name, Augmented()); });
  problems.Add(name + "_tune", [=] { return CifarTune(set, name + "_tune"); });
  problems.Add(plain,
               [=] { return Cifar(set, plain, plain, {Standardize()}); });
  problems.Add(plain + "8", [=] { return Cifar8(set, plain + "8", plain); });
  problems.Add(plain + "_gen",
               [=] { return Cifar(set, plain + "_gen", plain, {}); });
  if (set.name == "cifar20") return;
  problems.Add("img2img_" + set.name,
               [=] { return CifarToCifar(set, "img2img_" + set.name, plain); });
}

// CIFAR-10 to be drawn.
void RegisterCifar10Drawn(const CifarSet& set, ProblemRegistry& problems) {
  const std::string plain = "image_cifar10_plain";
  problems.Add(plain + "_gen_flat",
               [=] { return CifarFlat(set, plain + "_gen_flat", plain); });
  problems.Add(plain + "_gen_dmol", [=] {
    Problem problem = Cifar(set, plain + "_gen_dmol", plain, {});
    problem.metrics = {"disc_mol_neg_log_perplexity"};
    return problem;
  });
  problems.Add(plain + "_random_shift", [=] {
    return Cifar(set, plain + "_random_shift", plain,
                 {RandomTranslation(kCifar, 0.1)});
  });
}

}  // namespace

void RegisterImage(ProblemRegistry& problems) {
  for (const ImageClassRow& row : MnistRows()) {
    problems.Add(row.name, [row] { return ImageToClass(row); });
  }
  for (const CifarSet& set : CifarSets()) {
    RegisterCifar(set, problems);
    if (set.name == "cifar10") RegisterCifar10Drawn(set, problems);
  }
}

}  // namespace t2t
