#include "t2t/problem/fetch.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/formats/archive.h"
#include "t2t/formats/download.h"
#include "t2t/formats/raw_files.h"

namespace t2t {
namespace {

const char* MirrorOf(const Corpus& corpus) {
  return corpus.mirror_variable.empty()
             ? nullptr
             : std::getenv(corpus.mirror_variable.c_str());
}

std::vector<std::string> NamesOf(const Corpus& corpus) {
  std::vector<std::string> names;
  for (const CorpusFile& file : corpus.files) names.push_back(file.name);
  return names;
}

std::string UnpackFolder(const Corpus& corpus, const std::string& tmp_dir) {
  return corpus.unpack_into.empty() ? tmp_dir
                                    : JoinPath(tmp_dir, corpus.unpack_into);
}

// A folder's name in a shell pattern.
std::string Quoted(const std::string& folder) {
  std::string quoted;
  for (const char c : folder) {
    const bool special = c == '*' || c == '?' || c == '[';
    quoted += special ? std::string("[") + c + "]" : std::string(1, c);
  }
  return quoted;
}

// Those below `folder`, however deep, in the order of their names.
std::vector<std::string> FilesBelow(const std::string& folder,
                                    const std::string& pattern) {
  namespace fs = std::filesystem;
  const std::string like = JoinPath(Quoted(folder), pattern);
  const std::string root =
      JoinPath(folder, DirName(pattern.substr(0, pattern.find('*')) + "x"));
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end;
       !error && at != end; at.increment(error)) {
    const std::string path = at->path().string();
    if (::fnmatch(like.c_str(), path.c_str(), 0) == 0) files.push_back(path);
  }
  std::ranges::sort(files);
  return files;
}

std::vector<std::string> FilesLike(const std::string& folder,
                                   const std::string& pattern) {
  std::vector<std::string> files = pattern.find("**") == std::string::npos
                                       ? Glob(JoinPath(Quoted(folder), pattern))
                                       : FilesBelow(folder, pattern);
  std::erase_if(files, [](const std::string& path) {
    return IsDirectory(path) || IsTemporaryName(BaseName(path));
  });
  return files;
}

// The file's paths (one, if its name is no pattern), with the archive's folders
// or without, gzipped or plain; none where it isn't there.
std::vector<std::string> FindFile(const Corpus& corpus, const CorpusFile& file,
                                  const std::string& tmp_dir) {
  std::vector<std::string> folders = {UnpackFolder(corpus, tmp_dir)};
  for (const std::string& folder : corpus.folders) {
    folders.push_back(JoinPath(tmp_dir, folder));
  }
  for (const std::string& folder : folders) {
    if (file.is_pattern()) {
      std::vector<std::string> files = FilesLike(folder, file.name);
      if (!files.empty()) return files;
      continue;
    }
    for (const std::string& name : {file.name, BaseName(file.name)}) {
      for (const std::string& candidate :
           {JoinPath(folder, name), JoinPath(folder, name) + ".gz"}) {
        if (Exists(candidate) && !IsDirectory(candidate)) return {candidate};
      }
    }
  }
  return {};
}

// Written once all files of a pattern are unpacked: of some of them, nothing
// else tells that they are not all.
std::string UnpackedMark(const Corpus& corpus, const std::string& tmp_dir) {
  return JoinPath(tmp_dir, corpus.archive + "." + corpus.name + ".unpacked");
}

bool IsWhole(const Corpus& corpus, const CorpusFile& file,
             const std::string& tmp_dir) {
  return !file.is_pattern() || corpus.archive.empty() ||
         !Exists(JoinPath(tmp_dir, corpus.archive)) ||
         Exists(UnpackedMark(corpus, tmp_dir));
}

std::vector<std::string> MissingFiles(const Corpus& corpus,
                                      const std::string& tmp_dir) {
  std::vector<std::string> missing;
  for (const CorpusFile& file : corpus.files) {
    if (FindFile(corpus, file, tmp_dir).empty() ||
        !IsWhole(corpus, file, tmp_dir)) {
      missing.push_back(file.name);
    }
  }
  return missing;
}

bool IsThere(const Corpus& corpus, const std::string& tmp_dir) {
  return MissingFiles(corpus, tmp_dir).empty();
}

// Whether a person said that a file with this sum is to be taken.
bool IsAccepted(const std::string& sum, const GenerateOptions& options) {
  const std::vector<std::string>& sums = options.accepted_sums;
  return std::find(sums.begin(), sums.end(), sum) != sums.end();
}

// What is fetched: the archive, or that which it is in.
const std::string& PublishedArchive(const Corpus& corpus) {
  return corpus.outer_archive.empty() ? corpus.archive : corpus.outer_archive;
}

// The addresses of the archive, or of one of the files.
std::vector<std::string> AddressesOf(const Corpus& corpus,
                                     const CorpusFile& file) {
  const std::string published = corpus.archive.empty()
                                    ? file.name + corpus.published_suffix
                                    : PublishedArchive(corpus);
  if (const char* const mirror = MirrorOf(corpus)) {
    return {JoinPath(mirror, published)};
  }
  if (corpus.archive.empty() && !file.address.empty()) return {file.address};
  std::vector<std::string> addresses;
  for (const std::string& address : corpus.addresses) {
    addresses.push_back(corpus.archive.empty() ? JoinPath(address, published)
                                               : address);
  }
  return addresses;
}

bool CanBeFetched(const Corpus& corpus) {
  return !corpus.files.empty() &&
         !AddressesOf(corpus, corpus.files.front()).empty();
}

std::string HomeOf(const Corpus& corpus) {
  if (!corpus.home.empty()) return corpus.home;
  if (!corpus.addresses.empty()) return corpus.addresses.front();
  return corpus.files.empty() ? "" : corpus.files.front().address;
}

Error OtherSum(const Corpus& corpus, const std::string& path,
               const std::string& known, const std::string& sum) {
  const bool is_text = corpus.archive.empty();
  return DataError(
      path + " is not what was published as " + corpus.name +
          ": the SHA-256 of " + (is_text ? "its text" : "the file") + " is " +
          sum,
      known + ", that of " + HomeOf(corpus),
      "remove it, so that it is downloaded again, or accept it with "
      "t2t-datagen --accept_checksum=" +
          sum);
}

// Whether the file's known sum is its own. Throws where it has another one that
// nobody has accepted.
bool HasItsSum(const Corpus& corpus, const std::string& path,
               const std::string& known, const GenerateOptions& options) {
  if (known.empty()) return false;
  const std::string sum =
      corpus.archive.empty() ? TextSha256(path) : FileSha256(path);
  if (sum == known || IsAccepted(sum, options)) return true;
  if (MirrorOf(corpus) == nullptr) throw OtherSum(corpus, path, known, sum);
  Log("  note: " + path + " is not what was published");
  return false;
}

// Sites answer with a page, and no error, where the file is gone or a person is
// to press a button.
bool IsWebPage(const std::string& path) {
  const RandomAccessFile file(path);
  std::string start(std::min<int64_t>(file.size(), 200), ' ');
  file.Read(0, start.data(), start.size());
  start = Lower(Trim(start));
  return StartsWith(start, "<!doctype html") || StartsWith(start, "<html");
}

// For Download(): "", or what is wrong with what came.
CheckDownload SumCheck(const Corpus& corpus, const std::string& known,
                       const GenerateOptions& options) {
  return [&corpus, known, &options](const std::string& path) -> std::string {
    if (IsWebPage(path)) return "what came is a web page and not the file";
    if (known.empty() || MirrorOf(corpus) != nullptr) return "";
    const std::string sum =
        corpus.archive.empty() ? TextSha256(path) : FileSha256(path);
    if (sum == known || IsAccepted(sum, options)) return "";
    return "what came is not what was published: its SHA-256 is " + sum +
           ", not " + known +
           " (to take it all the same: t2t-datagen --accept_checksum=" + sum +
           ")";
  };
}

class Fetcher {
 public:
  Fetcher(const std::vector<CorpusUse>& uses, const GenerateOptions& options)
      : uses_(uses), options_(options) {}

