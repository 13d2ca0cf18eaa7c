#include <utility>

#include "problems/corpus_rows.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// The training or test set of MNIST, or of another set in its form.
Corpus Mnist(const std::string& name, const std::string& stem,
             const std::string& home) {
  Corpus corpus;
  corpus.name = name;
  corpus.home = home;
  corpus.files = {{stem + "-images-idx3-ubyte", ""},
                  {stem + "-labels-idx1-ubyte", ""}};
  corpus.reader = CorpusReader::kByKind;
  corpus.published_suffix = ".gz";
  return corpus;
}

// CIFAR's binary version: the same images in the same order as in the pickled
// one that T2T reads.
Corpus Cifar10(const std::string& name, std::vector<CorpusFile> files) {
  Corpus corpus;
  corpus.name = name;
  corpus.addresses = {
      "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"};
  corpus.archive = "cifar-10-binary.tar.gz";
  corpus.bytes = 170052171;
  corpus.sha256 =
      "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd";
  corpus.files = std::move(files);
  corpus.reader = CorpusReader::kByKind;
  corpus.mirror_variable = "T2T_CIFAR_URL";
  return corpus;
}

// Its labels are two: of 20 classes, and of 100.
Corpus Cifar100(const std::string& name, const std::string& file) {
  const std::string archive = "cifar-100-binary.tar.gz";
  Corpus corpus =
      InArchive(name, "https://www.cs.toronto.edu/~kriz/" + archive, archive,
                {{"cifar-100-binary/" + file, ""}}, CorpusReader::kByKind);
  corpus.mirror_variable = "T2T_CIFAR_URL";
  return corpus;
}

// Files that are read where they lie, an archive without being unpacked.
Corpus Files(const std::string& name, const std::string& home,
             const std::string& address, std::vector<CorpusFile> files) {
  Corpus corpus;
  corpus.name = name;
  corpus.home = home;
  if (!address.empty()) corpus.addresses = {address};
  corpus.files = std::move(files);
  corpus.reader = CorpusReader::kByKind;
  return corpus;
}

std::vector<Corpus> ImagenetCorpora() {
  const std::string home =
      "ImageNet 2012, https://image-net.org, after registering";
  const std::string small = "https://image-net.org/small";
  const auto drawn = [&](const std::string& name, const std::string& file) {
    return Files(name, "ImageNet's images of 32 and 64 pixels, " + small, small,
                 {{file}});
  };
  return {
      Files("imagenet_synsets", "TensorFlow's models, research/slim/datasets",
            "https://raw.githubusercontent.com/tensorflow/models/master/"
            "research/slim/datasets",
            {{"imagenet_2012_validation_synset_labels.txt"}}),
      Files("imagenet_train", home, "", {{"ILSVRC2012_img_train.tar"}}),
      Files("imagenet_dev", home, "", {{"ILSVRC2012_img_val.tar"}}),
      drawn("imagenet32_train", "train_32x32.tar"),
      drawn("imagenet32_dev", "valid_32x32.tar"),
      drawn("imagenet64_train", "train_64x64.tar"),
      drawn("imagenet64_dev", "valid_64x64.tar"),
  };
}

std::vector<Corpus> FaceCorpora() {
  const auto drive = [](const std::string& id) {
    return "https://drive.google.com/uc?export=download&id=" + id;
  };
  const std::string hq =
      "CelebA-HQ, made by github.com/tkarras/progressive_growing_of_gans: 100 "
      "shards of records with image/encoded";
  std::vector<Corpus> rows = {Files(
      "celeba",
      "CelebA, http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html: "
      "img_align_celeba.zip, list_landmarks_align_celeba.txt and "
      "list_attr_celeba.txt, the two under these names",
      "",
      {{"img_align_celeba.zip", "", drive("0B7EVK8r0v71pZjFTYXZWM3FlRnM")},
       {"celeba_landmarks_align", "", drive("0B7EVK8r0v71pd0FJY3Blby1HUTQ")},
       {"celeba_attr", "", drive("0B7EVK8r0v71pblRyaVFSWGxPY0U")}})};
  for (const char* const size : {"128", "256"}) {
    const std::string stem = std::string("image_celebahq-") + size;
    rows.push_back(Files(stem + "_train", hq, "", {{stem + "-000[0-8]*"}}));
    rows.push_back(Files(stem + "_dev", hq, "", {{stem + "-0009*"}}));
  }
  return rows;
}

