#include <map>

#include "problems/corpus_rows.h"

namespace t2t {
namespace {

constexpr char kMulti30kMirror[] = "T2T_MULTI30K_URL";

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

}  // namespace

std::vector<Corpus> Multi30kCorpora() {
  std::vector<Corpus> rows;
  for (const std::string language : {"de", "fr", "cs"}) {
    for (const char* const set :
         {"train", "val", "test_2016_flickr", "test_2017_flickr",
          "test_2017_mscoco", "test_2018_flickr"}) {
      rows.push_back(Multi30k(set, language));
    }
  }
  return rows;
}

}  // namespace t2t
