#include "t2t/base/build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace t2t {
namespace {

class File {
 public:
  explicit File(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool ReadAt(uint64_t offset, void* into, size_t size) const {
    return fd_ >= 0 && ::pread(fd_, into, size, static_cast<off_t>(offset)) ==
                           static_cast<ssize_t>(size);
  }

 private:
  int fd_;
};

std::string Hexadecimal(const unsigned char* bytes, size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

size_t Padded(size_t size) { return (size + 3) / 4 * 4; }

// The build ID among the notes of a segment.
std::string FindBuildId(const std::vector<unsigned char>& notes) {
  size_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= notes.size()) {
    Elf64_Nhdr note;
    std::memcpy(&note, &notes[at], sizeof(note));
    const size_t name = at + sizeof(note);
    const size_t text = name + Padded(note.n_namesz);
    if (text + note.n_descsz > notes.size()) return "";
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(&notes[name], "GNU", 4) == 0) {
      return Hexadecimal(&notes[text], note.n_descsz);
    }
    at = text + Padded(note.n_descsz);
  }
  return "";
}

}  // namespace

std::string BuildId(const std::string& path) {
  constexpr size_t kMostNotes = 1 << 16;
  const File file(path);
  Elf64_Ehdr header;
  if (!file.ReadAt(0, &header, sizeof(header)) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_phentsize != sizeof(Elf64_Phdr)) {
    return "";
  }
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!file.ReadAt(header.e_phoff + i * sizeof(segment), &segment,
                     sizeof(segment))) {
      return "";
    }
    if (segment.p_type != PT_NOTE || segment.p_filesz > kMostNotes) continue;
    std::vector<unsigned char> notes(segment.p_filesz);
    if (!file.ReadAt(segment.p_offset, notes.data(), notes.size())) return "";
    const std::string id = FindBuildId(notes);
    if (!id.empty()) return id;
  }
  return "";
}

}  // namespace t2t
