#ifndef T2T_FORMATS_ARCHIVE_H_
#define T2T_FORMATS_ARCHIVE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// Takes the files of these names out of an archive (tar or zip; compressed by
// gzip, bzip2, xz, zstd, or not) into folder, under these names: the first of
// each, with or without folders before it. A name with '*' in it, which stands
// for any part of a file's or a folder's name, takes all files of such names;
// with '**', they may be in any folders.
// Each is whole, and a plain file of this process' own, or not there: no links,
// owners or modes of the archive's. A file that is no archive but compressed
// (.bz2) counts as one that has the file of the one name.
//
// Throws a DataError where the archive is damaged, lacks one of them, has a
// link (a name that stands for another file) in the place of one, or has any
// member that climbs out of its folder ("../x", "/x"): such an archive was made
// to do harm, and nothing is taken from it.
void Unpack(const std::string& archive, const std::vector<std::string>& names,
            const std::string& folder);

// Reads the plain files of an archive one by one, in its order, without
// unpacking it: of sets of a million images. Throws a DataError, which names
// the archive and the member, where it is no archive, is cut or damaged.
class ArchiveReader {
 public:
  explicit ArchiveReader(const std::string& path);
  // Of an archive that is in memory, as a member of another. `name` is for
  // messages; `bytes` outlive this.
  ArchiveReader(const std::string& name, std::string_view bytes);
  ~ArchiveReader();
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  // False at the end. Throws where a file is larger than kMostBytes.
  bool Next(std::string* name, std::string* bytes);
  static constexpr int64_t kMostBytes = int64_t{1} << 30;

 private:
  class Open;
  std::string path_;
  std::unique_ptr<Open> open_;
};

// The bytes of the one file in an archive (7z, tar or zip) as they come, for
// what is too large to be unpacked onto the disk.
class MemberReader {
 public:
  // Throws a DataError where it is no archive, or has no file.
  explicit MemberReader(const std::string& archive);
  ~MemberReader();
  MemberReader(MemberReader&&) noexcept;

  // The next bytes; false at the end. Throws a DataError, with the archive and
  // the file, where it is damaged.
  bool Next(std::string* bytes);
  const std::string& member() const { return member_; }

 private:
  struct State;

  std::string archive_;
  std::string member_;
  std::unique_ptr<State> state_;
};

}  // namespace t2t

#endif  // T2T_FORMATS_ARCHIVE_H_
