#include "t2t/base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/staging.h"

namespace t2t {
namespace {

constexpr char kTemporaryMark[] = ".tmp-";
// Behind it: the kernel, "-", a random token.
constexpr size_t kKernelDigits = 8;
constexpr size_t kTokenDigits = 16;
constexpr size_t kTemporaryEnd =
    sizeof(kTemporaryMark) - 1 + kKernelDigits + 1 + kTokenDigits;
constexpr size_t kLongestName = 255;
constexpr size_t kBufferSize = 1 << 16;

void WriteAll(int fd, const void* data, size_t size, const std::string& path) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = ::write(fd, at, size);
    if (count < 0) {
      if (errno == EINTR) continue;
      throw IoError("can't write", path);
    }
    at += count;
    size -= static_cast<size_t>(count);
  }
}

// What StageFiles() was told.
struct Staging {
  std::mutex mutex;
  std::string below;  // ends with a slash
  std::string folder;
};

Staging& TheStaging() {
  static auto* const staging = new Staging;
  return *staging;
}

// The staging folder of a file's temporary name; "": beside the file.
std::string StagingOf(const std::string& path) {
  Staging& staging = TheStaging();
  const std::lock_guard<std::mutex> lock(staging.mutex);
  const bool staged =
      !staging.folder.empty() && path.rfind(staging.below, 0) == 0;
  return staged ? staging.folder : "";
}

// Tells the processes of this kernel from those of others; "" where it can't.
std::string KernelTag() {
  static const std::string tag = BootId().substr(0, kKernelDigits);
  return tag.size() == kKernelDigits ? tag : "";
}

std::string TemporaryEnding() {
  const std::string kernel = KernelTag();
  return kTemporaryMark +
         (kernel.empty() ? std::string(kKernelDigits, '-') : kernel) + "-" +
         RandomToken();
}

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Whether the name is one that TemporaryPath() gives; and then, of which
// kernel.
bool ParseTemporaryName(std::string_view name, std::string* kernel) {
  if (name.size() <= kTemporaryEnd) return false;
  std::string_view ending = name.substr(name.size() - kTemporaryEnd);
  const std::string_view mark = kTemporaryMark;
  if (ending.substr(0, mark.size()) != mark) return false;
  ending.remove_prefix(mark.size());
  *kernel = ending.substr(0, kKernelDigits);
  return ending[kKernelDigits] == '-' &&
         IsHex(ending.substr(kKernelDigits + 1));
}

std::string TemporaryPath(const std::string& path) {
  const std::string folder = StagingOf(path);
  std::string name = BaseName(path);
  if (!folder.empty()) {
    name = path.substr(JoinPath(DirName(folder), "").size());
    std::replace(name.begin(), name.end(), '/', '+');
  }
  name.resize(std::min(name.size(), kLongestName - kTemporaryEnd));
  return JoinPath(folder.empty() ? DirName(path) : folder,
                  name + TemporaryEnding());
}

// Makes the file, of this process alone, and locks it for as long as it is
// open: by that RemoveLeftovers() knows that it is in use. -1 and errno where
// it can't.
int OpenTemporary(const std::string& path, std::string* temporary) {
  for (;;) {
    *temporary = TemporaryPath(path);
    const int fd =
        ::open(temporary->c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return fd;
    // A RemoveLeftovers() that came before the lock takes the file away.
    if (TryLockFile(fd, *temporary) != FileLock::kTakenByAnother &&
        NamesOpenFile(*temporary, fd)) {
      return fd;
    }
    ::close(fd);
  }
}

// Whether the process that made the file is gone; removes it then.
bool RemoveIfUnused(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT;
  const bool unused = TryLockFile(fd, path) == FileLock::kTaken;
  if (unused && NamesOpenFile(path, fd)) ::unlink(path.c_str());
  ::close(fd);
  return unused;
}

// Takes errno; says where the staging folder was taken away.
Error CommitError(const std::string& doing, const std::string& at,
                  const std::string& path) {
  const int saved = errno;
  const std::string folder = StagingOf(path);
  if (!folder.empty() && (saved == ENOENT || saved == ESTALE) &&
      !Exists(folder)) {
    return Error(ExitCode::kRetry,
                 path + " is not written: another process has taken over " +
                     DirName(folder));
  }
  errno = saved;
  return IoError(doing, at);
}

int SyncFile(int fd) {
  int result;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

bool Exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

int64_t FileSize(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) throw IoError("can't look at", path);
  return info.st_size;
}

std::string ReadFile(const std::string& path) {
  if (IsDirectory(path)) {
    errno = EISDIR;
    throw IoError("can't read", path);
  }
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) throw IoError("can't read", path);
  std::string contents;
  char buffer[1 << 16];
  size_t count;
  while ((count = std::fread(buffer, 1, sizeof(buffer), file)) > 0) {
    contents.append(buffer, count);
  }
  const bool failed = std::ferror(file) != 0;
  std::fclose(file);
  if (failed) throw IoError("can't read", path);
  return contents;
}

