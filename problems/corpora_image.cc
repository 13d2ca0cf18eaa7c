#include <utility>

#include "problems/corpus_rows.h"

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

}  // namespace

std::vector<Corpus> ImageCorpora() {
  const std::string batch = "cifar-10-batches-bin/";
  return {
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
}

}  // namespace t2t
