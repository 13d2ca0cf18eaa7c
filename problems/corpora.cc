#include "problems/corpora.h"

#include <map>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// T2T fetches WMT's over http, and checks none.
constexpr char kWmtMirror[] = "T2T_WMT_URL";
constexpr char kMulti30kMirror[] = "T2T_MULTI30K_URL";

Corpus Wmt(const std::string& name, const std::string& folder,
           const std::string& archive, const std::string& sha256,
           std::vector<CorpusFile> files,
           CorpusReader reader = CorpusReader::kLines) {
  Corpus corpus;
  corpus.name = name;
  corpus.addresses = {folder + "/" + archive};
  corpus.archive = archive;
  corpus.sha256 = sha256;
  corpus.files = std::move(files);
  corpus.reader = reader;
  corpus.mirror_variable = kWmtMirror;
  return corpus;
}

// For those that one must register for: T2T takes the archive where it lies in
// tmp_dir.
Corpus Manual(const std::string& name, const std::string& home,
              const std::string& archive, std::vector<CorpusFile> files) {
  Corpus corpus;
  corpus.name = name;
  corpus.home = home;
  corpus.archive = archive;
  corpus.files = std::move(files);
  return corpus;
}

std::vector<CorpusFile> CwmtFiles() {
  std::vector<CorpusFile> files;
  const auto add = [&](const std::string& stem, const std::string& source,
                       const std::string& target) {
    files.push_back({"cwmt/" + stem + source + ".txt", ""});
    files.push_back({"cwmt/" + stem + target + ".txt", ""});
  };
  add("casia2015/casia2015", "_en", "_ch");
  add("casict2015/casict2015", "_en", "_ch");
  add("neu2017/NEU", "_en", "_cn");
  add("datum2015/datum", "_en", "_ch");
  for (int book = 1; book <= 20; ++book) {
    add("datum2017/Book" + std::to_string(book), "_en", "_cn");
  }
  return files;
}

// SHA-256 of Multi30k's texts as they were published, not compressed.
const std::map<std::string, std::string>& Multi30kSums() {
  static const auto* const sums = new std::map<std::string, std::string>{
      {"train.en",
       "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6"},
      {"train.de",
       "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72"},
      {"train.fr",
       "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d"},
      {"train.cs",
       "2be68b38c8d586ff4f54eb13cc6e1baaaa053695b3f070d3038303a47f2268da"},
      {"val.en",
       "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227"},
      {"val.de",
       "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660"},
      {"val.fr",
       "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc"},
      {"val.cs",
       "d53827e469b0a1ca8d57e9e26b2b64c4bc4b33f5479c7b03ae87ae5c882c3e33"},
      {"test_2016_flickr.en",
       "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182"},
      {"test_2016_flickr.de",
       "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16"},
      {"test_2016_flickr.fr",
       "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6"},
      {"test_2016_flickr.cs",
       "45adb85f688de8407fddcbe1b36dca15d12aab868149b337e2576f2d6d2ff8d8"},
      {"test_2017_flickr.en",
       "ce1450ddc5ab0834502579d77a170849952e15a2938b34cc503bdc25ebb4fb98"},
      {"test_2017_flickr.de",
       "c3078bc3b36808bf9d20eb2347ed6137016179ef59ec0d2b9b8ecc3fb2880081"},
      {"test_2017_flickr.fr",
       "6f3764e31dac41e9455e612958bcfd4e877c5e15cd66df2c2b2be6d9bd83e5b6"},
  };
  return *sums;
}

// A set of Multi30k (Elliott et al. 2016, arXiv:1605.00459), English to
// `language`: files of their own, in tmp_dir flat or as the public repository
// has them.
Corpus Multi30k(const std::string& set, const std::string& language) {
  Corpus corpus;
  corpus.name = "multi30k_" + set + "_en" + language;
  corpus.addresses = {
      "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/"
      "raw"};
  corpus.home = "data/task1/raw of https://github.com/multi30k/dataset";
  for (const std::string& end : {std::string("en"), language}) {
    const std::string file = set + "." + end;
    const auto sum = Multi30kSums().find(file);
    corpus.files.push_back(
        {file, sum == Multi30kSums().end() ? "" : sum->second});
  }
  corpus.folders = {"data/task1/raw", "task1/raw", "raw", "multi30k"};
  corpus.published_suffix = ".gz";
  corpus.mirror_variable = kMulti30kMirror;
  return corpus;
}

