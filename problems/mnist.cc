// The problems of T2T's data_generators/mnist.py, out of IDX files in tmp_dir.
// An example has its pixels as numbers, "inputs" [28 * 28], and its label,
// "targets" [1].

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/raw_files.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/data_facts.h"
#include "t2t/problem/generate.h"
#include "t2t/problem/problem.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

constexpr int64_t kSide = 28;
constexpr int64_t kPixels = kSide * kSide;
constexpr int64_t kClasses = 10;
constexpr int kShards = 10;

uint32_t BigEndian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

// An IDX file of bytes; dimensions: those of one item.
struct IdxFile {
  std::string contents;
  size_t count = 0;
  size_t item_size = 1;

  std::string_view Item(size_t i) const {
    const size_t header = contents.size() - count * item_size;
    return std::string_view(contents).substr(header + i * item_size, item_size);
  }
};

IdxFile ReadIdx(const std::string& path, const std::vector<int64_t>& shape) {
  IdxFile file;
  file.contents = ReadText(path);
  const size_t header = 4 * (2 + shape.size());
  const uint32_t magic = 0x800 + 1 + static_cast<uint32_t>(shape.size());
  bool good =
      file.contents.size() >= header && BigEndian(file.contents, 0) == magic;
  if (good) file.count = BigEndian(file.contents, 4);
  std::string expected = "an IDX file of bytes [n";
  for (size_t i = 0; i < shape.size(); ++i) {
    file.item_size *= static_cast<size_t>(shape[i]);
    good = good && BigEndian(file.contents, 8 + 4 * i) == shape[i];
    expected += ", " + std::to_string(shape[i]);
  }
  // The count comes from the file, so the size is divided, not it multiplied.
  const size_t body = good ? file.contents.size() - header : 0;
  if (!good || body % file.item_size != 0 ||
      body / file.item_size != file.count || file.count == 0) {
    throw DataError(path + " is no such file, or is cut", expected + "]",
                    "get it again");
  }
  return file;
}

struct LabelledImages {
  IdxFile images;
  IdxFile labels;
};

class ImageSource : public ExampleSource {
 public:
  ImageSource(const LabelledImages& data, size_t first, size_t end)
      : data_(data), first_(first), next_(first), end_(end) {}

  size_t Read(size_t count) override {
    first_ = next_;
    next_ = std::min(end_, next_ + count);
    return next_ - first_;
  }

  Example Make(size_t i) const override {
    std::vector<int64_t> pixels;
    pixels.reserve(kPixels);
    for (const char pixel : data_.images.Item(first_ + i)) {
      pixels.push_back(static_cast<unsigned char>(pixel));
    }
    const int64_t label =
        static_cast<unsigned char>(data_.labels.Item(first_ + i)[0]);
    Example example;
    example.features["inputs"] = std::move(pixels);
    example.features["targets"] = std::vector<int64_t>{label};
    return example;
  }

 private:
  const LabelledImages& data_;
  size_t first_;
  size_t next_;
  size_t end_;
};

// T2T's per_image_standardization: mean 0, deviation 1 (or, where the pixels
// are nearly all the same, what rounding allows).
std::vector<float> Standardize(const std::vector<int64_t>& pixels) {
  const auto count = static_cast<double>(pixels.size());
  double sum = 0;
  double squares = 0;
  for (const int64_t pixel : pixels) {
    sum += static_cast<double>(pixel);
    squares += static_cast<double>(pixel * pixel);
  }
  const double mean = sum / count;
  const double deviation =
      std::max(std::sqrt(std::max(0.0, squares / count - mean * mean)),
               1 / std::sqrt(count));
  std::vector<float> standardized;
  standardized.reserve(pixels.size());
  for (const int64_t pixel : pixels) {
    standardized.push_back(
        static_cast<float>((static_cast<double>(pixel) - mean) / deviation));
  }
  return standardized;
}

struct MnistKind {
  const char* prefix = "";  // of the files' names
  bool standardize = true;  // when read
  bool tune = false;        // dev is the last twelfth of the training images
};

class ImageMnist : public Problem, public HasDataFacts {
 public:
  explicit ImageMnist(MnistKind kind) : kind_(kind) {}

  void Generate(const GenerateOptions& options) const override {
    std::vector<SplitPlan> plans(2);
    plans[0].split = DataSplit::kTrain;
    plans[0].num_shards = NumShards(DataSplit::kTrain, kShards, options);
    plans[0].shuffle = true;
    plans[1].split = DataSplit::kDev;
    if (!FilesAreThere(options.tmp_dir) &&
        ShardsAreThere(name(), plans, options) && !options.overwrite) {
      return;  // The data outlive the files they were made from.
    }
    const LabelledImages train = Read("train", options.tmp_dir);
    LabelledImages test;
    if (!kind_.tune) test = Read("t10k", options.tmp_dir);
    const size_t train_count = train.images.count;
    const size_t train_end =
        kind_.tune ? train_count - train_count / 12 : train_count;
    Plan(train, 0, train_end, options, &plans[0]);
    if (kind_.tune) {
      Plan(train, train_end, train_count, options, &plans[1]);
    } else {
      Plan(test, 0, test.images.count, options, &plans[1]);
    }
    Json origin = MakeOrigin(plans, options);
    Json sums = Json::Array();
    for (const LabelledImages* const data :
         std::initializer_list<const LabelledImages*>{&train, &test}) {
      for (const IdxFile* const file : {&data->images, &data->labels}) {
        sums.Append(
            Format("%08x", static_cast<unsigned>(Crc32c(file->contents))));
      }
    }
    origin.Set("files", std::move(sums));
    GenerateProblem(name(), plans, origin, options);
  }

