// Multi30k (Elliott et al., 2016): 29,000 English image captions and their
// translations, with 8k shared subwords.

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/formats/download.h"
#include "t2t/formats/raw_files.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/text_problem.h"

namespace t2t {
namespace {

constexpr char kUrl[] =
    "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw";
constexpr char kDevSet[] = "val";
constexpr char kTestSet[] = "test_2016_flickr";
// Not in every language.
const char* const kMoreTestSets[] = {"test_2017_flickr", "test_2017_mscoco",
                                     "test_2018_flickr"};

// Where a file may be in tmp_dir: flat, or as the public repository has it.
const char* const kFolders[] = {"", "data/task1/raw", "task1/raw", "raw",
                                "multi30k"};

// The file's path, gzipped or plain; "" where it isn't there.
std::string FindFile(const std::string& tmp_dir, const std::string& file) {
  for (const char* const folder : kFolders) {
    const std::string path =
        JoinPath(*folder == '\0' ? tmp_dir : JoinPath(tmp_dir, folder), file);
    for (const std::string& candidate : {path, path + ".gz"}) {
      if (Exists(candidate) && !IsDirectory(candidate)) return candidate;
    }
  }
  return "";
}

bool HasMirror() { return std::getenv("T2T_MULTI30K_URL") != nullptr; }

std::string Url(const std::string& file) {
  return JoinPath(HasMirror() ? std::getenv("T2T_MULTI30K_URL") : kUrl,
                  file + ".gz");
}

// SHA-256 of the texts as they were published, not compressed.
const std::map<std::string, std::string>& Sums() {
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

bool HasItsSum(const std::string& path, const std::string& file) {
  const auto sum = Sums().find(file);
  return sum != Sums().end() && TextSha256(path) == sum->second;
}

// As FindFile(), and nothing that another user may have put there.
std::string FindTrusted(const std::string& tmp_dir, const std::string& file) {
  const std::string path = FindFile(tmp_dir, file);
  if (!path.empty()) CheckRawFile(path, HasItsSum(path, file));
  return path;
}

class TranslateMulti30k : public Text2TextProblem {
 public:
  TranslateMulti30k(std::string target, std::string name)
      : target_(std::move(target)) {
    set_name(std::move(name));
  }

  DataFacts data_facts() const override {
    DataFacts facts = Text2TextProblem::data_facts();
    facts.downloads = true;
    facts.dev_inputs = ExtraFile(kDevSet, "en");
    facts.dev_targets = ExtraFile(kDevSet, target_);
    return facts;
  }

 protected:
  int64_t approx_vocab_size() const override { return 1 << 13; }

  std::vector<TextShards> Shards() const override {
    return {{DataSplit::kTrain, 10, true},
            {DataSplit::kDev, 1, false},
            {DataSplit::kTest, 1, false}};
  }

  std::unique_ptr<TextCorpus> FindCorpus(const GenerateOptions& options,
                                         bool fetch) const override {
    if (!Missing(options.tmp_dir).empty()) {
      if (!fetch) return nullptr;
      MakeRawFolder(options.tmp_dir);
      const BuildLock lock(JoinPath(options.tmp_dir, "multi30k.lock"),
                           "the text of Multi30k in " + options.tmp_dir);
      FetchAll(Missing(options.tmp_dir), options.tmp_dir);
    }
    for (const std::string& file : Needed()) {
      const std::string path = FindFile(options.tmp_dir, file);
      if (!HasItsSum(path, file)) {
        Log("  note: " + path + " is not the text that was published");
      }
    }
    FileCorpus::Files files;
    files[DataSplit::kTrain] = {Pair("train", options.tmp_dir)};
    files[DataSplit::kDev] = {Pair(kDevSet, options.tmp_dir)};
    files[DataSplit::kTest] = {Pair(kTestSet, options.tmp_dir)};
    return std::make_unique<FileCorpus>(std::move(files), options.threads);
  }

  // The text to decode and to compare with: <problem>.<set>.<language>.
  void WriteExtras(const TextCorpus& corpus,
                   const GenerateOptions& options) const override {
    std::vector<std::string> sets = {kDevSet, kTestSet};
    sets.insert(sets.end(), std::begin(kMoreTestSets), std::end(kMoreTestSets));
    for (const std::string& set : sets) {
      const TextFiles pair = Pair(set, options.tmp_dir);
      if (pair.inputs.empty() || pair.targets.empty()) continue;
      for (const auto& [from, language] :
           {std::pair(pair.inputs, std::string("en")),
            std::pair(pair.targets, target_)}) {
        const std::string to =
            JoinPath(options.data_dir, ExtraFile(set, language));
        if (options.overwrite || !Exists(to)) {
          WriteFileAtomically(to, ReadText(from));
        }
      }
    }
  }

 private:
  std::string ExtraFile(const std::string& set,
                        const std::string& language) const {
    return name() + "." + set + "." + language;
  }

  std::vector<std::string> Languages() const { return {"en", target_}; }

  std::vector<std::string> Needed() const {
    std::vector<std::string> files;
    for (const std::string set : {"train", kDevSet, kTestSet}) {
      for (const std::string& language : Languages()) {
        files.push_back(set + "." + language);
      }
    }
    return files;
  }

  std::vector<std::string> Missing(const std::string& tmp_dir) const {
    std::vector<std::string> missing;
    for (const std::string& file : Needed()) {
      if (FindFile(tmp_dir, file).empty()) missing.push_back(file);
    }
    return missing;
  }

  TextFiles Pair(const std::string& set, const std::string& tmp_dir) const {
    return {FindTrusted(tmp_dir, set + ".en"),
            FindTrusted(tmp_dir, set + "." + target_)};
  }

  static bool FetchOne(const std::string& file, const std::string& tmp_dir,
                       std::string* why) {
    const auto check = [&](const std::string& path) -> std::string {
      // A mirror is the user's own.
      if (HasMirror() || Sums().count(file) == 0 || HasItsSum(path, file)) {
        return "";
      }
      return "what came is not the text that was published (its SHA-256 is "
             "another)";
    };
    return Download(Url(file), JoinPath(tmp_dir, file + ".gz"), why, check);
  }

  // Throws a MissingError where one of the files can't be had; of the further
  // test sets it takes what there is.
  void FetchAll(const std::vector<std::string>& files,
                const std::string& tmp_dir) const {
    std::string why;
    for (const std::string& file : files) {
      Log("  downloading " + Url(file));
      if (FetchOne(file, tmp_dir, &why)) continue;
      std::string names;
      for (const std::string& name : files) {
        if (!FindFile(tmp_dir, name).empty()) continue;
        names += (names.empty() ? "" : " ") + name + ".gz";
      }
      throw MissingError(
          "can't download " + Url(file) + ": " + why,
          "the text of Multi30k in --tmp_dir=" + tmp_dir,
          "put these files there, gzipped or not (they are in data/task1/raw "
          "of https://github.com/multi30k/dataset): " +
              names);
    }
    for (const std::string set : kMoreTestSets) {
      for (const std::string& language : Languages()) {
        const std::string file = set + "." + language;
        if (FindFile(tmp_dir, file).empty()) FetchOne(file, tmp_dir, &why);
      }
    }
  }

  std::string target_;
};

}  // namespace

void RegisterMulti30k(ProblemRegistry& problems) {
  for (const std::string target : {"de", "fr", "cs"}) {
    const std::string name = "translate_en" + target + "_multi30k";
    problems.Add(name, [target, name] {
      return std::make_unique<TranslateMulti30k>(target, name);
    });
  }
}
}  // namespace t2t
