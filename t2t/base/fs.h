#ifndef T2T_BASE_FS_H_
#define T2T_BASE_FS_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// Files. Every failure is an Error that names the path and the errno.

bool Exists(const std::string& path);
bool IsDirectory(const std::string& path);
int64_t FileSize(const std::string& path);
std::string ReadFile(const std::string& path);
// Complete or not there at all: temporary name, fsync, rename, fsync of the
// folder.
void WriteFileAtomically(const std::string& path, std::string_view contents);
void MakeDirectories(const std::string& path);
void Rename(const std::string& from, const std::string& to);
void RemoveFile(const std::string& path);      // no error where absent
void RemoveTree(const std::string& path);      // no error where absent
void SyncDirectory(const std::string& path);
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

 private:
  std::string path_;
  std::string temporary_;
  std::FILE* file_ = nullptr;
  int64_t written_ = 0;
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
