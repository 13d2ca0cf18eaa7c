#include "t2t/formats/download.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/formats/system_library.h"

namespace t2t {
namespace {

// libcurl's functions.
struct Curl {
  decltype(::curl_global_init)* global_init;
  decltype(::curl_easy_init)* easy_init;
  decltype(::curl_easy_cleanup)* easy_cleanup;
  decltype(::curl_easy_setopt)* setopt;
  decltype(::curl_easy_perform)* perform;
  decltype(::curl_easy_getinfo)* getinfo;
  decltype(::curl_easy_strerror)* strerror;
  decltype(::curl_slist_append)* append;
  decltype(::curl_slist_free_all)* free_all;

  Curl() {
    const SystemLibrary library("libcurl.so.4", "libcurl4", "to download");
    library.Get("curl_global_init", &global_init);
    library.Get("curl_easy_init", &easy_init);
    library.Get("curl_easy_cleanup", &easy_cleanup);
    library.Get("curl_easy_setopt", &setopt);
    library.Get("curl_easy_perform", &perform);
    library.Get("curl_easy_getinfo", &getinfo);
    library.Get("curl_easy_strerror", &strerror);
    library.Get("curl_slist_append", &append);
    library.Get("curl_slist_free_all", &free_all);
    const CURLcode started = global_init(CURL_GLOBAL_DEFAULT);
    if (started == CURLE_OK) return;
    throw Error(ExitCode::kInternal,
                std::string("libcurl can't be set up: ") + strerror(started));
  }
};

const Curl& TheCurl() {
  static const Curl curl;
  return curl;
}

constexpr int kAttempts = 4;
constexpr long kConnectSeconds = 15;
// A connection that gives less than a byte a second for so long is broken.
constexpr long kSilentSeconds = 60;
constexpr double kProgressSeconds = 5;

// What has been fetched of a file: its bytes in <path>.part, and in
// <path>.part.of whose they are: the address, and what the server called that
// state of the file (its ETag, or when it was changed).
class Part {
 public:
  explicit Part(const std::string& path)
      : path_(path + ".part"), of_(path + ".part.of") {
    fd_ =
        ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd_ < 0) throw IoError("can't write", path_);
  }
  ~Part() {
    if (fd_ >= 0) ::close(fd_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  const std::string& state() const { return state_; }

  // Goes on with what is there where it is of this address, else from nothing.
  void Begin(const std::string& address) {
    struct stat info;
    if (::fstat(fd_, &info) != 0) throw IoError("can't look at", path_);
    size_ = info.st_size;
    state_.clear();
    address_ = address;
    if (size_ > 0 && Exists(of_)) {
      const std::vector<std::string> lines = Split(ReadFile(of_), '\n');
      if (lines.size() >= 2 && lines[0] == address) state_ = lines[1];
    }
    if (state_.empty()) Restart("");
  }

  // From nothing, of this state of the server's file.
  void Restart(const std::string& state) {
    if (::ftruncate(fd_, 0) != 0) throw IoError("can't shorten", path_);
    size_ = 0;
    state_ = state;
    RemoveFile(of_);
    if (!state.empty()) {
      WriteFileAtomically(of_, address_ + "\n" + state + "\n");
    }
  }

  bool Append(const char* data, size_t size) {
    while (size > 0) {
      const ssize_t written = ::pwrite(fd_, data, size, size_);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      data += written;
      size -= static_cast<size_t>(written);
      size_ += written;
    }
    return true;
  }

  void Sync() const {
    if (::fsync(fd_) != 0) throw IoError("can't write", path_);
  }

  void Remove() const {
    RemoveFile(path_);
    RemoveFile(of_);
  }

 private:
  const std::string path_;
  const std::string of_;
  int fd_ = -1;
  int64_t size_ = 0;
  std::string address_;
  std::string state_;
};

// One transfer's view of the part: it looks at the answer before it appends.
struct Transfer {
  CURL* curl = nullptr;
  Part* part = nullptr;
  std::string name;
  std::string answered_state;  // of the headers
  bool begun = false;
  int write_errno = 0;
  double said = NowSeconds();
  int64_t said_size = 0;
};

bool HeaderIs(std::string_view line, std::string_view name,
              std::string* value) {
  if (line.size() <= name.size() || line[name.size()] != ':' ||
      Lower(line.substr(0, name.size())) != name) {
    return false;
  }
  *value = Trim(line.substr(name.size() + 1));
  return true;
}

size_t OnHeader(char* data, size_t, size_t size, void* pointer) {
  auto* const transfer = static_cast<Transfer*>(pointer);
  const std::string_view line(data, size);
  std::string value;
  if (StartsWith(line, "HTTP/")) {
    transfer->answered_state.clear();  // a redirection's are another file's
  } else if (HeaderIs(line, "etag", &value)) {
    // A weak one ("W/...") says alike, not equal.
    if (!StartsWith(value, "W/")) transfer->answered_state = value;
  } else if (HeaderIs(line, "last-modified", &value) &&
             transfer->answered_state.empty()) {
    transfer->answered_state = value;
  }
  return size;
}

size_t OnData(char* data, size_t, size_t size, void* pointer) {
  auto* const transfer = static_cast<Transfer*>(pointer);
  if (!transfer->begun) {
    transfer->begun = true;
    long code = 0;
    TheCurl().getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &code);
    // 206: what was asked for, from the part's end on. All else is a whole
    // file.
    if (code != 206) transfer->part->Restart(transfer->answered_state);
    transfer->said_size = transfer->part->size();
  }
  if (!transfer->part->Append(data, size)) {
    transfer->write_errno = errno;
    return 0;
  }
  return size;
}

std::string Megabytes(double bytes) { return Format("%.1f MB", bytes / 1e6); }

int OnProgress(void* pointer, curl_off_t total, curl_off_t /*now*/, curl_off_t,
               curl_off_t) {
  auto* const transfer = static_cast<Transfer*>(pointer);
  const double now = NowSeconds();
  const double seconds = now - transfer->said;
  if (!transfer->begun || seconds < kProgressSeconds) return 0;
  const int64_t size = transfer->part->size();
  std::string line =
      "  " + transfer->name + ": " + Megabytes(static_cast<double>(size));
  curl_off_t offset = 0;
  long code = 0;
  TheCurl().getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &code);
  if (code == 206) {
    TheCurl().getinfo(transfer->curl, CURLINFO_SIZE_DOWNLOAD_T, &offset);
    offset = size - offset;
  }
  if (total > 0) {
    const auto all = static_cast<double>(total + offset);
    line += Format(" of %s (%.0f%%)", Megabytes(all).c_str(),
                   100 * static_cast<double>(size) / all);
  }
  Log(line +
      Format(", %.1f MB/s",
             static_cast<double>(size - transfer->said_size) / seconds / 1e6));
  transfer->said = now;
  transfer->said_size = size;
  return 0;
}

// Whether the same request may go well a little later.
bool MayPass(CURLcode code, long status) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    case CURLE_HTTP_RETURNED_ERROR:
      return status == 408 || status == 429 || status >= 500;
    default:
      return false;
  }
}

