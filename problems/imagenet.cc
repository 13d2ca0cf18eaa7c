// ImageNet (Russakovsky et al. 2015, "ImageNet Large Scale Visual Recognition
// Challenge", arXiv:1409.0575): T2T's data_generators/imagenet.py. Where T2T's
// differ:
// - T2T tells a person to make the data with another program; here they are
// made
//   of the set's own archives. Classes count from 0, in the order of their
//   synsets, and not from 1.
// - the multi-resolution problem has the sides 8, 16 and 32, which T2T takes
// from
//   an hparam that no set has; pixels are kept between 0 and 255.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/image_kinds.h"
#include "t2t/problem/image_samples.h"

namespace t2t {
namespace {

constexpr size_t kClasses = 1000;
constexpr char kSynsets[] = "imagenet_2012_validation_synset_labels.txt";
constexpr char kLabel[] = "image/class/label";

std::vector<std::string> Classes() {
  std::vector<std::string> classes;
  for (size_t i = 0; i < kClasses; ++i) {
    classes.push_back("ID_" + std::to_string(i));
  }
  return classes;
}

// The classes by their synsets ("n01440764"), and those of the validation
// images in the order of these.
struct Synsets {
  std::map<std::string, int64_t> ids;
  std::vector<std::string> of_validation;
};

Synsets ReadSynsets(const std::string& path) {
  Synsets synsets;
  for (const std::string& line : ReadTextLines(path)) {
    const std::string synset(Trim(line));
    if (synset.empty()) continue;
    synsets.of_validation.push_back(synset);
    synsets.ids[synset] = 0;
  }
  int64_t id = 0;
  for (auto& [synset, number] : synsets.ids) number = id++;
  if (synsets.ids.empty() || synsets.ids.size() > kClasses) {
    throw DataError(
        path + " names " + std::to_string(synsets.ids.size()) + " synsets",
        "the synset of each validation image, a line each, of at "
        "most 1000",
        "get it again");
  }
  return synsets;
}

// "n01440764_10026.JPEG" of training, "ILSVRC2012_val_00000293.JPEG".
int64_t LabelOf(const Synsets& synsets, const std::string& file,
                const std::string& where, bool is_training) {
  std::string synset = file.substr(0, file.find('_'));
  if (!is_training) {
    int64_t number = 0;
    const std::string stem = file.substr(0, file.rfind('.'));
    const bool known =
        ParseInt(stem.substr(stem.rfind('_') + 1), &number) && number >= 1 &&
        number <= static_cast<int64_t>(synsets.of_validation.size());
    synset =
        known ? synsets.of_validation[static_cast<size_t>(number - 1)] : "";
  }
  const auto found = synsets.ids.find(synset);
  if (found != synsets.ids.end()) return found->second;
  throw DataError(where + " is of no class that " + kSynsets + " names",
                  "an image of ImageNet 2012", "are both files those of 2012?");
}

NextExample ReadImagenet(const SampleFiles& files) {
  const bool is_training = files.split == DataSplit::kTrain;
  const Synsets synsets = ReadSynsets(files.Path(kSynsets));
  return SamplesOfArchives(
      {files.Path(is_training ? "_train.tar" : "_val.tar")},
      [=](const std::string& member, const std::string& where,
          std::string bytes, std::vector<Example>* samples) {
        const int64_t label =
            LabelOf(synsets, BaseName(member), where, is_training);
        Example sample = ImageSample(std::move(bytes), where);
        sample.features[kLabel] = std::vector<int64_t>{label};
        samples->push_back(std::move(sample));
      });
}

// Images of 32 or 64 pixels a side (van den Oord et al. 2016, "Pixel Recurrent
// Neural Networks", arXiv:1601.06759), of no class.
NextExample ReadSmall(const SampleFiles& files) {
  return SamplesOfArchives(
      files.Paths(), [](const std::string&, const std::string& where,
                        std::string bytes, std::vector<Example>* samples) {
        Example sample = ImageSample(std::move(bytes), where);
        sample.features[kLabel] = std::vector<int64_t>{0};
        samples->push_back(std::move(sample));
      });
}

Problem Imagenet(const std::string& name, const ImageShape& shape) {
  Problem problem = ImageProblem(name, "image_imagenet");
  problem.corpora = {OfAll(CorpusNamed("imagenet_synsets")),
                     Train(CorpusNamed("imagenet_train")),
                     Dev(CorpusNamed("imagenet_dev"))};
  problem.splits = ShuffledSplits(1024, 10);
  problem.features["inputs"] = ImageFeature("image", shape, kImageSpace);
  SetClasses(Classes(), /*is_small=*/false, &problem);
  ReadBy({.read = ReadImagenet, .finish = CheckImage}, &problem);
  return problem;
}

Problem Rescaled(const std::string& name, int64_t side, bool normalized) {
  const ImageShape shape = {side, side, 3};
  Problem problem = Imagenet(name, shape);
  problem.steps = {TakeFields({{kLabel, "targets"}}),
                   MakePictures({},
                                {{.name = "inputs",
                                  .shape = shape,
                                  .changes = {ForImagenet(side, normalized)},
                                  .floats = true}},
                                /*draws=*/true)};
  return problem;
}

// As T2T does it: of the 299 pixels of image_imagenet, whose mean is 0 and
// deviation 1, cut off to whole numbers. To be drawn, pixels by their area.
Problem Shrunk(const std::string& name, int64_t side) {
  const ImageShape shape = {side, side, 3};
  Problem problem = Imagenet(name, shape);
  problem.loss_multiplier = 3.0;
  problem.steps = {
      TakeFields({{kLabel, "targets"}}),
      MakePictures({},
                   {{.name = "inputs",
                     .shape = shape,
                     .changes = {ForImagenet(299, /*normalized=*/true),
                                 Resize(side, side, ResizeMethod::kBilinear)}}},
                   /*draws=*/true)};
  problem.on_reversed = [shape, side](Problem* reversed) {
    RemoveSteps(kMakePictures, reversed);
    reversed->steps.insert(
        reversed->steps.begin() + 1,
        MakePictures(
            {}, {{"inputs", shape, {Resize(side, side, ResizeMethod::kArea)}}},
            /*draws=*/false));
    reversed->loss_multiplier = 1.0;
  };
  return problem;
}

Problem ToBeDrawn(const std::string& name, const std::string& data,
                  int64_t side) {
  const ImageShape shape = {side, side, 3};
  Problem problem = ImageProblem(name, data);
  const std::string corpus = "imagenet" + std::to_string(side);
  problem.corpora = {Train(CorpusNamed(corpus + "_train")),
                     Dev(CorpusNamed(corpus + "_dev"))};
  problem.splits = ShuffledSplits(1024, 10);
  problem.features["inputs"] = ImageFeature("image", shape, kImageSpace);
  SetClasses(Classes(), /*is_small=*/false, &problem);
  problem.steps = {DecodeImage(shape)};
  ReadBy({.read = ReadSmall, .finish = CheckImage}, &problem);
  return problem;
}

Problem Flat() {
  Problem problem =
      ToBeDrawn("image_imagenet64_gen_flat", "image_imagenet64_gen", 64);
  problem.features.at("inputs") =
      ImageFeature("symbol_weights_all", {}, /*space_id=*/0);
  DropTargets(&problem);
  return problem;
}

Problem MultiResolution() {
  const std::vector<int64_t> sides = {8, 16, 32};
  const ImageShape shape = MultiscaleShape(sides, 3);
  Problem problem = ToBeDrawn("image_imagenet_multi_resolution_gen",
                              "image_imagenet64_gen", 64);
  problem.features.at("inputs").shape = shape;
  problem.steps = {TakeFields({{kLabel, "targets"}}),
                   MakePictures({}, {{"inputs", shape, {Multiscale(sides)}}},
                                /*draws=*/false)};
  return problem;
}

Problem ImagenetToImagenet() {
  const auto scaled = [](const std::string& name, int64_t side) {
    return PictureFeature{
        name, {side, side, 3}, {Resize(side, side, ResizeMethod::kArea)}};
  };
  Problem problem = Imagenet("img2img_imagenet", {});
  SetImageToImage({8, 8, 3}, {32, 32, 3}, /*space_id=*/1, &problem);
  problem.steps = {
      TakeFields({}),
      MakePictures({}, {scaled("inputs", 8), scaled("targets", 32)},
                   /*draws=*/false)};
  return problem;
}

}  // namespace

void RegisterImagenet(ProblemRegistry& problems) {
  const auto add = [&](const std::string& name, const auto& make,
                       auto... arguments) {
    problems.Add(name, [=] { return make(name, arguments...); });
  };
  add("image_imagenet", Rescaled, 299, true);
  add("image_imagenet224", Rescaled, 224, true);
  add("image_imagenet224_no_normalization", Rescaled, 224, false);
  add("image_imagenet256", Rescaled, 256, true);
  add("image_imagenet32", Shrunk, 32);
  add("image_imagenet64", Shrunk, 64);
  for (const auto& [name, side] : {std::pair("image_imagenet32_gen", 32),
                                   std::pair("image_imagenet32_small", 32),
                                   std::pair("image_imagenet64_gen", 64)}) {
    problems.Add(name, [name = std::string(name), side = side] {
      return ToBeDrawn(name, name, side);
    });
  }
  problems.Add("image_imagenet64_gen_flat", Flat);
  problems.Add("image_imagenet_multi_resolution_gen", MultiResolution);
  problems.Add("img2img_imagenet", ImagenetToImagenet);
}

}  // namespace t2t
