// Problems of images with text, in the layout of the originals.

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/escaping.h"
#include "problems/image_testing.h"

namespace t2t {
namespace {

using ImageTextTest = ImageArchivesTest;

TEST_F(ImageTextTest, CaptionsComeWithTheirImages) {
  const auto captions = [](const std::string& image) {
    return R"({"images": [{"id": 9, "file_name": ")" + image +
           R"(", "height": 300, "width": 310}],
      "annotations": [{"image_id": 9, "id": 1, "caption": "A dog."},
                      {"image_id": 9, "id": 2, "caption": "The dog"},
                      {"image_id": 4, "id": 3, "caption": "of no image"}]})";
  };
  Put("annotations/captions_train2014.json", captions("COCO_train_9.jpg"));
  Put("annotations/captions_val2014.json", captions("COCO_val_9.jpg"));
  PutArchive("train2014.zip",
             {{"train2014/COCO_train_9.jpg", Jpeg(300, 310, 9)},
              {"train2014/COCO_train_8.jpg", "no caption"}});
  PutArchive("val2014.zip", {{"val2014/COCO_val_9.jpg", Jpeg(300, 310, 9)}});
  Generate("image_ms_coco_characters");
  const std::vector<Example> train = Examples("image_ms_coco_characters");
  ASSERT_EQ(train.size(), 2u);
  const Example dev =
      Examples("image_ms_coco_characters", DataSplit::kDev).at(0);
  // T2T's field, and the ids that its encoder reads back.
  const ProblemInfo info =
      MakeProblem("image_ms_coco_characters")->Info(options_.data_dir);
  const std::string text =
      TextOf(dev, "image/class/label", *info.features.at("targets").encoder);
  EXPECT_TRUE(text == "A dog." || text == "The dog") << text;
  const Example made = Made("image_ms_coco_characters", dev);
  EXPECT_EQ(made.Floats("inputs").size(), 299 * 299 * 3u);
  EXPECT_EQ(made.Ints("targets"), dev.Ints("image/class/label"));
  EXPECT_EQ(WrongLengths("image_ms_coco_characters", options_.data_dir), "");
  const Example reversed = Made("image_text_ms_coco_rev", dev);
  EXPECT_EQ(reversed.Bytes("targets").size(), 3072u);
  EXPECT_EQ(reversed.Ints("inputs"), dev.Ints("image/class/label"));
}

// `count` numbers from `first` on, as they lie in memory, in base64.
std::string Numbers(float first, size_t count) {
  std::vector<float> numbers(count);
  for (size_t i = 0; i < count; ++i) {
    numbers[i] = first + static_cast<float>(i);
  }
  return absl::Base64Escape(absl::string_view(
      reinterpret_cast<const char*>(numbers.data()), count * sizeof(float)));
}

