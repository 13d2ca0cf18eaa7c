#include "t2t/formats/raw_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/sha256.h"
#include "t2t/formats/text_reader.h"

namespace t2t {
namespace {

bool IsTrusted(uid_t owner) { return owner == ::geteuid() || owner == 0; }

bool AnyoneWrites(const struct stat& folder) {
  return (folder.st_mode & S_IWOTH) != 0;
}

// Whether other users than this one and root decide what is in the folder.
bool IsOthersToo(const std::string& folder) {
  struct stat here;
  struct stat above;
  if (::stat(folder.c_str(), &here) != 0) return false;
  if (AnyoneWrites(here)) return true;
  return !IsTrusted(here.st_uid) &&
         ::stat(JoinPath(folder, "..").c_str(), &above) == 0 &&
         AnyoneWrites(above);
}

}  // namespace

std::string FileSha256(const std::string& path) {
  return Sha256(MappedFile(path).data());
}

std::string TextSha256(const std::string& path) {
  return Sha256(ReadText(path));
}

void CheckRawFile(const std::string& path, bool has_its_sum) {
  const std::string folder = DirName(path).empty() ? "." : DirName(path);
  struct stat info;
  if (has_its_sum || !IsOthersToo(folder) ||
      ::lstat(path.c_str(), &info) != 0) {
    return;
  }
  const bool is_link = S_ISLNK(info.st_mode);
  if (!is_link && IsTrusted(info.st_uid)) return;
  throw UsageError(
      path + (is_link ? " is a link" : " is another user's") +
          " in a folder that other users write into",
      "a file of yours, or one whose SHA-256 is known and right",
      "look at it, and copy it into a folder of your own: --tmp_dir");
}

void MakeRawFolder(const std::string& folder) {
  MakeDirectories(folder);
  struct stat info;
  if (::stat(folder.c_str(), &info) != 0) {
    throw IoError("can't look at", folder);
  }
  // Where the sticky bit is set, a file is its owner's alone.
  const bool sticky = AnyoneWrites(info) && (info.st_mode & S_ISVTX) != 0;
  if (sticky || !IsOthersToo(folder)) return;
  throw UsageError("other users may change what is in the folder " + folder,
                   "a folder of yours to download into",
                   "name another with --tmp_dir");
}

}  // namespace t2t
