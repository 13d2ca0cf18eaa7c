#include "t2t/formats/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fnmatch.h>

#include <map>
#include <memory>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/system_library.h"

namespace t2t {
namespace {

constexpr size_t kBlock = 1 << 16;
constexpr char kTodo[] = "remove it, so that it is downloaded again";

// libarchive's functions.
struct Libarchive {
  decltype(::archive_read_new)* make;
  decltype(::archive_read_free)* free;
  decltype(::archive_read_support_filter_gzip)* gzip;
  decltype(::archive_read_support_filter_bzip2)* bzip2;
  decltype(::archive_read_support_filter_xz)* xz;
  decltype(::archive_read_support_filter_zstd)* zstd;
  decltype(::archive_read_support_format_tar)* tar;
  decltype(::archive_read_support_format_zip)* zip;
  decltype(::archive_read_support_format_7zip)* seven_zip;
  decltype(::archive_read_support_format_raw)* raw;
  decltype(::archive_read_open_filename)* open;
  decltype(::archive_read_open_memory)* open_memory;
  decltype(::archive_read_next_header)* next;
  decltype(::archive_read_data)* data;
  decltype(::archive_error_string)* error;
  decltype(::archive_entry_pathname)* pathname;
  decltype(::archive_entry_hardlink)* hardlink;
  decltype(::archive_entry_symlink)* symlink;
  decltype(::archive_entry_filetype)* filetype;

  Libarchive() {
    const SystemLibrary library("libarchive.so.13", "libarchive13",
                                "to unpack an archive");
    library.Get("archive_read_new", &make);
    library.Get("archive_read_free", &free);
    library.Get("archive_read_support_filter_gzip", &gzip);
    library.Get("archive_read_support_filter_bzip2", &bzip2);
    library.Get("archive_read_support_filter_xz", &xz);
    library.Get("archive_read_support_filter_zstd", &zstd);
    library.Get("archive_read_support_format_tar", &tar);
    library.Get("archive_read_support_format_zip", &zip);
    library.Get("archive_read_support_format_7zip", &seven_zip);
    library.Get("archive_read_support_format_raw", &raw);
    library.Get("archive_read_open_filename", &open);
    library.Get("archive_read_open_memory", &open_memory);
    library.Get("archive_read_next_header", &next);
    library.Get("archive_read_data", &data);
    library.Get("archive_error_string", &error);
    library.Get("archive_entry_pathname", &pathname);
    library.Get("archive_entry_hardlink", &hardlink);
    library.Get("archive_entry_symlink", &symlink);
    library.Get("archive_entry_filetype", &filetype);
  }
};

const Libarchive& Lib() {
  static const Libarchive library;
  return library;
}

// (libarchive does not always say what is wrong.)
std::string ErrorOf(struct archive* reader) {
  const char* const error = Lib().error(reader);
  return error == nullptr ? "it is damaged" : error;
}

using Reader = std::unique_ptr<struct archive, int (*)(struct archive*)>;

bool IsCompressedFile(const std::string& path) {
  return EndsWith(path, ".bz2") && !EndsWith(path, ".tar.bz2");
}

// A reader that is set up for the formats of archives; `raw`: for a file that
// is only compressed.
Reader NewReader(bool raw) {
  Reader reader(Lib().make(), Lib().free);
  if (reader == nullptr) {
    throw Error(ExitCode::kInternal, "libarchive can't be set up");
  }
  // Those that need no other program.
  Lib().gzip(reader.get());
  Lib().bzip2(reader.get());
  Lib().xz(reader.get());
  Lib().zstd(reader.get());
  if (raw) {
    Lib().raw(reader.get());
  } else {
    Lib().tar(reader.get());
    Lib().zip(reader.get());
    Lib().seven_zip(reader.get());
  }
  return reader;
}

void CheckOpened(int code, const Reader& reader, const std::string& path) {
  if (code == ARCHIVE_OK) return;
  throw DataError("can't unpack " + path + ": " + ErrorOf(reader.get()),
                  "a tar or zip archive", kTodo);
}

Reader OpenArchive(const std::string& path) {
  Reader reader = NewReader(IsCompressedFile(path));
  CheckOpened(Lib().open(reader.get(), path.c_str(), kBlock), reader, path);
  return reader;
}

// The member's name without "./" before it. Throws where it climbs.
std::string CheckedName(const std::string& archive, struct archive_entry* entry,
                        const std::string& folder) {
  const char* const raw = Lib().pathname(entry);
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
  const char* const target = Lib().hardlink(entry) != nullptr
                                 ? Lib().hardlink(entry)
                                 : Lib().symlink(entry);
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
        Lib().data(reader.get(), block.data(), block.size());
    if (size < 0) {
      throw DataError("can't unpack " + archive + ": " + name + ": " +
                          ErrorOf(reader.get()),
                      "a whole archive", kTodo);
    }
    if (size == 0) return;
    file->Write(block.data(), static_cast<size_t>(size));
  }
}

bool IsPattern(const std::string& name) {
  return name.find('*') != std::string::npos;
}

// '*' stands for what has no '/' in it, '**' for anything.
int MatchFlags(const std::string& pattern) {
  return pattern.find("**") == std::string::npos ? FNM_PATHNAME : 0;
}

// The member's name as of one of `names`: the whole of it, or its end. "" where
// it is none of them.
std::string Match(const std::vector<std::string>& names,
                  const std::string& member, size_t* index) {
  for (*index = 0; *index < names.size(); ++*index) {
    const std::string& name = names[*index];
    if (!IsPattern(name)) {
      if (member == name || EndsWith(member, "/" + name)) return name;
      continue;
    }
    for (size_t at = 0;; ++at) {
      if (::fnmatch(name.c_str(), member.c_str() + at, MatchFlags(name)) == 0) {
        return member.substr(at);
      }
      at = member.find('/', at);
      if (at == std::string::npos) break;
    }
  }
  return "";
}

// Calls visit(member, reader) for each plain file of the archive that is
// wanted: the first of each name, all of a pattern.
class Members {
 public:
  Members(const std::string& archive, const std::vector<std::string>& names,
          const std::string& folder)
      : archive_(archive), names_(names), folder_(folder) {}