// Sections of brains, each under its number in the atlas.
Corpus Brains() {
  constexpr int kIds[] = {
      74887117, 71894997, 69443979,  79853548,  101371232, 77857182,  70446772,
      68994990, 69141561, 70942310,  70942316,  68298378,  69690156,  74364867,
      77874134, 75925043, 73854431,  69206601,  71771457,  101311379, 74777533,
      70960269, 71604493, 102216720, 74776437,  75488723,  79815814,  77857132,
      77857138, 74952778, 69068486,  648167,    75703410,  74486118,  77857098,
      637407,   67849516, 69785503,  71547630,  69068504,  69184074,  74853078,
      74890694, 74890698, 75488687,  71138602,  71652378,  68079764,  70619061,
      68280153, 73527042, 69764608,  68399025,  244297,    69902658,  68234159,
      71495521, 74488395, 73923026,  68280155,  75488747,  69589140,  71342189,
      75119214, 79455452, 71774294,  74364957,  68031779,  71389422,  67937572,
      69912671, 73854471, 75008183,  101371376, 75703290,  69533924,  79853544,
      77343882, 74887133, 332587,    69758622,  69618413,  77929999,  244293,
      334792,   75825136, 75008103,  70196678,  71883965,  74486130,  74693566,
      76107119, 76043858, 70252433,  68928364,  74806345,  67848661,  75900326,
      71773690, 75008171,
  };
  std::vector<CorpusFile> files;
  for (const int id : kIds) {
    files.push_back(
        {"allen_brain/" + std::to_string(files.size()) + ".jpg", "",
         "https://api.brain-map.org/api/v2/section_image_download/" +
             std::to_string(id)});
  }
  return Files("allen_brain",
               "the Allen Brain Atlas, http://help.brain-map.org", "",
               std::move(files));
}

Corpus Lsun(const std::string& name, const std::string& split) {
  const std::string folder = "bedroom_" + split + "_lmdb";
  return InArchive(name, "https://dl.yf.io/lsun/scenes/" + folder + ".zip",
                   folder + ".zip", {{folder + "/data.mdb"}},
                   CorpusReader::kByKind);
}

// Of Google Drive, which gives a page with a button where a file is large.
std::vector<Corpus> QuestionCorpora() {
  const auto drive = [](const std::string& name, const std::string& id,
                        const std::string& archive,
                        std::vector<CorpusFile> files) {
    Corpus corpus =
        InArchive(name, "https://drive.google.com/uc?export=download&id=" + id,
                  archive, std::move(files), CorpusReader::kByKind);
    corpus.home = archive + " at " + corpus.addresses.front();
    return corpus;
  };
  const auto questions = [&](const std::string& name,
                             std::vector<CorpusFile> files) {
    return drive(name, "1xfMU54ObCLvMRAekT3cfcIg-AgY39fWB", "vqa_v2.tar.gz",
                 std::move(files));
  };
  return {
      questions("vqa_words", {{"question.vocab.10000"}, {"answer.label.3000"}}),
      questions("vqa_train", {{"v2_train2014_annotations.json"}}),
      questions("vqa_dev", {{"v2_val2014_annotations.json"}}),
      drive("vqa_vectors", "1yTTFUWqx1SScC-Whs2vRbF3tDsEEjrtt",
            "mscoco_feat.tar.gz",
            {{"trainval_resnet101_faster_rcnn_genome_36.tsv"}}),
  };
}

std::vector<Corpus> ImageTextCorpora() {
  const std::string coco = "https://msvocds.blob.core.windows.net/coco2014";
  const std::string coco_home = "Microsoft COCO 2014, https://cocodataset.org";
  const std::string signs = "http://download.tensorflow.org/data/fsns-20160927";
  const std::string signs_home = "FSNS, " + signs;
  const auto shards = [&](const std::string& split, int count) {
    std::vector<CorpusFile> files;
    for (int i = 0; i < count; ++i) {
      files.push_back({"fsns/" + split + Format("-%05d-of-%05d", i, count), "",
                       signs + "/" + split + "/" + split +
                           Format("-%05d-of-%05d", i, count)});
    }
    return files;
  };
  return {
      Files("coco_images_train", coco_home, coco, {{"train2014.zip"}}),
      Files("coco_images_dev", coco_home, coco, {{"val2014.zip"}}),
      Files("fsns_characters", signs_home, signs, {{"charset_size134.txt"}}),
      Files("fsns_train", signs_home, "", shards("train", 512)),
      Files("fsns_dev", signs_home, "", shards("validation", 64)),
      Files("ocr_test", "two images of lines of print, and their text", "",
            {{"ocr/0.png"}, {"ocr/0.txt"}, {"ocr/1.png"}, {"ocr/1.txt"}}),
  };
}

}  // namespace

std::vector<Corpus> ImageCorpora() {
  const std::string batch = "cifar-10-batches-bin/";
  std::vector<Corpus> rows = {
      Mnist("mnist_train", "train", "MNIST's four IDX files"),
      Mnist("mnist_test", "t10k", "MNIST's four IDX files"),
      Mnist("fashion_mnist_train", "fashion-train",
            "Fashion-MNIST's four IDX files, with 'fashion-' before their "
            "names"),
      Mnist("fashion_mnist_test", "fashion-t10k",
            "Fashion-MNIST's four IDX files, with 'fashion-' before their "
            "names"),
      Cifar10("cifar10_train", {{batch + "data_batch_1.bin", ""},
                                {batch + "data_batch_2.bin", ""},
                                {batch + "data_batch_3.bin", ""},
                                {batch + "data_batch_4.bin", ""},
                                {batch + "data_batch_5.bin", ""}}),
      Cifar10("cifar10_test", {{batch + "test_batch.bin", ""}}),
      Cifar100("cifar100_train", "train.bin"),
      Cifar100("cifar100_test", "test.bin"),
      Brains(),
      Lsun("lsun_bedroom_train", "train"),
      Lsun("lsun_bedroom_dev", "val"),
  };
  for (const auto& more : {ImagenetCorpora(), FaceCorpora(), QuestionCorpora(),
                           ImageTextCorpora()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

}  // namespace t2t
