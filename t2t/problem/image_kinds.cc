#include "t2t/problem/image_kinds.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/image_files.h"
#include "t2t/formats/png.h"
#include "t2t/problem/record_fields.h"
#include "t2t/problem/source.h"
#include "t2t/problem/text_kinds.h"

namespace t2t {
namespace {

constexpr int kTrainShards = 10;
// T2T's of small images.
constexpr double kLossMultiplier = 3.0;

// Some of the images of a set.
struct Images {
  const LabelledImages* set = nullptr;
  size_t begin = 0;
  size_t end = 0;
};

class ImageExamples : public ExampleSource {
 public:
  ImageExamples(const Images& images, ImageRecord record)
      : images_(images), record_(record), next_(images.begin) {}

  size_t Read(size_t count) override {
    first_ = next_;
    next_ = std::min(images_.end, next_ + count);
    return next_ - first_;
  }

  Example Make(size_t i) const override {
    const Image image = images_.set->image(first_ + i);
    const std::vector<int64_t> label = {images_.set->label(first_ + i)};
    Example example;
    if (record_ == ImageRecord::kInts) {
      example.features["inputs"] =
          std::vector<int64_t>(image.pixels.begin(), image.pixels.end());
      example.features["targets"] = label;
      return example;
    }
    example.features["image/encoded"] =
        std::vector<std::string>{EncodePng(image)};
    example.features["image/format"] = std::vector<std::string>{"png"};
    example.features["image/class/label"] = label;
    example.features["image/height"] = std::vector<int64_t>{image.height};
    example.features["image/width"] = std::vector<int64_t>{image.width};
    return example;
  }

 private:
  Images images_;
  ImageRecord record_;
  size_t first_ = 0;
  size_t next_;
};

class ImageSource : public Source {
 public:
  ImageSource(const ImageClassRow& row, const std::vector<FoundCorpus>& corpora)
      : record_(row.record) {
    for (const FoundCorpus& corpus : corpora) {
      sets_[*corpus.use->split] = Read(row, corpus.paths);
    }
    const LabelledImages& train = *sets_.at(DataSplit::kTrain);
    size_t train_end = train.count();
    if (row.dev_is_one_in > 0) {
      train_end -= train.count() / row.dev_is_one_in;
      parts_[DataSplit::kDev] = {&train, train_end, train.count()};
    } else {
      const LabelledImages& dev = *sets_.at(DataSplit::kDev);
      parts_[DataSplit::kDev] = {&dev, 0, dev.count()};
    }
    parts_[DataSplit::kTrain] = {&train, 0, train_end};
  }

  int64_t size(DataSplit split) const override {
    const Images& part = parts_.at(split);
    return static_cast<int64_t>(part.end - part.begin);
  }

  std::unique_ptr<ExampleSource> Open(DataSplit split) const override {
    return std::make_unique<ImageExamples>(parts_.at(split), record_);
  }

  // Two numbers for each of training and dev; 0 where it has none of its own.
  std::pair<std::string, Json> Fingerprint() const override {
    Json sums = Json::Array();
    for (const DataSplit split : {DataSplit::kTrain, DataSplit::kDev}) {
      const auto set = sets_.find(split);
      for (const std::string& sum :
           set == sets_.end() ? std::vector<std::string>{"00000000", "00000000"}
                              : set->second->sums()) {
        sums.Append(sum);
      }
    }
    return {"files", std::move(sums)};
  }

 private:
  static std::unique_ptr<LabelledImages> Read(
      const ImageClassRow& row, const std::vector<std::string>& paths) {
    const auto classes = static_cast<int64_t>(row.classes.size());
    switch (row.files) {
      case ImageFiles::kCifar:
        return ReadCifar(paths, row.shape[0], classes);
      case ImageFiles::kCifarCoarse:
        return ReadCifar(paths, row.shape[0], classes, /*kinds=*/2, /*kind=*/0);
      case ImageFiles::kCifarFine:
        return ReadCifar(paths, row.shape[0], classes, /*kinds=*/2, /*kind=*/1);
      case ImageFiles::kIdx:
        break;
    }
    return ReadIdxImages(paths.at(0), paths.at(1), row.shape[0], classes);
  }

  ImageRecord record_;
  std::map<DataSplit, std::unique_ptr<LabelledImages>> sets_;
  std::map<DataSplit, Images> parts_;
};

}  // namespace

Problem ImageProblem(const std::string& name, const std::string& data_name) {
  Problem problem;
  problem.name = name;
  problem.data_name = data_name;
  problem.metrics = DefaultEvalMetrics();
  // An image to be made is made of pixels, 0 to 255.
  problem.on_reversed = [](Problem* reversed) {
    RemoveSteps("standardize", reversed);
    reversed->loss_multiplier = 1.0;
  };
  return problem;
}

FeatureSpec ImageFeature(const std::string& modality, const ImageShape& shape,
                         int64_t space_id) {
  FeatureSpec feature;
  feature.modality = modality;
  feature.vocabulary = Pixels();
  feature.shape = shape;
  feature.ends_at_eos = false;
  feature.space_id = space_id;
  return feature;
}

void SetClasses(std::vector<std::string> classes, bool is_small,
                Problem* problem) {
  FeatureSpec& targets = problem->features["targets"];
  targets.modality = "class_label";
  targets.vocabulary = Labels(std::move(classes));
  targets.ends_at_eos = false;
  targets.space_id = kImageLabelSpace;
  if (is_small) problem->loss_multiplier = kLossMultiplier;
}

void SetImageToImage(const ImageShape& inputs, const ImageShape& targets,
                     int64_t space_id, Problem* problem) {
  problem->features["inputs"] = ImageFeature("identity", inputs, space_id);
  problem->features["targets"] = ImageFeature("identity", targets, space_id);
  problem->loss_multiplier = 1.0;
}

void DropTargets(Problem* problem) {
  problem->features.at("targets").in_shards_only = true;
  problem->steps.push_back(Drop("targets"));
}

std::vector<SplitSpec> ShuffledSplits(int train, int dev, int test) {
  std::vector<SplitSpec> splits = {{DataSplit::kTrain, train, true},
                                   {DataSplit::kDev, dev, true}};
  if (test > 0) splits.push_back({DataSplit::kTest, test, true});
  return splits;
}

Problem ImageToClass(const ImageClassRow& row) {
  Problem problem = ImageProblem(row.name, row.name);
  problem.corpora = row.corpora;
  problem.open =
      [row](const SourceContext& context) -> std::unique_ptr<Source> {
    std::vector<FoundCorpus> found;
    // (The data outlive the files they were made from.)
    if (!context.corpora.Find(context.problem.corpora, context.must_be_there,
                              &found)) {
      return nullptr;
    }
    return std::make_unique<ImageSource>(row, found);
  };
  problem.features["inputs"] = ImageFeature("image", row.shape, kImageSpace);
  SetClasses(row.classes, /*is_small=*/true, &problem);
  problem.steps = row.steps;
  problem.steps.insert(problem.steps.begin(), DecodeImage(row.shape));
  problem.splits = TrainDev(kTrainShards);
  return problem;
}

}  // namespace t2t