TEST_F(ImageTextTest, QuestionsComeWithImagesOrVectors) {
  const auto questions = [](const std::string& answer) {
    return R"([{"image_id": 9, "question_id": 90, "question": "is it red ?",
                "answer": ["no", ")" +
           answer + R"("]},
               {"image_id": 9, "question_id": 91, "question": "it blue",
                "answer": []}])";
  };
  const auto put = [&](const std::string& answer) {
    PutArchive("vqa_v2.tar.gz",
               {{"question.vocab.10000", "is\nit\nred\n?\n"},
                {"answer.label.3000", "<pad>\nyes\nno\n"},
                {"v2_train2014_annotations.json", questions(answer)},
                {"v2_val2014_annotations.json", questions("yes")}});
  };
  put("maybe");
  PutArchive("train2014.zip",
             {{"train2014/COCO_train2014_000000000009.jpg", Jpeg(30, 40, 200)},
              {"train2014/COCO_train2014_000000000010.jpg", "no question"}});
  PutArchive("val2014.zip",
             {{"val2014/COCO_val2014_000000000009.jpg", Jpeg(30, 40, 200)}});
  const std::string name = "image_vqav2_tokens10k_labels3k";
  const auto [code, message] = ErrorOf([&] { Generate(name); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("v2_train2014_annotations.json"), std::string::npos)
      << message;
  RemoveFile(options_.tmp_dir + "/v2_train2014_annotations.json");
  put("yes");
  options_.overwrite = true;
  Generate(name);
  EXPECT_EQ(Examples(name).size(), 2u);
  const std::vector<Example> dev = Examples(name, DataSplit::kDev);
  const size_t red = dev.at(0).Ints("image/question_id") == Ints{90} ? 0 : 1;
  // <pad>, <EOS>, then the list, then UNK; no EOS behind a question.
  EXPECT_EQ(dev[red].Ints("image/question"), (Ints{2, 3, 4, 5}));
  EXPECT_EQ(dev[1 - red].Ints("image/question"), (Ints{3, 6}));
  EXPECT_EQ(dev[red].Ints("image/answer"), (Ints{2, 1}));
  EXPECT_EQ(dev[1 - red].Ints("image/answer"), Ints{0});
  const Example made = Made(name, dev[red]);
  EXPECT_EQ(made.features.size(), 3u);
  EXPECT_EQ(made.Floats("inputs").size(), 448 * 448 * 3u);
  EXPECT_NEAR(made.Floats("inputs").back(), 200 - 103.94, 2);
  // In training its colours change.
  EXPECT_GT(
      std::abs(Made(name, dev[red], Mode::kTrain).Floats("inputs").back() -
               made.Floats("inputs").back()),
      1);
  const ProblemInfo info = MakeProblem(name)->Info(options_.data_dir);
  EXPECT_EQ(info.features.at("question").vocab_size, 7);
  EXPECT_EQ(info.features.at("targets").vocab_size, 3);

  const std::string vectors = "image_vqav2_rcnn_feature_tokens10k_labels3k";
  const auto line = [](const std::string& image, const std::string& corners) {
    return image + "\t100\t50\t36\t" + corners + "\t" + Numbers(7, 36 * 2048) +
           "\n";
  };
  Put("trainval_resnet101_faster_rcnn_genome_36.tsv",
      line("10", "of no question") + line("9", Numbers(0, 36 * 4)));
  Generate(vectors);
  const Example example = Examples(vectors, DataSplit::kDev).at(0);
  const Example whole = Made(vectors, example);
  EXPECT_EQ(whole.features.size(), 4u);
  EXPECT_EQ(whole.Floats("inputs").at(5), 12);
  // The second object's corners: 4, 5, 6, 7.
  const std::vector<float>& places = whole.Floats("spatial_feature");
  const std::vector<float> second(places.begin() + 6, places.begin() + 12);
  const std::vector<float> expected = {0.04F, 0.1F, 0.06F, 0.14F, 0.02F, 0.04F};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(second[i], expected[i], 1e-6);
  EXPECT_EQ(WrongLengths(vectors, options_.data_dir), "");
  // A line that is cut.
  Put("trainval_resnet101_faster_rcnn_genome_36.tsv",
      line("10", "of no question") + line("9", Numbers(0, 35 * 4)));
  const auto [cut_code, cut] = ErrorOf([&] { Generate(vectors); });
  EXPECT_EQ(cut_code, ExitCode::kBadData);
  EXPECT_NE(cut.find(".tsv, line 2 "), std::string::npos) << cut;
}

TEST_F(ImageTextTest, SignsAreReadFromTheirShards) {
  Put("charset_size134.txt", "0\t \n1\ta\n2\t\xc3\xa9\n");
  Example example;
  example.features["image/encoded"] =
      std::vector<std::string>{Png(150, 600, 60)};
  example.features["image/unpadded_class"] = Ints{1, 0, 2};
  std::string records;
  AppendTfRecord(SerializeExample(example), &records);
  for (int i = 0; i < 512; ++i) {
    Put("fsns/train" + Format("-%05d-of-00512", i), i == 3 ? records : "");
    if (i >= 64) continue;
    Put("fsns/validation" + Format("-%05d-of-00064", i), i == 5 ? records : "");
  }
  options_.num_shards = 2;
  Generate("image_fsns");
  const Example dev = Examples("image_fsns", DataSplit::kDev).at(0);
  const ProblemInfo info = MakeProblem("image_fsns")->Info(options_.data_dir);
  const TextEncoder& encoder = *info.features.at("targets").encoder;
  EXPECT_EQ(encoder.vocab_size(), 3);
  const Example made = Made("image_fsns", dev);
  EXPECT_EQ(encoder.Decode(made.Ints("targets")), "a \xc3\xa9");
  EXPECT_EQ(encoder.Encode("a \xc3\xa9"), (Ints{1, 0, 2}));
  EXPECT_EQ(made.Floats("inputs").size(), 150 * 600 * 3u);
  EXPECT_EQ(WrongLengths("image_fsns", options_.data_dir), "");
}

TEST_F(ImageTextTest, PrintHasItsTextBesideIt) {
  for (const std::string name : {"0", "1"}) {
    Put("ocr/" + name + ".png", Png(60, 1350, 200));
    Put("ocr/" + name + ".txt", " line " + name + "\n");
  }
  Generate("ocr_test");
  const Example dev = Examples("ocr_test", DataSplit::kDev).at(0);
  EXPECT_EQ(dev.Ints("image/width"), Ints{1350});
  const Example made = Made("ocr_test", dev);
  EXPECT_EQ(made.Floats("inputs").size(), 90 * 4 * 3u);
  const ProblemInfo info = MakeProblem("ocr_test")->Info(options_.data_dir);
  const std::string text =
      TextOf(made, "targets", *info.features.at("targets").encoder);
  EXPECT_TRUE(text == "line 0" || text == "line 1") << text;
}

}  // namespace
}  // namespace t2t