void WriteFileAtomically(const std::string& path, std::string_view contents) {
  AtomicWriter writer(path);
  writer.Write(contents);
  writer.Commit();
}

void MakeDirectories(const std::string& path) {
  if (path.empty() || IsDirectory(path)) return;
  const std::string parent = DirName(path);
  if (parent != path && !parent.empty()) MakeDirectories(parent);
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    throw IoError("can't make the folder", path);
  }
  if (!IsDirectory(path)) {
    errno = ENOTDIR;
    throw IoError("can't make the folder", path);
  }
}

void Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw IoError("can't rename to", to);
  }
}

void RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw IoError("can't remove", path);
  }
}

void RemoveTree(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return;
  if (!S_ISDIR(info.st_mode)) {
    RemoveFile(path);
    return;
  }
  for (const std::string& name : ListDirectory(path)) {
    RemoveTree(JoinPath(path, name));
  }
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) {
    throw IoError("can't remove the folder", path);
  }
}

void SyncDirectory(const std::string& path) {
  const std::string folder = path.empty() ? "." : path;
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw IoError("can't open the folder", folder);
  const int result = SyncFile(fd);
  const int saved = errno;
  ::close(fd);
  errno = saved;
  if (result != 0 && errno != EINVAL) {
    throw IoError("can't sync the folder", folder);
  }
}

bool IsTemporaryName(std::string_view name) {
  std::string kernel;
  return ParseTemporaryName(name, &kernel);
}

std::vector<std::string> RemoveLeftovers(const std::string& directory,
                                         std::string_view stem) {
  std::vector<std::string> kept;
  if (!IsDirectory(directory)) return kept;
  for (const std::string& name : ListDirectory(directory)) {
    std::string kernel;
    if (!ParseTemporaryName(name, &kernel) || name.rfind(stem, 0) != 0)
      continue;
    const char next = name[stem.size()];
    if (!stem.empty() && next != '.' && next != '-') continue;
    const std::string path = JoinPath(directory, name);
    if (kernel != KernelTag()) {
      kept.push_back(path);
    } else {
      RemoveIfUnused(path);
    }
  }
  return kept;
}

std::FILE* OpenScratchFile(const std::string& directory) {
  const std::string folder = directory.empty() ? "." : directory;
  int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  std::string path = JoinPath(folder, "scratch");
  if (fd < 0) {  // not every file system has such
    fd = OpenTemporary(JoinPath(folder, "scratch"), &path);
    if (fd >= 0) ::unlink(path.c_str());
  }
  std::FILE* const file = fd < 0 ? nullptr : ::fdopen(fd, "w+b");
  if (file == nullptr) {
    const int saved = errno;
    if (fd >= 0) ::close(fd);
    errno = saved;
    throw IoError("can't write", path);
  }
  return file;
}