  // All that is required, then what is to be had along with it.
  void FetchAll() const {
    for (const CorpusUse& use : uses_) {
      if (use.need == CorpusUse::Need::kRequired) CheckCanBeHad(use.corpus);
    }
    MakeRawFolder(options_.tmp_dir);
    const BuildLock lock(JoinPath(options_.tmp_dir, "corpora.lock"),
                         "the corpora in " + options_.tmp_dir);
    for (const CorpusUse& use : uses_) {
      if (IsThere(use.corpus, options_.tmp_dir)) continue;
      const bool archive_lies =
          !use.corpus.archive.empty() && Exists(ArchivePath(use.corpus));
      if (use.need == CorpusUse::Need::kRequired ||
          (use.need == CorpusUse::Need::kWhereItLies && archive_lies)) {
        Fetch(use.corpus, /*required=*/true);
      }
    }
    for (const CorpusUse& use : uses_) {
      if (use.need == CorpusUse::Need::kAlong &&
          !IsThere(use.corpus, options_.tmp_dir)) {
        Fetch(use.corpus, /*required=*/false);
      }
    }
  }

  std::string ArchivePath(const Corpus& corpus) const {
    return JoinPath(options_.tmp_dir, corpus.archive);
  }

 private:
  // What a person must put into tmp_dir and isn't there.
  void CheckCanBeHad(const Corpus& corpus) const {
    const std::vector<std::string> missing =
        MissingFiles(corpus, options_.tmp_dir);
    if (missing.empty() || CanBeFetched(corpus) ||
        (!corpus.archive.empty() && Exists(ArchivePath(corpus)))) {
      return;
    }
    throw MissingError("there is no file " +
                           JoinPath(options_.tmp_dir, missing.front()) +
                           corpus.published_suffix,
                       Expected() + ", gzipped or not",
                       "put these files there: " + MissingText());
  }

