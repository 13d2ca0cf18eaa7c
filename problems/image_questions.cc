// Questions about images (Goyal et al. 2017, "Making the V in VQA Matter",
// arXiv:1612.00837), with the images or with vectors of their objects (Anderson
// et al. 2018, "Bottom-Up and Top-Down Attention", arXiv:1707.07998). T2T's
// data_generators/vqa.py. Where T2T's differ:
// - image_vqav2_tokens10k_labels3k reads COCO's images of 2014; T2T's looks for
//   images that are called after the file of vectors;
// - images are 448 pixels wide and high, as all sets of T2T's have it; other
//   hparams than these are an error.

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/image_kinds.h"
#include "t2t/problem/image_samples.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/record_fields.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using Strings = std::vector<std::string>;

constexpr char kWords[] = "question.vocab.10000";
constexpr char kAnswers[] = "answer.label.3000";
constexpr int64_t kSide = 448;
// Objects of an image, the numbers of each one's vector, and of its place.
constexpr int64_t kObjects = 36;
constexpr int64_t kVector = 2048;
constexpr int64_t kPlace = 6;
constexpr int64_t kCorners = 4;

// A question about an image.
struct Question {
  int64_t id = 0;
  std::string text;
  Ints answers;
};

// By the image's number.
using Questions = std::map<int64_t, std::vector<Question>>;

Questions ReadQuestions(const std::string& path, const std::string& labels) {
  const auto answers = ClassLabelEncoder::Load(labels);
  Questions questions;
  try {
    const Json json = Json::Parse(ReadText(path));
    for (const Json& item : json.items()) {
      Question question;
      question.id = item.At("question_id").AsInt();
      question.text = item.At("question").AsString();
      for (const Json& answer : item.At("answer").items()) {
        question.answers.push_back(answers->Encode(answer.AsString()).at(0));
      }
      // Id 0 is padding.
      if (question.answers.empty()) question.answers = {0};
      questions[item.At("image_id").AsInt()].push_back(std::move(question));
    }
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.what());
  }
  return questions;
}

Questions QuestionsOf(const SampleFiles& files) {
  return ReadQuestions(files.Path("_annotations.json"), files.Path(kAnswers));
}

void AddQuestion(int64_t image, const Question& question, Example* sample) {
  sample->features["question"] = Strings{question.text};
  sample->features["image/question_id"] = Ints{question.id};
  sample->features["image/image_id"] = Ints{image};
  sample->features["image/answer"] = question.answers;
}

// "COCO_train2014_000000000009.jpg".
int64_t ImageNumber(const std::string& file) {
  const std::string stem = file.substr(0, file.rfind('.'));
  int64_t number = 0;
  return ParseInt(stem.substr(stem.rfind('_') + 1), &number) ? number : -1;
}

NextExample ReadWithImages(const SampleFiles& files) {
  return SamplesOfArchives(
      {files.Path("2014.zip")},
      [questions = QuestionsOf(files)](
          const std::string& member, const std::string& where,
          std::string bytes, std::vector<Example>* samples) {
        const int64_t image = ImageNumber(BaseName(member));
        const auto found = questions.find(image);
        if (found == questions.end()) return;
        for (const Question& question : found->second) {
          Example sample = ImageSample(bytes, where);
          AddQuestion(image, question, &sample);
          samples->push_back(std::move(sample));
        }
      });
}