std::vector<std::string> ListDirectory(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) throw IoError("can't list the folder", path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Glob(const std::string& pattern) {
  glob_t found;
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string JoinPath(std::string_view a, std::string_view b) {
  if (a.empty() || (!b.empty() && b.front() == '/')) return std::string(b);
  std::string path(a);
  if (path.back() != '/') path += '/';
  return path.append(b);
}

std::string DirName(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string BaseName(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string ExpandUser(const std::string& path) {
  if (path == "~" || path.rfind("~/", 0) == 0) {
    if (const char* home = std::getenv("HOME")) return home + path.substr(1);
  }
  return path;
}

std::string MakeTempDirectory(const std::string& prefix) {
  const char* base = std::getenv("TEST_TMPDIR");
  if (base == nullptr) base = std::getenv("TMPDIR");
  if (base == nullptr) base = "/tmp";
  std::string path = JoinPath(base, prefix + "XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) {
    throw IoError("can't make the folder", path);
  }
  return path;
}

void StageFiles(const std::string& directory, const std::string& staging) {
  Staging& shared = TheStaging();
  const std::lock_guard<std::mutex> lock(shared.mutex);
  shared.below = JoinPath(directory, "");
  shared.folder = staging;
}

AtomicWriter::AtomicWriter(std::string path)
    : path_(std::move(path)), fd_(OpenTemporary(path_, &temporary_)) {
  if (fd_ < 0) throw CommitError("can't write", temporary_, path_);
}

AtomicWriter::~AtomicWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicWriter::Write(const void* data, size_t size) {
  written_ += static_cast<int64_t>(size);
  if (buffer_.size() + size > kBufferSize) Flush();
  if (size > kBufferSize) {
    WriteAll(fd_, data, size, temporary_);
  } else {
    buffer_.append(static_cast<const char*>(data), size);
  }
}

void AtomicWriter::Flush() {
  WriteAll(fd_, buffer_.data(), buffer_.size(), temporary_);
  buffer_.clear();
}

void AtomicWriter::Commit() {
  Flush();
  if (SyncFile(fd_) != 0) throw IoError("can't sync", temporary_);
  // Closed later, so that nobody takes the file for one that was left over; all
  // is on the disk already.
  const bool renamed = ::rename(temporary_.c_str(), path_.c_str()) == 0;
  const int saved = errno;
  if (!renamed) ::unlink(temporary_.c_str());
  ::close(std::exchange(fd_, -1));
  errno = saved;
  if (!renamed) throw CommitError("can't rename to", path_, path_);
  SyncDirectory(DirName(path_));
}

RandomAccessFile::RandomAccessFile(std::string path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw IoError("can't read", path_);
  struct stat info;
  if (::fstat(fd_, &info) != 0 || S_ISDIR(info.st_mode)) {
    const int saved = S_ISDIR(info.st_mode) ? EISDIR : errno;
    ::close(fd_);
    errno = saved;
    throw IoError("can't read", path_);
  }
  size_ = info.st_size;
}

RandomAccessFile::~RandomAccessFile() { ::close(fd_); }

void RandomAccessFile::Read(int64_t offset, void* to, size_t size) const {
  char* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t count = ::pread(fd_, at, size, offset);
    if (count > 0) {
      at += count;
      offset += count;
      size -= static_cast<size_t>(count);
    } else if (count == 0) {
      throw DataError(path_ + " ends too early, at " + std::to_string(offset));
    } else if (errno == EIO) {
      throw DataError(IoError("can't read", path_).what());
    } else if (errno != EINTR) {
      throw IoError("can't read", path_);
    }
  }
}

void RandomAccessFile::DropCache() const {
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
}

MappedFile::MappedFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw IoError("can't read", path);
  struct stat info;
  if (::fstat(fd, &info) != 0 || S_ISDIR(info.st_mode)) {
    const int saved = S_ISDIR(info.st_mode) ? EISDIR : errno;
    ::close(fd);
    errno = saved;
    throw IoError("can't read", path);
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ > 0) {
    void* memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const int saved = errno;
    ::close(fd);
    if (memory == MAP_FAILED) {
      errno = saved;
      throw IoError("can't read", path);
    }
    data_ = static_cast<const char*>(memory);
  } else {
    ::close(fd);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

}  // namespace t2t