  void Fetch(const Corpus& corpus, bool required) const {
    const std::string& tmp_dir = options_.tmp_dir;
    if (!corpus.archive.empty()) {
      const std::string inner = ArchivePath(corpus);
      // An archive inside another has no checksum of its own.
      if (corpus.outer_archive.empty() || !Exists(inner)) {
        const std::string archive = JoinPath(tmp_dir, PublishedArchive(corpus));
        if (Exists(archive)) {
          CheckRawFile(archive,
                       HasItsSum(corpus, archive, corpus.sha256, options_));
        } else if (!FetchOne(corpus, {}, archive, corpus.sha256, required)) {
          return;
        }
        if (archive != inner) Unpack(archive, {corpus.archive}, tmp_dir);
      } else {
        CheckRawFile(inner, false);
      }
      Log("  unpacking " + inner);
      Unpack(inner, NamesOf(corpus), UnpackFolder(corpus, tmp_dir));
      for (const CorpusFile& file : corpus.files) {
        if (!file.is_pattern()) continue;
        WriteFileAtomically(UnpackedMark(corpus, tmp_dir), "");
        break;
      }
      return;
    }
    for (const CorpusFile& file : corpus.files) {
      if (!FindFile(corpus, file, tmp_dir).empty()) continue;
      const std::string to =
          JoinPath(tmp_dir, file.name + corpus.published_suffix);
      if (!FetchOne(corpus, file, to, file.text_sha256, required)) return;
    }
  }

  bool FetchOne(const Corpus& corpus, const CorpusFile& file,
                const std::string& to, const std::string& sum,
                bool required) const {
    const std::vector<std::string> addresses = AddressesOf(corpus, file);
    if (addresses.empty()) return false;
    Log("  downloading " + addresses.front() +
        (corpus.bytes > 0
             ? Format(" (%.1f MB)", static_cast<double>(corpus.bytes) / 1e6)
             : ""));
    MakeDirectories(DirName(to));
    std::string why;
    if (Download(addresses, to, &why, SumCheck(corpus, sum, options_))) {
      return true;
    }
    if (!required) {
      Log("  it can't be had, and is left out: " + why);
      return false;
    }
    throw MissingError(
        "can't download " + addresses.front() + ": " + why, Expected(),
        "put these files there, gzipped or not, or the archives they are "
        "in: " +
            MissingText());
  }

  std::string Expected() const {
    return "the corpora in --tmp_dir=" + options_.tmp_dir;
  }

  // The files that are still missing, with where they are.
  std::string MissingText() const {
    std::string text;
    for (const CorpusUse& use : uses_) {
      const Corpus& corpus = use.corpus;
      if (use.need != CorpusUse::Need::kRequired) continue;
      std::vector<std::string> names = MissingFiles(corpus, options_.tmp_dir);
      if (names.empty()) continue;
      for (std::string& name : names) name += corpus.published_suffix;
      text += (text.empty() ? "" : "; ") + Join(names, ", ");
      if (!HomeOf(corpus).empty()) text += " (in " + HomeOf(corpus) + ")";
    }
    return text;
  }

  const std::vector<CorpusUse>& uses_;
  const GenerateOptions& options_;
};

// "", or that only a part of what may lie in tmp_dir does.
void RefusePart(const Corpus& corpus, const std::string& tmp_dir) {
  const std::vector<std::string> missing = MissingFiles(corpus, tmp_dir);
  if (missing.empty() || missing.size() == corpus.files.size()) return;
  throw MissingError("of the corpus " + corpus.name + " in " + tmp_dir +
                         " these files are missing: " + Join(missing, ", "),
                     "all of its files, or none",
                     "put them there, or take the others away");
}

}  // namespace

bool FetchingFinder::Find(const std::vector<CorpusUse>& uses, bool fetch,
                          std::vector<FoundCorpus>* found) const {
  const std::string& tmp_dir = options_.tmp_dir;
  const Fetcher fetcher(uses, options_);
  bool missing = false;
  bool archive_lies = false;
  for (const CorpusUse& use : uses) {
    if (IsThere(use.corpus, tmp_dir)) continue;
    missing |= use.need == CorpusUse::Need::kRequired;
    archive_lies |= use.need == CorpusUse::Need::kWhereItLies &&
                    !use.corpus.archive.empty() &&
                    Exists(fetcher.ArchivePath(use.corpus));
  }
  if (missing && !fetch) return false;
  if (missing || archive_lies) fetcher.FetchAll();
  for (const CorpusUse& use : uses) {
    const Corpus& corpus = use.corpus;
    if (use.need == CorpusUse::Need::kWhereItLies) RefusePart(corpus, tmp_dir);
    if (!IsThere(corpus, tmp_dir)) {
      if (use.need == CorpusUse::Need::kWhereItLies) {
        Log("  " + corpus.name + " is left out: " + corpus.archive +
            " is not in " + tmp_dir +
            (corpus.home.empty() ? "" : " (it is at " + corpus.home + ")"));
      }
      continue;
    }
    FoundCorpus there;
    there.use = &use;
    for (const CorpusFile& file : corpus.files) {
      for (const std::string& path : FindFile(corpus, file, tmp_dir)) {
        CheckRawFile(path, HasItsSum(corpus, path, file.text_sha256, options_));
        there.paths.push_back(path);
      }
    }
    found->push_back(std::move(there));
  }
  return true;
}

}  // namespace t2t