void SetUp(CURL* curl, const std::string& address, Transfer* transfer,
           char* message) {
  TheCurl().setopt(curl, CURLOPT_URL, address.c_str());
  TheCurl().setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,ftp,ftps,file");
  TheCurl().setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  TheCurl().setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  TheCurl().setopt(curl, CURLOPT_MAXREDIRS, 10L);
  TheCurl().setopt(curl, CURLOPT_FAILONERROR, 1L);
  TheCurl().setopt(curl, CURLOPT_NOSIGNAL, 1L);
  TheCurl().setopt(curl, CURLOPT_USERAGENT, "t2t-datagen");
  TheCurl().setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  TheCurl().setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  TheCurl().setopt(curl, CURLOPT_LOW_SPEED_TIME, kSilentSeconds);
  TheCurl().setopt(curl, CURLOPT_ERRORBUFFER, message);
  TheCurl().setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  TheCurl().setopt(curl, CURLOPT_HEADERDATA, transfer);
  TheCurl().setopt(curl, CURLOPT_WRITEFUNCTION, OnData);
  TheCurl().setopt(curl, CURLOPT_WRITEDATA, transfer);
  TheCurl().setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
  TheCurl().setopt(curl, CURLOPT_XFERINFODATA, transfer);
  TheCurl().setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

// One request. "": the part is whole. *passing: it may be tried again.
std::string Request(const std::string& address, Part* part, bool* passing) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(TheCurl().easy_init(),
                                                    TheCurl().easy_cleanup);
  if (curl == nullptr) {
    throw Error(ExitCode::kInternal, "libcurl can't be set up");
  }
  Transfer transfer;
  transfer.curl = curl.get();
  transfer.part = part;
  transfer.name = BaseName(address);
  char message[CURL_ERROR_SIZE] = "";
  SetUp(curl.get(), address, &transfer, message);
  struct curl_slist* headers = nullptr;
  if (part->size() > 0) {
    // The rest, if the file is still the same; else all of it.
    headers = TheCurl().append(nullptr, ("If-Range: " + part->state()).c_str());
    TheCurl().setopt(curl.get(), CURLOPT_HTTPHEADER, headers);
    TheCurl().setopt(curl.get(), CURLOPT_RANGE,
                     (std::to_string(part->size()) + "-").c_str());
  }
  const CURLcode code = TheCurl().perform(curl.get());
  TheCurl().free_all(headers);
  long status = 0;
  TheCurl().getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK) {
    if (!transfer.begun && part->size() == 0) return "an empty file came";
    return "";
  }
  if (transfer.write_errno != 0) {
    errno = transfer.write_errno;
    throw IoError("can't write", part->path());
  }
  // The part is longer than the file, or as long: from nothing then.
  if (status == 416) {
    part->Restart("");
    *passing = true;
  }
  *passing |= MayPass(code, status);
  return *message != '\0' ? message : TheCurl().strerror(code);
}

