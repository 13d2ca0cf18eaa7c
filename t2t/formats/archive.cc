#include "t2t/formats/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <map>
#include <memory>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr size_t kBlock = 1 << 16;
constexpr char kTodo[] = "remove it, so that it is downloaded again";

using Reader = std::unique_ptr<struct archive, int (*)(struct archive*)>;

Reader OpenArchive(const std::string& path) {
  Reader reader(archive_read_new(), archive_read_free);
  if (reader == nullptr) {
    throw Error(ExitCode::kInternal, "libarchive can't be set up");
  }
  // Those that need no other program.
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_zip(reader.get());
  if (archive_read_open_filename(reader.get(), path.c_str(), kBlock) !=
      ARCHIVE_OK) {
    throw DataError(
        "can't unpack " + path + ": " + archive_error_string(reader.get()),
        "a tar or zip archive", kTodo);
  }
  return reader;
}

// The member's name without "./" before it. Throws where it climbs.
std::string CheckedName(const std::string& archive, struct archive_entry* entry,
                        const std::string& folder) {
  const char* const raw = archive_entry_pathname(entry);
  std::string name = raw == nullptr ? "" : raw;
  bool climbs = StartsWith(name, "/");
  for (const std::string& part : Split(name, '/')) climbs |= part == "..";
  if (climbs) {
    throw DataError("the archive " + archive + " has a member '" + name +
                        "' that climbs out of its folder, " + folder,
                    "names inside the folder",
                    "nothing was taken from it; get it from a place that you "
                    "trust");
  }
  while (StartsWith(name, "./")) name.erase(0, 2);
  return name;
}

void RefuseLink(const std::string& archive, const std::string& name,
                struct archive_entry* entry) {
  const char* const target = archive_entry_hardlink(entry) != nullptr
                                 ? archive_entry_hardlink(entry)
                                 : archive_entry_symlink(entry);
  if (target == nullptr) return;
  throw DataError("the archive " + archive + " has, as its member '" + name +
                      "', a link to '" + target + "'",
                  "a plain file",
                  "nothing was taken from it; get it from a place that you "
                  "trust");
}

void CopyMember(const Reader& reader, const std::string& archive,
                const std::string& name, AtomicWriter* file) {
  std::string block(kBlock, '\0');
  for (;;) {
    const la_ssize_t size =
        archive_read_data(reader.get(), block.data(), block.size());
    if (size < 0) {
      throw DataError("can't unpack " + archive + ": " + name + ": " +
                          archive_error_string(reader.get()),
                      "a whole archive", kTodo);
    }
    if (size == 0) return;
    file->Write(block.data(), static_cast<size_t>(size));
  }
}

// The name that is wanted and that the member is: the whole of it, or its end.
const std::string* Match(const std::vector<std::string>& names,
                         const std::string& member) {
  for (const std::string& name : names) {
    if (member == name || EndsWith(member, "/" + name)) return &name;
  }
  return nullptr;
}

}  // namespace

void Unpack(const std::string& archive, const std::vector<std::string>& names,
            const std::string& folder) {
  const Reader reader = OpenArchive(archive);
  // Nothing gets its name before the whole archive has been looked at.
  std::map<std::string, std::unique_ptr<AtomicWriter>> files;
  struct archive_entry* entry = nullptr;
  for (;;) {
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      throw DataError(
          "can't unpack " + archive + ": " + archive_error_string(reader.get()),
          "a whole archive", kTodo);
    }
    const std::string member = CheckedName(archive, entry, folder);
    const std::string* const name = Match(names, member);
    if (name == nullptr || files.count(*name) > 0) continue;
    RefuseLink(archive, member, entry);
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    const std::string to = JoinPath(folder, *name);
    MakeDirectories(DirName(to));
    files[*name] = std::make_unique<AtomicWriter>(to);
    CopyMember(reader, archive, *name, files[*name].get());
  }
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    if (files.count(name) == 0 || files[name]->written() == 0) {
      missing.push_back(name);
    }
  }
  if (!missing.empty()) {
    throw DataError("can't unpack " + archive + ": there is no " +
                        Join(missing, ", no ") + " in it, or it is empty",
                    Join(names, " and ") + " in it", kTodo);
  }
  for (const auto& [name, file] : files) file->Commit();
}

}  // namespace t2t
