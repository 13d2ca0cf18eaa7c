// English to German out of the WMT shared task's text, as T2T takes it: about
// 4.6 million lines of news commentary, web pages and the European Parliament.

#include <cstdlib>
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
#include "t2t/problem/text_problem.h"
#include "t2t/problem/vocabulary_sample.h"

namespace t2t {
namespace {

struct WmtSet {
  DataSplit split;
  const char* folder;   // of the archive's address
  const char* archive;  // a tar file
  const char* sha256;   // of the archive; "": not known
  const char* stem;     // in it; behind it comes the language
};
// T2T fetches them over http, and checks none.
constexpr WmtSet kSets[] = {
    {DataSplit::kTrain, "https://data.statmt.org/wmt18/translation-task",
     "training-parallel-nc-v13.tgz",
     "17992b7e919cfb754c60f4e754148bc23b80706ad0ed7b34150831a554b40c91",
     "training-parallel-nc-v13/news-commentary-v13.de-en"},
    {DataSplit::kTrain, "https://www.statmt.org/wmt13",
     "training-parallel-commoncrawl.tgz",
     "c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
     "commoncrawl.de-en"},
    {DataSplit::kTrain, "https://www.statmt.org/wmt13",
     "training-parallel-europarl-v7.tgz",
     "0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
     "training/europarl-v7.de-en"},
    {DataSplit::kDev, "https://data.statmt.org/wmt17/translation-task",
     "dev.tgz", "", "dev/newstest2013"},
};

std::vector<std::string> FileNames(const WmtSet& set) {
  return {std::string(set.stem) + ".en", std::string(set.stem) + ".de"};
}

// The file's path, with the archive's folders or without, gzipped or plain; ""
// where it isn't there.
std::string FindFile(const std::string& tmp_dir, const std::string& file) {
  for (const std::string& name : {file, BaseName(file)}) {
    const std::string path = JoinPath(tmp_dir, name);
    for (const std::string& candidate : {path, path + ".gz"}) {
      if (Exists(candidate) && !IsDirectory(candidate)) return candidate;
    }
  }
  return "";
}

bool IsThere(const WmtSet& set, const std::string& tmp_dir) {
  for (const std::string& file : FileNames(set)) {
    if (FindFile(tmp_dir, file).empty()) return false;
  }
  return true;
}

bool HasMirror() { return std::getenv("T2T_WMT_URL") != nullptr; }

std::string Url(const WmtSet& set) {
  return JoinPath(HasMirror() ? std::getenv("T2T_WMT_URL") : set.folder,
                  set.archive);
}

bool HasItsSum(const std::string& archive, const WmtSet& set) {
  return *set.sha256 != '\0' && FileSha256(archive) == set.sha256;
}

// As FindFile(), and nothing that another user may have put there.
std::string FindTrusted(const std::string& tmp_dir, const std::string& file) {
  const std::string path = FindFile(tmp_dir, file);
  CheckRawFile(path, /*has_its_sum=*/false);
  return path;
}

// As T2T compiles it: without the lines that are empty on either side, and
// with a sample of each file for the vocabulary.
class WmtCorpus : public FileCorpus {
 public:
  WmtCorpus(Files files, int threads)
      : FileCorpus(std::move(files), threads, /*drop_empty=*/true) {}

  NextText VocabularyText(bool with_targets) const override {
    std::vector<SampledFile> sampled;
    for (const TextFiles& pair : files().at(DataSplit::kTrain)) {
      for (const std::string& path : {pair.inputs, pair.targets}) {
        sampled.push_back({path, FileBytes(path)});
      }
    }
    auto sample = std::make_shared<VocabularySample>(std::move(sampled));
    return [sample](std::string* line) { return sample->Next(line); };
  }
};

class TranslateEndeWmt : public Text2TextProblem {
 public:
  explicit TranslateEndeWmt(int64_t approx_vocab_size)
      : approx_vocab_size_(approx_vocab_size) {}

  DataFacts data_facts() const override {
    DataFacts facts = Text2TextProblem::data_facts();
    facts.downloads = true;
    return facts;
  }

 protected:
  int64_t approx_vocab_size() const override { return approx_vocab_size_; }

  std::unique_ptr<TextCorpus> FindCorpus(const GenerateOptions& options,
                                         bool fetch) const override {
    for (const WmtSet& set : kSets) {
      if (IsThere(set, options.tmp_dir)) continue;
      if (!fetch) return nullptr;
      MakeRawFolder(options.tmp_dir);
      const BuildLock lock(JoinPath(options.tmp_dir, "wmt.lock"),
                           "the text of WMT in " + options.tmp_dir);
      if (!IsThere(set, options.tmp_dir)) Fetch(set, options.tmp_dir);
    }
    FileCorpus::Files files;
    for (const WmtSet& set : kSets) {
      const std::vector<std::string> names = FileNames(set);
      files[set.split].push_back({FindTrusted(options.tmp_dir, names[0]),
                                  FindTrusted(options.tmp_dir, names[1])});
    }
    return std::make_unique<WmtCorpus>(std::move(files), options.threads);
  }

 private:
  static void Fetch(const WmtSet& set, const std::string& tmp_dir) {
    const std::string archive = JoinPath(tmp_dir, set.archive);
    std::string why;
    const auto check = [&](const std::string& path) -> std::string {
      // A mirror is the user's own.
      if (HasMirror() || *set.sha256 == '\0' || HasItsSum(path, set)) return "";
      return "what came is not the archive that was published (its SHA-256 is "
             "another)";
    };
    if (Exists(archive)) {
      const bool has_its_sum = HasItsSum(archive, set);
      CheckRawFile(archive, has_its_sum);
      if (!has_its_sum && *set.sha256 != '\0') {
        Log("  note: " + archive + " is not the archive that was published");
      }
    } else {
      Log("  downloading " + Url(set));
      if (!Download(Url(set), archive, &why, check)) {
        throw MissingError(
            "can't download " + Url(set) + ": " + why,
            "the text of WMT in --tmp_dir=" + tmp_dir,
            "put these files there, gzipped or not, or the archives they are "
            "in: " +
                Missing(tmp_dir));
      }
    }
    Log("  unpacking " + archive);
    if (!Unpack(archive, FileNames(set), tmp_dir, &why)) {
      throw DataError("can't unpack " + archive + ": " + why,
                      Join(FileNames(set), " and ") + " in it",
                      "remove it, so that it is downloaded again");
    }
  }

  // The files that are still missing, with their archives' addresses.
  static std::string Missing(const std::string& tmp_dir) {
    std::string text;
    for (const WmtSet& set : kSets) {
      if (IsThere(set, tmp_dir)) continue;
      text += (text.empty() ? "" : "; ") + Join(FileNames(set), ", ") +
              " (in " + set.folder + "/" + set.archive + ")";
    }
    return text;
  }

  int64_t approx_vocab_size_;
};

}  // namespace

void RegisterTranslateWmt(ProblemRegistry& problems) {
  for (const auto& [name, size] :
       {std::pair("translate_ende_wmt8k", int64_t{1} << 13),
        std::pair("translate_ende_wmt32k", int64_t{1} << 15)}) {
    problems.Add(name, [name = std::string(name), size = size] {
      auto problem = std::make_unique<TranslateEndeWmt>(size);
      problem->set_name(name);
      return problem;
    });
  }
}
}  // namespace t2t
