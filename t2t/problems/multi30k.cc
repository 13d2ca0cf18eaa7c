// Multi30k (Elliott et al., 2016): 29,000 English image captions and their
// translations, with 8k shared subwords.

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/data/text_reader.h"
#include "t2t/problem/download.h"
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

std::string Url(const std::string& file) {
  const char* const mirror = std::getenv("T2T_MULTI30K_URL");
  return JoinPath(mirror != nullptr ? mirror : kUrl, file + ".gz");
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
    std::vector<std::string> missing;
    for (const char* const set : {"train", kDevSet, kTestSet}) {
      for (const std::string& language : Languages()) {
        const std::string file = std::string(set) + "." + language;
        if (FindFile(options.tmp_dir, file).empty()) missing.push_back(file);
      }
    }
    if (!missing.empty()) {
      if (!fetch) return nullptr;
      FetchAll(missing, options.tmp_dir);
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

  TextFiles Pair(const std::string& set, const std::string& tmp_dir) const {
    return {FindFile(tmp_dir, set + ".en"),
            FindFile(tmp_dir, set + "." + target_)};
  }

  // Throws a MissingError where one of the files can't be had; of the further
  // test sets it takes what there is.
  void FetchAll(const std::vector<std::string>& files,
                const std::string& tmp_dir) const {
    MakeDirectories(tmp_dir);
    std::string why;
    for (const std::string& file : files) {
      Log("  downloading " + Url(file));
      if (Download(Url(file), JoinPath(tmp_dir, file + ".gz"), &why)) continue;
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
        if (FindFile(tmp_dir, file).empty()) {
          Download(Url(file), JoinPath(tmp_dir, file + ".gz"), &why);
        }
      }
    }
  }

  std::string target_;
};

const bool registered = [] {
  for (const std::string target : {"de", "fr", "cs"}) {
    const std::string name = "translate_en" + target + "_multi30k";
    Problems().Add(name, [target, name] {
      return std::make_unique<TranslateMulti30k>(target, name);
    });
  }
  return true;
}();

}  // namespace
}  // namespace t2t