// Numbers as they lie in memory, in base64. `width`: how many belong together.
Floats Numbers(const FileLine& line, const std::string& base64, int64_t width) {
  std::string bytes;
  const bool good = absl::Base64Unescape(base64, &bytes);
  Floats numbers(bytes.size() / sizeof(float));
  if (!good ||
      bytes.size() != sizeof(float) * static_cast<size_t>(kObjects * width)) {
    throw BadLine(
        line, "has no list of " + std::to_string(kObjects * width) + " numbers",
        "36 objects of an image");
  }
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

// Left, top, right, bottom, width and height of each object, by the image's.
Floats Places(const Floats& corners, float width, float height) {
  Floats places;
  for (size_t i = 0; i < corners.size(); i += kCorners) {
    const float left = corners[i] / width;
    const float top = corners[i + 1] / height;
    const float across = (corners[i + 2] - corners[i]) / width;
    const float down = (corners[i + 3] - corners[i + 1]) / height;
    places.insert(places.end(),
                  {left, top, left + across, top + down, across, down});
  }
  return places;
}

// Lines of: image, width, height, how many objects, their corners, their
// vectors.
NextExample ReadWithVectors(const SampleFiles& files) {
  return SamplesOfLines(
      {files.Path(".tsv")},
      [questions = QuestionsOf(files)](const FileLine& line,
                                       std::vector<Example>* samples) {
        const Strings columns = Columns(line, 6);
        int64_t image = 0;
        double width = 0;
        double height = 0;
        if (!ParseInt(columns[0], &image) || !ParseDouble(columns[1], &width) ||
            !ParseDouble(columns[2], &height) || width <= 0 || height <= 0) {
          throw BadLine(line, "has no image with its size", "three numbers");
        }
        const auto found = questions.find(image);
        if (found == questions.end()) return;
        Example common;
        const Floats corners = Numbers(line, columns[4], kCorners);
        common.features["image/feature"] = Numbers(line, columns[5], kVector);
        common.features["image/spatial_feature"] = Places(
            corners, static_cast<float>(width), static_cast<float>(height));
        common.features["image/bboxes"] = corners;
        common.features["image/height"] = Floats{static_cast<float>(height)};
        common.features["image/width"] = Floats{static_cast<float>(width)};
        for (const Question& question : found->second) {
          Example sample = common;
          AddQuestion(image, question, &sample);
          samples->push_back(std::move(sample));
        }
      });
}

// A list of words as it was published, or T2T's file of it, with <pad> and
// <EOS> before them and UNK behind.
std::shared_ptr<const TextEncoder> LoadWords(const std::string& path) {
  Strings words = ReadTextLines(path);
  std::erase(words, "UNK");
  words.emplace_back("UNK");
  TokenEncoderOptions options;
  options.replace_oov = "UNK";
  return TokenTextEncoder::FromList(words, options);
}

Problem QuestionProblem(const std::string& name, const ImageShape& shape) {
  Problem problem = ImageProblem(name, name);
  problem.metrics = {"accuracy_multilabel_match3"};
  problem.splits = ShuffledSplits(128, 64);
  FeatureSpec& inputs = problem.features["inputs"];
  inputs.modality = "identity";
  inputs.shape = shape;
  inputs.ends_at_eos = false;
  inputs.space_id = kImageSpace;
  FeatureSpec& question = problem.features["question"];
  question.vocabulary.kind = Vocabulary::Kind::kCustom;
  question.vocabulary.file = kWords;
  question.vocabulary.list_file = kWords;
  question.vocabulary.load = LoadWords;
  question.appends_eos = false;
  FeatureSpec& targets = problem.features["targets"];
  targets.modality = "multi_label";
  targets.vocabulary.kind = Vocabulary::Kind::kLabelFile;
  targets.vocabulary.file = kAnswers;
  targets.vocabulary.list_file = kAnswers;
  targets.ends_at_eos = false;
  problem.corpora = {OfAll(CorpusNamed("vqa_words")),
                     Train(CorpusNamed("vqa_train")),
                     Dev(CorpusNamed("vqa_dev"))};
  problem.regroup = WriteAs("question", "image/question");
  return problem;
}

Problem WithImages(const std::string& name) {
  const ImageShape shape = {kSide, kSide, 3};
  Problem problem = QuestionProblem(name, shape);
  problem.corpora.push_back(Train(CorpusNamed("coco_images_train")));
  problem.corpora.push_back(Dev(CorpusNamed("coco_images_dev")));
  problem.steps = {
      TakeFields({{"image/question", "question"}, {"image/answer", "targets"}}),
      MakePictures({},
                   {{.name = "inputs",
                     .shape = shape,
                     .changes = {ForQuestions(kSide)},
                     .floats = true}},
                   /*draws=*/true)};
  ReadBy({.read = ReadWithImages, .finish = CheckImage}, &problem);
  return problem;
}

Problem WithVectors(const std::string& name) {
  Problem problem = QuestionProblem(name, {kObjects, 1, kVector});
  FeatureSpec& places = problem.features["spatial_feature"];
  places.modality = "identity";
  places.shape = {kObjects, 1, kPlace};
  places.ends_at_eos = false;
  problem.corpora.push_back(OfAll(CorpusNamed("vqa_vectors")));
  problem.steps = {RenameFields({{"image/feature", "inputs"},
                                 {"image/spatial_feature", "spatial_feature"},
                                 {"image/question", "question"},
                                 {"image/answer", "targets"}})};
  ReadBy({.read = ReadWithVectors}, &problem);
  return problem;
}

}  // namespace

void RegisterImageQuestions(ProblemRegistry& problems) {
  const std::string images = "image_vqav2_tokens10k_labels3k";
  const std::string vectors = "image_vqav2_rcnn_feature_tokens10k_labels3k";
  problems.Add(images, [images] { return WithImages(images); });
  problems.Add(vectors, [vectors] { return WithVectors(vectors); });
}

}  // namespace t2t
