// Problems of images out of archives, in the layout of the originals.

#include <gtest/gtest.h>
#include <lmdb.h>
#include <webp/encode.h>

#include <algorithm>
#include <set>

#include "problems/image_testing.h"
#include "t2t/formats/png.h"

namespace t2t {
namespace {

std::string CifarRecord(char coarse, char fine, char pixel) {
  return std::string{coarse, fine} + std::string(3072, pixel);
}

TEST_F(ImageArchivesTest, Cifar100HasTwoKindsOfLabels) {
  std::string train;
  for (char i = 0; i < 50; ++i) train += CifarRecord(7, 99, i);
  PutArchive("cifar-100-binary.tar.gz",
             {{"cifar-100-binary/train.bin", train},
              {"cifar-100-binary/test.bin", CifarRecord(19, 0, 9)}});
  Generate("image_cifar100_plain");
  Generate("image_cifar20_plain");
  Generate("image_cifar20_tune");
  EXPECT_EQ(Labels("image_cifar100_plain", DataSplit::kDev),
            std::multiset<int64_t>{0});
  EXPECT_EQ(Labels("image_cifar20_plain", DataSplit::kDev),
            std::multiset<int64_t>{19});
  EXPECT_EQ(*Labels("image_cifar100_plain", DataSplit::kTrain).begin(), 99);
  // To tune: 2 of 50.
  EXPECT_EQ(Examples("image_cifar20_tune").size(), 48u);
  EXPECT_EQ(Labels("image_cifar20_tune", DataSplit::kDev),
            (std::multiset<int64_t>{7, 7}));
  EXPECT_EQ(MakeProblem("image_cifar100")
                ->features.at("targets")
                .vocabulary.labels.at(99),
            "worm");
}

// Problems that share image_cifar10_plain's data.
TEST_F(ImageArchivesTest, CifarInOtherForms) {
  const std::string record =
      std::string(1, 4) + std::string(1024, 10) + std::string(2048, 20);
  for (const char* const name :
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
        "data_batch_5", "test_batch"}) {
    Put(std::string("cifar-10-batches-bin/") + name + ".bin", record);
  }
  Generate("image_cifar10_plain_gen");
  const Example dev = Examples("image_cifar10_plain", DataSplit::kDev).at(0);
  EXPECT_EQ(Made("image_cifar10_plain", dev).Floats("inputs").size(), 3072u);
  EXPECT_EQ(Made("image_cifar10_plain_gen", dev).Bytes("inputs")[0], 10);
  const Example small = Made("image_cifar10_plain8", dev);
  EXPECT_EQ(small.Floats("inputs").size(), 192u);
  EXPECT_EQ(IntegersOf(small.features.at("targets")), Ints{4});
  const Example reversed = Made("image_cifar10_plain8_rev", dev);
  EXPECT_EQ(reversed.Bytes("targets").size(), 192u);
  EXPECT_EQ(reversed.Bytes("targets")[1], 20);
  const Example both = Made("img2img_cifar10", dev);
  EXPECT_EQ(both.Bytes("inputs").size(), 192u);
  EXPECT_EQ(both.Bytes("targets").size(), 3072u);
  const Example flat = Made("image_cifar10_plain_gen_flat_rev", dev);
  EXPECT_EQ(flat.features.size(), 1u);
  EXPECT_EQ(flat.Bytes("targets").size(), 3072u);
  for (const std::string name :
       {"image_cifar10_plain_gen_flat", "image_cifar10_plain_gen",
        "img2img_cifar10", "image_cifar10_plain_random_shift",
        "image_cifar10_plain8"}) {
    EXPECT_EQ(WrongLengths(name, options_.data_dir), "");
  }
  // There are no targets to learn.
  const auto [code, message] = ErrorOf([&] {
    MakeProblem("image_cifar10_plain_gen_flat")->Info(options_.data_dir);
  });
  EXPECT_EQ(code, ExitCode::kUsage);
  EXPECT_NE(message.find("use image_cifar10_plain_gen_flat_rev"),
            std::string::npos)
      << message;
}

constexpr char kSynsets[] = "imagenet_2012_validation_synset_labels.txt";

TEST_F(ImageArchivesTest, ImagenetIsAnArchiveOfArchives) {
  PutArchive(
      "ILSVRC2012_img_train.tar",
      {{"n02000000.tar", Archive({{"n02000000_1.JPEG", Jpeg(350, 400, 90)},
                                  {"n02000000_77.JPEG", Jpeg(300, 300, 90)}})},
       {"n01000000.tar", Archive({{"n01000000_5.JPEG", Png(333, 310, 30)}})}});
  PutArchive("ILSVRC2012_img_val.tar",
             {{"ILSVRC2012_val_00000001.JPEG", Jpeg(400, 300, 1)},
              {"ILSVRC2012_val_00000002.JPEG", Jpeg(400, 301, 2)}});
  Put(kSynsets, "n02000000\nn01000000\n");
  Generate("image_imagenet224");
  EXPECT_EQ(Labels("image_imagenet", DataSplit::kTrain),
            (std::multiset<int64_t>{0, 1, 1}));
  EXPECT_EQ(Labels("image_imagenet", DataSplit::kDev),
            (std::multiset<int64_t>{0, 1}));
  const std::vector<Example> dev = Examples("image_imagenet", DataSplit::kDev);
  const Example& first =
      dev.at(0).Ints("image/width").at(0) == 300 ? dev.at(0) : dev.at(1);
  EXPECT_EQ(first.Strings("image/format").at(0), "jpeg");
  EXPECT_EQ(first.Ints("image/class/label"), Ints{1});
  EXPECT_EQ(first.Ints("image/height"), Ints{400});
  EXPECT_EQ(first.features.count("where"), 0u);
  for (const auto& [name, side] :
       {std::pair("image_imagenet", 299), std::pair("image_imagenet224", 224),
        std::pair("image_imagenet256", 256)}) {
    for (const Mode mode : {Mode::kTrain, Mode::kEval}) {
      const Example made = Made(name, first, mode);
      EXPECT_EQ(made.features.size(), 2u);
      EXPECT_EQ(made.Floats("inputs").size(),
                static_cast<size_t>(side * side * 3));
      EXPECT_NEAR(made.Floats("inputs").back(), -1.8, 0.3);
    }
  }
  EXPECT_NEAR(
      Made("image_imagenet224_no_normalization", first).Floats("inputs").back(),
      1, 1.5);
  // T2T cuts normalized numbers off; what is drawn is of pixels.
  const Ints cut =
      IntegersOf(Made("image_imagenet32", first).features.at("inputs"));
  EXPECT_EQ(cut[48], -2);  // -2.1 of red
  EXPECT_EQ(cut[50], -1);  // -1.8 of blue
  EXPECT_EQ(Made("image_imagenet64_rev", first).Bytes("targets").size(),
            64 * 64 * 3u);
  EXPECT_EQ(Made("img2img_imagenet", first).Bytes("targets").size(),
            32 * 32 * 3u);
  EXPECT_EQ(WrongLengths("img2img_imagenet", options_.data_dir), "");
  EXPECT_EQ(WrongLengths("image_imagenet", options_.data_dir), "");
}

TEST_F(ImageArchivesTest, ABrokenImageIsNamedWithItsArchive) {
  const std::string jpeg = Jpeg(50, 60, 7);
  Put(kSynsets, "n01000000\n");
  PutArchive("ILSVRC2012_img_val.tar",
             {{"ILSVRC2012_val_00000001.JPEG", jpeg}});
  PutArchive("ILSVRC2012_img_train.tar",
             {{"n01000000.tar",
               Archive({{"n01000000_1.JPEG", jpeg},
                        {"n01000000_2.JPEG", jpeg.substr(0, 500)}})}});
  const auto [code, message] = ErrorOf([&] { Generate("image_imagenet"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  for (const char* const part :
       {"ILSVRC2012_img_train.tar: ./n01000000.tar: ./n01000000_2.JPEG",
        "example 2 of train"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  // An archive that is cut.
  const std::string path = options_.tmp_dir + "/ILSVRC2012_img_train.tar";
  const std::string whole = ReadFile(path);
  WriteFileAtomically(path, whole.substr(0, whole.size() / 2));
  const auto [cut_code, cut] = ErrorOf([&] { Generate("image_imagenet"); });
  EXPECT_EQ(cut_code, ExitCode::kBadData);
  EXPECT_NE(cut.find("ILSVRC2012_img_train.tar"), std::string::npos) << cut;
  // What one must register for.
  RemoveFile(path);
  const auto [missing_code, missing] =
      ErrorOf([&] { Generate("image_imagenet"); });
  EXPECT_EQ(missing_code, ExitCode::kMissing);
  for (const std::string& part : {path, std::string("image-net.org")}) {
    EXPECT_NE(missing.find(part), std::string::npos) << missing;
  }
}

TEST_F(ImageArchivesTest, SmallImagenetIsOfPngs) {
  PutArchive("train_64x64.tar", {{"train_64x64/1.png", Png(64, 64, 40)},
                                 {"train_64x64/2.png", Png(64, 64, 80)}});
  PutArchive("valid_64x64.tar", {{"valid_64x64/1.png", Png(64, 64, 120)}});
  Generate("image_imagenet64_gen");
  EXPECT_EQ(Examples("image_imagenet64_gen").size(), 2u);
  const Example dev = Examples("image_imagenet64_gen", DataSplit::kDev).at(0);
  EXPECT_EQ(Made("image_imagenet64_gen", dev).Bytes("inputs").size(), 12288u);
  EXPECT_EQ(Made("image_imagenet64_gen_flat_rev", dev).Bytes("targets").size(),
            12288u);
  const Example many = Made("image_imagenet_multi_resolution_gen", dev);
  EXPECT_EQ(many.Bytes("inputs").size(), 42 * 32 * 3u);
  EXPECT_EQ(many.Bytes("inputs").back(), 120);
}

TEST_F(ImageArchivesTest, FacesAreSplitByTheirNumbers) {
  const std::string table =
      "3\na b\n000001.jpg 4 5\n162771.jpg 1 -1\n202599.jpg  7  8\n";
  Put("celeba_landmarks_align", table);
  Put("celeba_attr", table);
  PutArchive("img_align_celeba.zip",
             {{"img_align_celeba/000001.jpg", Jpeg(218, 178, 200)},
              {"img_align_celeba/162771.jpg", Jpeg(218, 178, 100)},
              {"img_align_celeba/202599.jpg", Jpeg(218, 178, 50)}});
  Generate("img2img_celeba");
  EXPECT_EQ(Examples("image_celeba").size(), 1u);
  const Example test = Examples("image_celeba", DataSplit::kTest).at(0);
  EXPECT_EQ(test.Ints("landmarks"), (Ints{7, 8}));
  const Example dev = Examples("image_celeba", DataSplit::kDev).at(0);
  EXPECT_EQ(dev.Ints("attributes"), (Ints{1, -1}));
  const Example both = Made("img2img_celeba64", dev);
  EXPECT_EQ(both.Bytes("inputs").size(), 192u);
  EXPECT_EQ(both.Bytes("targets").size(), 64 * 64 * 3u);
  EXPECT_NEAR(both.Bytes("targets")[100], 100, 2);
  EXPECT_EQ(Made("image_celeba32", dev).Bytes("inputs").size(), 3072u);
  EXPECT_EQ(Made("image_celeba_rev", dev).Bytes("targets").size(),
            218 * 178 * 3u);
  EXPECT_EQ(Made("image_celeba_multi_resolution", dev).Bytes("targets").size(),
            42 * 32 * 3u);
  Put("celeba_attr", "1\na b\n000001.jpg 4 x\n");
  options_.overwrite = true;
  const auto [code, message] = ErrorOf([&] { Generate("image_celeba"); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("celeba_attr"), std::string::npos) << message;
}

// Shards of another program.
TEST_F(ImageArchivesTest, CelebaHqIsReadFromItsShards) {
  for (const char* const shard : {"00000", "00089", "00090"}) {
    Example example;
    example.features["image/encoded"] =
        std::vector<std::string>{Png(128, 128, 60)};
    std::string records;
    AppendTfRecord(SerializeExample(example), &records);
    Put(std::string("image_celebahq-128-") + shard + "-of-00100", records);
  }
  Generate("image_celebahq128_dmol");
  const auto problem = MakeProblem("image_celebahq128_rev");
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kTrain).size(),
            2u);
  const Example dev =
      ReadExamples(*problem, options_.data_dir, DataSplit::kDev).at(0);
  EXPECT_EQ(dev.Strings("image/format").at(0), "png");
  EXPECT_EQ(Made("image_celebahq128_rev", dev).Bytes("targets").size(),
            128 * 128 * 3u);
  EXPECT_THROW(Made("image_celebahq256_rev", dev), Error);
}

TEST_F(ImageArchivesTest, BrainsAreCutIntoTiles) {
  for (int i = 0; i < 100; ++i) {
    // Two tiles and a rest; the last ones are too dark to be kept.
    Put("allen_brain/" + std::to_string(i) + ".jpg",
        Jpeg(70, 130, i == 99 ? 100 : 240));
  }
  Generate("img2img_allen_brain_dim8to32");
  EXPECT_EQ(Examples("img2img_allen_brain").size(), 190u);
  const std::vector<Example> dev =
      Examples("img2img_allen_brain", DataSplit::kDev);
  EXPECT_EQ(dev.size(), 8u);
  EXPECT_EQ(dev[0].Ints("image/height"), Ints{64});
  const Example made = Made("img2img_allen_brain_dim8to32", dev[0]);
  EXPECT_EQ(made.Bytes("inputs").size(), 192u);
  EXPECT_EQ(made.Bytes("targets").size(), 3072u);
  const Example painted = Made("img2img_allen_brain_dim16to16_paint1", dev[0]);
  EXPECT_EQ(std::ranges::count(painted.Bytes("inputs"), 0), 3);
  EXPECT_EQ(std::ranges::count(painted.Bytes("targets"), 0), 0);
}

// A database of LMDB with these images, as its file.
std::string Lmdb(const std::vector<std::pair<std::string, std::string>>& rows) {
  const std::string folder = MakeTempDirectory("lmdb");
  MDB_env* env = nullptr;
  MDB_txn* transaction = nullptr;
  MDB_dbi table = 0;
  EXPECT_EQ(mdb_env_create(&env), 0);
  EXPECT_EQ(mdb_env_open(env, folder.c_str(), 0, 0644), 0);
  EXPECT_EQ(mdb_txn_begin(env, nullptr, 0, &transaction), 0);
  EXPECT_EQ(mdb_dbi_open(transaction, nullptr, 0, &table), 0);
  for (auto [key, value] : rows) {
    MDB_val k = {key.size(), key.data()};
    MDB_val v = {value.size(), value.data()};
    EXPECT_EQ(mdb_put(transaction, table, &k, &v, 0), 0);
  }
  EXPECT_EQ(mdb_txn_commit(transaction), 0);
  mdb_env_close(env);
  std::string file = ReadFile(folder + "/data.mdb");
  RemoveTree(folder);
  return file;
}

std::string Webp(const Image& image) {
  uint8_t* bytes = nullptr;
  const size_t size =
      WebPEncodeLosslessRGB(image.pixels.data(), static_cast<int>(image.width),
                            static_cast<int>(image.height),
                            static_cast<int>(image.width * 3), &bytes);
  const std::string webp(reinterpret_cast<const char*>(bytes), size);
  WebPFree(bytes);
  return webp;
}

TEST_F(ImageArchivesTest, RoomsAreADatabaseOfWebps) {
  const std::string webp = Webp(Plain(12, 20, 77));
  // (The second does not fit into a page.)
  const std::string train = Lmdb({{"a", webp}, {"b", Webp(Plain(99, 7, 5))}});
  PutArchive("bedroom_train_lmdb.zip", {{"bedroom_train_lmdb/data.mdb", train},
                                        {"bedroom_train_lmdb/lock.mdb", ""}});
  const std::string dev =
      Lmdb({{"a", webp}, {"b", webp.substr(0, webp.size() / 2)}});
  PutArchive("bedroom_val_lmdb.zip", {{"bedroom_val_lmdb/data.mdb", dev}});
  const auto generate = [&] { Generate("image_lsun_bedrooms"); };
  const auto [code, message] = ErrorOf(generate);
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("bedroom_val_lmdb/data.mdb: b"), std::string::npos)
      << message;
  Put("bedroom_val_lmdb/data.mdb", Lmdb({{"a", webp}}));
  options_.overwrite = true;
  generate();
  EXPECT_EQ(Examples("image_lsun_bedrooms").size(), 2u);
  const Example room = Examples("image_lsun_bedrooms", DataSplit::kDev).at(0);
  EXPECT_EQ(room.Ints("image/width"), Ints{20});
  EXPECT_EQ(room.Strings("image/format").at(0), "png");
  EXPECT_EQ(DecodePng(room.Strings("image/encoded").at(0), 3).pixels,
            Plain(12, 20, 77).pixels);
  // A database that is cut.
  Put("bedroom_train_lmdb/data.mdb", train.substr(0, train.size() - 4096));
  const auto [cut_code, cut] = ErrorOf(generate);
  EXPECT_EQ(cut_code, ExitCode::kBadData);
  EXPECT_NE(cut.find("bedroom_train_lmdb/data.mdb is cut"), std::string::npos)
      << cut;
}

}  // namespace
}  // namespace t2t