  ProblemInfo Info(const std::string& data_dir) const override {
    ProblemInfo info;
    info.name = name();
    info.input_space_id = 25;  // IMAGE
    info.target_space_id = 1;  // IMAGE_LABEL
    info.loss_multiplier = was_reversed() ? 1.0 : 3.0;
    FeatureInfo inputs;
    inputs.modality = "image";
    inputs.vocab_size = 256;
    inputs.ends_at_eos = false;
    inputs.shape = {kSide, kSide, 1};
    info.features["inputs"] = std::move(inputs);
    FeatureInfo targets;
    targets.modality = "class_label";
    targets.vocab_size = kClasses;
    targets.ends_at_eos = false;
    std::vector<std::string> labels;
    for (int64_t label = 0; label < kClasses; ++label) {
      labels.push_back(std::to_string(label));
    }
    targets.encoder = std::make_shared<ClassLabelEncoder>(std::move(labels));
    info.features["targets"] = std::move(targets);
    return info;
  }

  std::vector<std::string> DataFiles(const std::string& data_dir,
                                     DataSplit split) const override {
    return FindShards(data_dir, name(), SplitName(split));
  }

  bool Preprocess(Example* example, Mode mode,
                  const HParams& hparams) const override {
    if (kind_.standardize && !was_reversed()) {
      example->features["inputs"] = Standardize(example->Ints("inputs"));
    }
    return true;
  }

  std::vector<std::string> EvalMetrics() const override {
    return DefaultEvalMetrics();
  }

  DataFacts data_facts() const override {
    DataFacts facts;
    facts.train_shards = kShards;
    facts.other_shards = 1;
    return facts;
  }

 private:
  std::vector<std::string> FileNames() const {
    std::vector<std::string> names;
    for (const std::string set : {"train", "t10k"}) {
      if (kind_.tune && set != "train") continue;
      names.push_back(kind_.prefix + set + "-images-idx3-ubyte");
      names.push_back(kind_.prefix + set + "-labels-idx1-ubyte");
    }
    return names;
  }

  // Gzipped or plain; "" where it isn't there.
  static std::string Find(const std::string& tmp_dir, const std::string& file) {
    for (const std::string& path :
         {JoinPath(tmp_dir, file + ".gz"), JoinPath(tmp_dir, file)}) {
      if (Exists(path)) return path;
    }
    return "";
  }

  bool FilesAreThere(const std::string& tmp_dir) const {
    for (const std::string& file : FileNames()) {
      if (Find(tmp_dir, file).empty()) return false;
    }
    return true;
  }

  IdxFile ReadFileOf(const std::string& tmp_dir, const std::string& file,
                     const std::vector<int64_t>& shape) const {
    const std::string path = Find(tmp_dir, file);
    if (path.empty()) {
      throw MissingError(
          "there is no file " + JoinPath(tmp_dir, file + ".gz"),
          "in --tmp_dir, gzipped or not: " + Join(FileNames(), ", "),
          std::string("get the four IDX files of ") +
              (*kind_.prefix == '\0'
                   ? "MNIST and put them there"
                   : "Fashion-MNIST and put them there, with 'fashion-' "
                     "before their names"));
    }
    CheckRawFile(path, /*has_its_sum=*/false);
    return ReadIdx(path, shape);
  }

  LabelledImages Read(const std::string& set,
                      const std::string& tmp_dir) const {
    const std::string stem = kind_.prefix + set;
    LabelledImages data;
    data.images =
        ReadFileOf(tmp_dir, stem + "-images-idx3-ubyte", {kSide, kSide});
    data.labels = ReadFileOf(tmp_dir, stem + "-labels-idx1-ubyte", {});
    if (data.images.count != data.labels.count) {
      throw DataError(tmp_dir + ": " + stem + " has " +
                          std::to_string(data.images.count) + " images and " +
                          std::to_string(data.labels.count) + " labels",
                      "a label for each image", "get the files again");
    }
    for (size_t i = 0; i < data.labels.count; ++i) {
      const int label = static_cast<unsigned char>(data.labels.Item(i)[0]);
      if (label < kClasses) continue;
      throw DataError(tmp_dir + ": label " + std::to_string(i) + " of " + stem +
                          " is " + std::to_string(label),
                      "0 to 9", "get the files again");
    }
    return data;
  }

  static void Plan(const LabelledImages& data, size_t first, size_t end,
                   const GenerateOptions& options, SplitPlan* plan) {
    plan->num_examples = static_cast<int64_t>(end - first);
    if (options.max_cases > 0) {
      plan->num_examples = std::min(plan->num_examples, options.max_cases);
    }
    plan->open = [&data, first, end] {
      return std::make_unique<ImageSource>(data, first, end);
    };
  }

  MnistKind kind_;
};

}  // namespace

void RegisterMnist(ProblemRegistry& problems) {
  const std::array<std::pair<std::string, MnistKind>, 3> kinds = {{
      {"image_mnist", {"", true, false}},
      {"image_mnist_tune", {"", true, true}},
      {"image_fashion_mnist", {"fashion-", false, false}},
  }};
  for (const auto& [name, kind] : kinds) {
    problems.Add(name, [name = name, kind = kind] {
      std::unique_ptr<Problem> problem = std::make_unique<ImageMnist>(kind);
      problem->set_name(name);
      return problem;
    });
  }
}
}  // namespace t2t