  template <typename Visit>
  void ForEach(const Visit& visit) const {
    const Reader reader = OpenArchive(archive_);
    std::vector<bool> seen(names_.size());
    struct archive_entry* entry = nullptr;
    std::string member;
    for (;;) {
      const int code = Lib().next(reader.get(), &entry);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
        throw DataError(
            "can't unpack " + archive_ + ": " +
                (member.empty() ? "" : "in or behind " + member + ": ") +
                ErrorOf(reader.get()),
            "a whole archive", kTodo);
      }
      member = IsCompressedFile(archive_)
                   ? names_.at(0)
                   : CheckedName(archive_, entry, folder_);
      size_t index = 0;
      const std::string name = Match(names_, member, &index);
      if (name.empty() || (seen[index] && !IsPattern(names_[index]))) continue;
      RefuseLink(archive_, member, entry);
      if (!IsCompressedFile(archive_) && Lib().filetype(entry) != AE_IFREG) {
        continue;
      }
      seen[index] = true;
      visit(name, IsPattern(names_[index]), reader);
    }
    CheckAll(seen);
  }

  Error Lacks(const std::vector<std::string>& missing) const {
    return DataError("can't unpack " + archive_ + ": there is no " +
                         Join(missing, ", no ") + " in it, or it is empty",
                     Join(names_, " and ") + " in it", kTodo);
  }

 private:
  void CheckAll(const std::vector<bool>& seen) const {
    std::vector<std::string> missing;
    for (size_t i = 0; i < names_.size(); ++i) {
      if (!seen[i]) missing.push_back(names_[i]);
    }
    if (!missing.empty()) throw Lacks(missing);
  }

  const std::string& archive_;
  const std::vector<std::string>& names_;
  const std::string& folder_;
};

}  // namespace

class ArchiveReader::Open {
 public:
  explicit Open(Reader opened) : reader(std::move(opened)) {}
  Reader reader;
};

ArchiveReader::ArchiveReader(const std::string& path)
    : path_(path), open_(std::make_unique<Open>(OpenArchive(path))) {}