// The training or test set of MNIST, or of another set in its form.
Corpus Mnist(const std::string& name, const std::string& stem,
             const std::string& home) {
  Corpus corpus;
  corpus.name = name;
  corpus.home = home;
  corpus.files = {{stem + "-images-idx3-ubyte", ""},
                  {stem + "-labels-idx1-ubyte", ""}};
  corpus.reader = CorpusReader::kBinary;
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
  corpus.reader = CorpusReader::kBinary;
  corpus.mirror_variable = "T2T_CIFAR_URL";
  return corpus;
}

std::vector<Corpus> Rows() {
  const std::string wmt13 = "https://www.statmt.org/wmt13";
  const std::string wmt17 = "https://data.statmt.org/wmt17/translation-task";
  const std::string wmt18 = "https://data.statmt.org/wmt18/translation-task";
  const std::string nc_v13_sum =
      "17992b7e919cfb754c60f4e754148bc23b80706ad0ed7b34150831a554b40c91";
  const std::string nc_v13 = "training-parallel-nc-v13/news-commentary-v13.";
  const std::string batch = "cifar-10-batches-bin/";
  std::vector<Corpus> rows = {
      // News commentary, 284,000 lines.
      Wmt("nc_v13_ende", wmt18, "training-parallel-nc-v13.tgz", nc_v13_sum,
          {{nc_v13 + "de-en.en", ""}, {nc_v13 + "de-en.de", ""}}),
      // Web pages, 2.4 million lines.
      Wmt("commoncrawl_ende", wmt13, "training-parallel-commoncrawl.tgz",
          "c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
          {{"commoncrawl.de-en.en", ""}, {"commoncrawl.de-en.de", ""}}),
      // The European Parliament, 1.9 million lines.
      Wmt("europarl_v7_ende", wmt13, "training-parallel-europarl-v7.tgz",
          "0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
          {{"training/europarl-v7.de-en.en", ""},
           {"training/europarl-v7.de-en.de", ""}}),
      Wmt("newstest2013_ende", wmt17, "dev.tgz", "",
          {{"dev/newstest2013.en", ""}, {"dev/newstest2013.de", ""}}),
      // News commentary, 252,000 lines.
      Wmt("nc_v13_enzh", wmt18, "training-parallel-nc-v13.tgz", nc_v13_sum,
          {{nc_v13 + "zh-en.en", ""}, {nc_v13 + "zh-en.zh", ""}}),
      Wmt("newsdev2017_enzh", wmt18, "dev.tgz", "",
          {{"dev/newsdev2017-enzh-src.en.sgm", ""},
           {"dev/newsdev2017-enzh-ref.zh.sgm", ""}},
          CorpusReader::kSgml),
      // 8.1 million lines.
      Manual("cwmt_enzh", "http://nlp.nju.edu.cn/cwmt-wmt/", "cwmt.tgz",
             CwmtFiles()),
      // The United Nations, 15.9 million lines.
      Manual("un_v1_enzh", "https://conferences.unite.un.org/UNCorpus",
             "UNv1.0.en-zh.tar.gz",
             {{"en-zh/UNv1.0.en-zh.en", ""}, {"en-zh/UNv1.0.en-zh.zh", ""}}),
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
  };
  for (const std::string language : {"de", "fr", "cs"}) {
    for (const char* const set :
         {"train", "val", "test_2016_flickr", "test_2017_flickr",
          "test_2017_mscoco", "test_2018_flickr"}) {
      rows.push_back(Multi30k(set, language));
    }
  }
  return rows;
}

const std::map<std::string, Corpus>& Corpora() {
  static const auto* const corpora = [] {
    auto* const made = new std::map<std::string, Corpus>;
    for (Corpus& corpus : Rows()) {
      const std::string name = corpus.name;
      if (!made->emplace(name, std::move(corpus)).second) {
        throw Error(ExitCode::kInternal, "the corpus " + name + " is twice");
      }
    }
    return made;
  }();
  return *corpora;
}

}  // namespace

const Corpus& CorpusNamed(const std::string& name) {
  const auto found = Corpora().find(name);
  if (found != Corpora().end()) return found->second;
  throw Error(ExitCode::kInternal, "there is no corpus '" + name + "'",
              DidYouMean(name, CorpusNames()));
}

std::vector<std::string> CorpusNames() {
  std::vector<std::string> names;
  for (const auto& [name, corpus] : Corpora()) names.push_back(name);
  return names;
}

}  // namespace t2t
