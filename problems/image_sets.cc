// Images of other kinds, to be drawn or improved: faces (Liu et al. 2015,
// CelebA, arXiv:1411.7766; Karras et al. 2018, CelebA-HQ, arXiv:1710.10196) and
// the Allen Brain Atlas. T2T's data_generators/celeba.py, celebahq.py and
// allen_brain.py. Where T2T's differ:
// - the images of image_celeba and of image_celebahq* have no targets, so that
//   they are to be used as <name>_rev, as in T2T;
// - CelebA's splits are by the images' numbers, T2T's by their order;
// - image_celeba_multi_resolution has the sides 8, 16 and 32, which T2T takes
//   from an hparam that no set has; pixels are kept between 0 and 255;
// - the tiles of the brain's images are 64 pixels wide and high, and T2T's 63,
// of
//   which it can't cut 64; the square that is painted over is drawn for each
//   example, and in T2T once for a run.

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
#include "t2t/formats/jpeg.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/image_kinds.h"
#include "t2t/problem/image_samples.h"
#include "t2t/problem/line_samples.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Ints = std::vector<int64_t>;

// Of CelebA's own partition: the numbers of the last training and dev image.
constexpr int64_t kLastTrain = 162770;
constexpr int64_t kLastDev = 182637;

// CelebA's tables: how many lines, names of the columns, then a line for each
// image.
std::map<std::string, Ints> ReadTable(const std::string& path) {
  std::map<std::string, Ints> table;
  size_t columns = 0;
  FileLine line = {{}, path, 0};
  for (const std::string& text : ReadTextLines(path)) {
    ++line.number;
    line.text = text;
    const std::vector<std::string_view> words = SplitPythonSpace(text);
    if (line.number == 2) columns = words.size();
    if (line.number <= 2 || words.empty()) continue;
    Ints values;
    int64_t value = 0;
    for (size_t i = 1; i < words.size(); ++i) {
      if (ParseInt(std::string(words[i]), &value)) values.push_back(value);
    }
    if (values.size() != columns) {
      throw BadLine(
          line, "has other columns than line 2",
          "an image's name and " + std::to_string(columns) + " whole numbers");
    }
    table[std::string(words[0])] = std::move(values);
  }
  if (table.empty()) {
    throw DataError(path + " has no images", "one of CelebA's tables",
                    "get it again");
  }
  return table;
}

DataSplit SplitOf(const std::string& image) {
  int64_t number = 0;
  if (!ParseInt(image.substr(0, image.rfind('.')), &number)) {
    throw DataError("an image is called " + image, "a number, as 000001.jpg",
                    "is the archive CelebA's img_align_celeba.zip?");
  }
  return number <= kLastTrain ? DataSplit::kTrain
         : number <= kLastDev ? DataSplit::kDev
                              : DataSplit::kTest;
}

const Ints& RowOf(const std::map<std::string, Ints>& table,
                  const std::string& image, const std::string& path) {
  const auto found = table.find(image);
  if (found != table.end()) return found->second;
  throw DataError("there is no " + image + " in " + path,
                  "a line for each image", "get it again");
}

NextExample ReadCeleba(const SampleFiles& files) {
  const std::string landmarks_path = files.Path("celeba_landmarks_align");
  const std::string attributes_path = files.Path("celeba_attr");
  return SamplesOfArchives(
      {files.Path(".zip")},
      [=, split = files.split, landmarks = ReadTable(landmarks_path),
       attributes = ReadTable(attributes_path)](
          const std::string& member, const std::string& where,
          std::string bytes, std::vector<Example>* samples) {
        const std::string image = BaseName(member);
        if (!EndsWith(image, ".jpg") || SplitOf(image) != split) return;
        Example sample = ImageSample(std::move(bytes), where);
        sample.features["landmarks"] = RowOf(landmarks, image, landmarks_path);
        sample.features["attributes"] =
            RowOf(attributes, image, attributes_path);
        samples->push_back(std::move(sample));
      });
}

Problem Celeba(const std::string& name) {
  Problem problem = ImageProblem(name, "image_celeba");
  problem.corpora = {OfAll(CorpusNamed("celeba"))};
  problem.splits = ShuffledSplits(100, 10, 10);
  SetImageToImage({218, 178, 3}, {}, /*space_id=*/1, &problem);
  ReadBy({.read = ReadCeleba, .finish = CheckImage}, &problem);
  return problem;
}

Problem WholeCeleba(const std::string& name) {
  Problem problem = Celeba(name);
  problem.steps = {
      TakeFields({}),
      MakePictures({}, {{"inputs", {218, 178, 3}, {}}}, /*draws=*/false),
      Standardize()};
  DropTargets(&problem);
  return problem;
}

// Without the frame: 40 rows above and below, 20 columns at each side.
const ImageShape kFace = {138, 138, 3};
PictureChange Face() { return Crop(40, 20, kFace[0], kFace[1]); }

PictureFeature Scaled(const std::string& name, int64_t side) {
  return {name, {side, side, 3}, {Resize(side, side, ResizeMethod::kArea)}};
}

Problem CelebaToCeleba(const std::string& name, int64_t from, int64_t to) {
  Problem problem = Celeba(name);
  SetImageToImage({from, from, 3}, {to, to, 3}, /*space_id=*/1, &problem);
  problem.steps = {
      TakeFields({}),
      MakePictures({Face()}, {Scaled("inputs", from), Scaled("targets", to)},
                   /*draws=*/false)};
  return problem;
}