ArchiveReader::ArchiveReader(const std::string& name, std::string_view bytes)
    : path_(name) {
  Reader reader = NewReader(/*raw=*/false);
  CheckOpened(Lib().open_memory(reader.get(), bytes.data(), bytes.size()),
              reader, name);
  open_ = std::make_unique<Open>(std::move(reader));
}

ArchiveReader::~ArchiveReader() = default;

bool ArchiveReader::Next(std::string* name, std::string* bytes) {
  struct archive* const reader = open_->reader.get();
  struct archive_entry* entry = nullptr;
  for (;;) {
    const int code = Lib().next(reader, &entry);
    if (code == ARCHIVE_EOF) return false;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      throw DataError("can't read " + path_ +
                          (name->empty() ? "" : " behind " + *name) + ": " +
                          ErrorOf(reader),
                      "a whole archive", kTodo);
    }
    if (Lib().filetype(entry) == AE_IFREG && Lib().hardlink(entry) == nullptr) {
      break;
    }
  }
  const char* const pathname = Lib().pathname(entry);
  *name = pathname == nullptr ? "" : pathname;
  bytes->clear();
  std::string block(kBlock, '\0');
  for (;;) {
    const la_ssize_t size = Lib().data(reader, block.data(), block.size());
    if (size == 0) return true;
    const bool too_large =
        size > 0 && static_cast<int64_t>(bytes->size()) + size > kMostBytes;
    if (size < 0 || too_large) {
      throw DataError("can't read " + *name + " in " + path_ + ": " +
                          (too_large ? "it is too large" : ErrorOf(reader)),
                      "a whole archive", kTodo);
    }
    bytes->append(block.data(), static_cast<size_t>(size));
  }
}

void Unpack(const std::string& archive, const std::vector<std::string>& names,
            const std::string& folder) {
  const Members members(archive, names, folder);
  // Nothing gets its name before the whole archive has been looked at. Too many
  // to be held open are looked at first and written on a second reading.
  for (const std::string& name : names) {
    if (!IsPattern(name)) continue;
    members.ForEach([](const std::string&, bool, const Reader&) {});
    break;
  }
  std::map<std::string, std::unique_ptr<AtomicWriter>> files;
  std::vector<std::string> empty;
  members.ForEach(
      [&](const std::string& name, bool one_of_many, const Reader& reader) {
        const std::string to = JoinPath(folder, name);
        MakeDirectories(DirName(to));
        auto file = std::make_unique<AtomicWriter>(to);
        CopyMember(reader, archive, name, file.get());
        if (one_of_many) {
          file->Commit();
          return;
        }
        if (file->written() == 0) empty.push_back(name);
        files[name] = std::move(file);
      });
  if (!empty.empty()) throw members.Lacks(empty);
  for (const auto& [name, file] : files) file->Commit();
}

struct MemberReader::State {
  Reader reader;
};

MemberReader::MemberReader(const std::string& archive)
    : archive_(archive),
      state_(std::make_unique<State>(State{OpenArchive(archive)})) {
  struct archive_entry* entry = nullptr;
  struct archive* const reader = state_->reader.get();
  for (;;) {
    const int code = Lib().next(reader, &entry);
    if (code == ARCHIVE_EOF) {
      throw DataError("can't read " + archive_ + ": there is no file in it",
                      "an archive of one file", kTodo);
    }
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      throw DataError("can't read " + archive_ + ": " + ErrorOf(reader),
                      "a whole archive", kTodo);
    }
    if (Lib().filetype(entry) == AE_IFREG) break;
  }
  const char* const name = Lib().pathname(entry);
  member_ = name == nullptr ? "" : name;
}

MemberReader::~MemberReader() = default;
MemberReader::MemberReader(MemberReader&&) noexcept = default;

bool MemberReader::Next(std::string* bytes) {
  bytes->resize(kBlock);
  const la_ssize_t size =
      Lib().data(state_->reader.get(), bytes->data(), bytes->size());
  if (size < 0) {
    throw DataError("can't read " + archive_ + ": " + member_ + ": " +
                        ErrorOf(state_->reader.get()),
                    "a whole archive", kTodo);
  }
  bytes->resize(static_cast<size_t>(size));
  return size > 0;
}

}  // namespace t2t