std::string FetchPart(const std::string& address, Part* part) {
  part->Begin(address);
  for (int attempt = 1;; ++attempt) {
    bool passing = false;
    const int64_t before = part->size();
    if (before > 0) {
      Log("  going on at " + Megabytes(static_cast<double>(before)));
    }
    std::string why = Request(address, part, &passing);
    if (why.empty() || !passing || attempt == kAttempts) return why;
    // One that moves on is worth more attempts than one that doesn't.
    if (part->size() > before) attempt = 1;
    if (part->state().empty()) part->Restart("");
    Log("  " + why + "; trying again");
    std::this_thread::sleep_for(std::chrono::seconds(1 << (attempt - 1)));
  }
}

}  // namespace

bool Download(const std::vector<std::string>& addresses,
              const std::string& path, std::string* why,
              const CheckDownload& check) {
  why->clear();
  for (const std::string& address : addresses) {
    Part part(path);
    std::string wrong = FetchPart(address, &part);
    const bool fetched = wrong.empty();
    if (fetched) {
      part.Sync();
      if (check != nullptr) wrong = check(part.path());
      if (wrong.empty()) {
        Rename(part.path(), path);
        part.Remove();
        SyncDirectory(DirName(path).empty() ? "." : DirName(path));
        return true;
      }
    }
    // What is wrong is not to be gone on with.
    if (fetched || part.size() == 0) part.Remove();
    *why += (why->empty() ? "" : "; ") + wrong +
            (addresses.size() > 1 ? " (" + address + ")" : "");
  }
  return false;
}

}  // namespace t2t
