#ifndef T2T_BASE_FS_H_
#define T2T_BASE_FS_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// Files. Every failure is an Error that names the path and the errno.

bool Exists(const std::string& path);
bool IsDirectory(const std::string& path);
int64_t FileSize(const std::string& path);
std::string ReadFile(const std::string& path);
// Complete or not there at all: temporary name (random, never another's),
// fsync, rename, fsync of the folder.
void WriteFileAtomically(const std::string& path, std::string_view contents);
void MakeDirectories(const std::string& path);
void Rename(const std::string& from, const std::string& to);
void RemoveFile(const std::string& path);  // no error where absent
void RemoveTree(const std::string& path);  // no error where absent
void SyncDirectory(const std::string& path);
// Whether a file of this name is one that is being written, or was: whoever
// goes through a folder leaves it out.
bool IsTemporaryName(std::string_view name);
// Removes what killed processes left half-written in a folder: the temporary
// files of `stem` ("" is all: else those whose names go on with '.' or '-'
// behind it) that were made under this running kernel, in whatever container,
// and are open no more. Returns those of other kernels: they are kept, since
// another host may be writing them.
std::vector<std::string> RemoveLeftovers(const std::string& directory,
                                         std::string_view stem = "");
// A file in the folder that has no name, so that nothing is left of it however
// the process ends. For reading and writing.
std::FILE* OpenScratchFile(const std::string& directory);
std::vector<std::string> ListDirectory(const std::string& path);  // sorted
// Shell patterns (*, ?, [..]); sorted; empty where nothing matches.
std::vector<std::string> Glob(const std::string& pattern);
std::string JoinPath(std::string_view a, std::string_view b);
std::string DirName(const std::string& path);
std::string BaseName(const std::string& path);
// "~/x" -> "$HOME/x".
std::string ExpandUser(const std::string& path);
// A fresh folder under $TEST_TMPDIR, $TMPDIR or /tmp.
std::string MakeTempDirectory(const std::string& prefix);

// Writes a file under a temporary name; Commit() makes it visible whole
// (fsync, rename, fsync of the folder). Destroyed without Commit(), it
// removes the temporary file.
class AtomicWriter {
 public:
  explicit AtomicWriter(std::string path);
  ~AtomicWriter();
  AtomicWriter(const AtomicWriter&) = delete;
  AtomicWriter& operator=(const AtomicWriter&) = delete;

  void Write(const void* data, size_t size);
  void Write(std::string_view data) { Write(data.data(), data.size()); }
  void Commit();
  int64_t written() const { return written_; }
  // For a program that writes the file instead.
  int descriptor() const { return fd_; }
  const std::string& temporary() const { return temporary_; }

 private:
  void Flush();

  const std::string path_;
  std::string temporary_;
  int fd_ = -1;
  std::string buffer_;
  int64_t written_ = 0;
};

// A file read in parts. What the disk can't give back any more (EIO), or a
// file that ends too early, is a DataError: the file is damaged.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(std::string path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  int64_t size() const { return size_; }
  // All of [offset, offset + size).
  void Read(int64_t offset, void* to, size_t size) const;
  // What is read next comes from the disk, not out of memory.
  void DropCache() const;

 private:
  std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

// A file mapped for reading.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view data() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace t2t

#endif  // T2T_BASE_FS_H_
