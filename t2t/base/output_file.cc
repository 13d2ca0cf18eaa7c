#include "t2t/base/output_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

constexpr int kMostLinks = 40;
constexpr size_t kBufferSize = 1 << 16;

// The folder's name without links; "" where it is not there.
std::string RealFolder(const std::string& folder) {
  char real[PATH_MAX];
  return ::realpath(folder.empty() ? "." : folder.c_str(), real) == nullptr
             ? ""
             : real;
}

// N where the path is /proc/<this process>/fd/N, else -1.
int DescriptorOf(const std::string& path) {
  const std::string name = BaseName(path);
  if (name.empty() || name.size() > 9 ||
      name.find_first_not_of("0123456789") != std::string::npos) {
    return -1;
  }
  const std::string folder = RealFolder(DirName(path));
  const bool mine = !folder.empty() && (folder == RealFolder("/proc/self/fd") ||
                                        folder == RealFolder("/dev/fd"));
  return mine ? std::atoi(name.c_str()) : -1;
}

// What the link at path points to; "" where there is no link.
std::string LinkAt(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t size = ::readlink(path.c_str(), target, sizeof(target));
  if (size < 0) return "";
  return JoinPath(DirName(path), {target, static_cast<size_t>(size)});
}

Error IsAFolder(const std::string& path) {
  return UsageError(path + " is a folder", "a file to write",
                    "name a file in it");
}

void CheckFile(const std::string& path, bool make_folder) {
  const std::string folder = DirName(path).empty() ? "." : DirName(path);
  if (make_folder) MakeDirectories(folder);
  if (!IsDirectory(folder)) {
    throw MissingError("there is no folder " + folder + " to write " + path +
                           " into",
                       "", "make it, or name another file");
  }
  // Tried out: what root may do doesn't tell what the file system can.
  std::fclose(OpenScratchFile(folder));
  if (Exists(path) &&
      ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
    throw IoError("can't write", path);
  }
}

}  // namespace

OutputPlace FindOutput(const std::string& path, bool make_folder) {
  OutputPlace place;
  place.path = path;
  if (path == "-") {
    place.kind = OutputPlace::Kind::kDescriptor;
    place.path = "the standard output";
    place.descriptor = STDOUT_FILENO;
    return place;
  }
  for (int links = 0;; ++links) {
    const int descriptor = DescriptorOf(place.path);
    if (descriptor >= 0) {
      place.kind = OutputPlace::Kind::kDescriptor;
      place.path = path;
      place.descriptor = descriptor;
      const int flags = ::fcntl(descriptor, F_GETFL);
      if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) return place;
      if (flags >= 0) errno = EBADF;
      throw IoError("can't write to", path);
    }
    const std::string target = LinkAt(place.path);
    // (/proc has links to what has no name, "pipe:[1234]".)
    if (target.empty() || (Exists(place.path) && !Exists(target))) break;
    place.path = target;
    if (links == kMostLinks) {
      errno = ELOOP;
      throw IoError("can't write", path);
    }
  }
  if (place.path.empty() || place.path.back() == '/' ||
      IsDirectory(place.path)) {
    throw IsAFolder(path);
  }
  struct stat info;
  if (::stat(place.path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    place.kind = OutputPlace::Kind::kDevice;
    if (::faccessat(AT_FDCWD, place.path.c_str(), W_OK, AT_EACCESS) != 0) {
      throw IoError("can't write", path);
    }
    return place;
  }
  CheckFile(place.path, make_folder);
  return place;
}

void CheckOutputIsNoInput(const OutputPlace& output,
                          const std::vector<std::string>& inputs) {
  struct stat written;
  const int there = output.kind == OutputPlace::Kind::kDescriptor
                        ? ::fstat(output.descriptor, &written)
                        : ::stat(output.path.c_str(), &written);
  if (there != 0 || !S_ISREG(written.st_mode)) return;
  for (const std::string& input : inputs) {
    struct stat read;
    const int found = input == "-" ? ::fstat(STDIN_FILENO, &read)
                                   : ::stat(input.c_str(), &read);
    if (found != 0 || read.st_dev != written.st_dev ||
        read.st_ino != written.st_ino) {
      continue;
    }
    throw UsageError("the output " + output.path + " is the input " + input +
                         ", which it would take the place of",
                     "another file", "name one that is none of the inputs");
  }
}

OutputFile::OutputFile(OutputPlace place) : place_(std::move(place)) {
  if (place_.is_file()) return;
  fd_ = place_.kind == OutputPlace::Kind::kDescriptor
            ? ::fcntl(place_.descriptor, F_DUPFD_CLOEXEC, 0)
            : ::open(place_.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd_ < 0) throw IoError("can't write to", place_.path);
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

void OutputFile::Write(std::string_view text) {
  if (place_.is_file()) {
    if (file_ == nullptr) file_ = std::make_unique<AtomicWriter>(place_.path);
    file_->Write(text);
    return;
  }
  buffer_ += text;
  if (buffer_.size() > kBufferSize) Flush();
}

void OutputFile::Flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t count = ::write(fd_, left.data(), left.size());
    if (count < 0 && errno == EAGAIN) {
      struct pollfd room = {fd_, POLLOUT, 0};
      ::poll(&room, 1, -1);
    } else if (count < 0 && errno != EINTR) {
      throw IoError("can't write to", place_.path);
    }
    if (count > 0) left.remove_prefix(static_cast<size_t>(count));
  }
  buffer_.clear();
}

void OutputFile::Commit() {
  Write("");
  if (place_.is_file()) {
    file_->Commit();
    return;
  }
  Flush();
  if (::close(std::exchange(fd_, -1)) != 0) {
    throw IoError("can't write to", place_.path);
  }
}

void WriteOutput(const OutputPlace& place, std::string_view text) {
  OutputFile file(place);
  file.Write(text);
  file.Commit();
}

}  // namespace t2t