Problem CelebaMultiResolution(const std::string& name) {
  const std::vector<int64_t> sides = {8, 16, 32};
  const ImageShape shape = MultiscaleShape(sides, 3);
  Problem problem = Celeba(name);
  SetImageToImage(kFace, shape, /*space_id=*/1, &problem);
  problem.steps = {TakeFields({}),
                   MakePictures({Face()},
                                {{"inputs", kFace, {}},
                                 {"targets", shape, {Multiscale(sides)}}},
                                /*draws=*/false)};
  return problem;
}

// Made by another program, as T2T's are: its shards, of which T2T takes the
// first 90 to train on.
NextExample ReadCelebaHq(const SampleFiles& files) {
  return SamplesOfShards(files.Paths(), [](const std::string& where,
                                           Example* example) {
    Example taken = ImageSample(example->Strings("image/encoded").at(0), where);
    *example = std::move(taken);
  });
}

Problem CelebaHq(const std::string& name, int64_t side, bool as_mixture) {
  const std::string corpus = "image_celebahq-" + std::to_string(side);
  Problem problem = ImageProblem(name, corpus);
  problem.corpora = {Train(CorpusNamed(corpus + "_train")),
                     Dev(CorpusNamed(corpus + "_dev"))};
  problem.splits = ShuffledSplits(90, 10);
  const ImageShape shape = {side, side, 3};
  problem.features["inputs"] = ImageFeature("identity", shape, /*space_id=*/1);
  problem.steps = {TakeFields({}),
                   MakePictures({}, {{"inputs", shape, {}}}, /*draws=*/false)};
  if (as_mixture) problem.metrics = {"disc_mol_neg_log_perplexity"};
  ReadBy({.read = ReadCelebaHq, .finish = CheckImage}, &problem);
  return problem;
}

constexpr int64_t kTile = 64;
// Sections of a brain are photographed in so many pixels at most.
constexpr int64_t kMostOfSection = int64_t{1} << 29;
// Where no pixel is so bright there is nothing but background.
constexpr uint8_t kBright = 230;

// Tiles of the image; those without tissue are left out as in T2T.
void AddTiles(const std::string& path, std::vector<Example>* samples) {
  Image whole;
  try {
    whole = DecodeJpeg(ReadFile(path), 3, kMostOfSection);
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.what());
  }
  const auto row = static_cast<size_t>(kTile * 3);
  for (int64_t top = 0; top + kTile <= whole.height; top += kTile) {
    for (int64_t left = 0; left + kTile <= whole.width; left += kTile) {
      Image tile = {kTile, kTile, 3, {}};
      for (int64_t y = top; y < top + kTile; ++y) {
        const auto from = whole.pixels.begin() + (y * whole.width + left) * 3;
        tile.pixels.insert(tile.pixels.end(), from,
                           from + static_cast<int64_t>(row));
      }
      if (*std::ranges::max_element(tile.pixels) < kBright) continue;
      samples->push_back(ImageSample(EncodeJpeg(tile), path));
    }
  }
}

// The last twentieth of the files, in the order of their names, is for dev.
NextExample ReadBrains(const SampleFiles& files) {
  std::vector<std::string> paths = files.Paths();
  std::ranges::sort(paths);
  const auto first_of_dev = static_cast<int64_t>(paths.size() * 95 / 100);
  if (files.split == DataSplit::kTrain) {
    paths.erase(paths.begin() + first_of_dev, paths.end());
  } else {
    paths.erase(paths.begin(), paths.begin() + first_of_dev);
  }
  return SamplesOfFiles(std::move(paths), AddTiles);
}

// From a part of the picture, `from` pixels wide, to the same `to` wide.
Problem Brains(const std::string& name, int64_t from, int64_t to,
               double painted) {
  Problem problem = ImageProblem(name, "img2img_allen_brain");
  problem.corpora = {OfAll(CorpusNamed("allen_brain"))};
  problem.splits = ShuffledSplits(100, 10);
  problem.metrics = {"accuracy", "accuracy_per_sequence", "neg_log_perplexity"};
  SetImageToImage({from, from, 3}, {to, to, 3}, kImageSpace, &problem);
  PictureFeature inputs = Scaled("inputs", from);
  if (painted > 0) inputs.changes.push_back(PaintSquare(painted));
  problem.steps = {
      TakeFields({}),
      MakePictures({RandomCrop(to, to)}, {inputs, {"targets", {to, to, 3}, {}}},
                   /*draws=*/true)};
  ReadBy({.read = ReadBrains, .finish = CheckImage}, &problem);
  return problem;
}

}  // namespace

void RegisterImageSets(ProblemRegistry& problems) {
  const auto add = [&](const std::string& name, const auto& make,
                       auto... arguments) {
    problems.Add(name, [=] { return make(name, arguments...); });
  };
  add("image_celeba", WholeCeleba);
  add("image_celeba32", CelebaToCeleba, 32, 32);
  add("image_celeba64", CelebaToCeleba, 64, 64);
  add("image_celeba_multi_resolution", CelebaMultiResolution);
  add("img2img_celeba", CelebaToCeleba, 8, 32);
  add("img2img_celeba64", CelebaToCeleba, 8, 64);
  add("image_celebahq128", CelebaHq, 128, false);
  add("image_celebahq128_dmol", CelebaHq, 128, true);
  add("image_celebahq256", CelebaHq, 256, false);
  add("image_celebahq256_dmol", CelebaHq, 256, true);
  add("img2img_allen_brain", Brains, 64, 64, 0.0);
  add("img2img_allen_brain_dim48to64", Brains, 48, 64, 0.0);
  add("img2img_allen_brain_dim8to32", Brains, 8, 32, 0.0);
  add("img2img_allen_brain_dim16to16_paint1", Brains, 16, 16, 0.01);
}

}  // namespace t2t
