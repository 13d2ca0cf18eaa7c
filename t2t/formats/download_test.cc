#include "t2t/formats/download.h"

#include <archive.h>
#include <archive_entry.h>
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/formats/archive.h"
#include "t2t/formats/raw_files.h"

namespace t2t {
namespace {

TEST(DownloadTest, WholeOrNotThere) {
  const std::string dir = MakeTempDirectory("download");
  WriteFileAtomically(dir + "/from", "contents");
  std::string why;
  EXPECT_TRUE(Download({"file://" + dir + "/from"}, dir + "/to", &why)) << why;
  EXPECT_EQ(ReadFile(dir + "/to"), "contents");
  EXPECT_FALSE(Download({"file://" + dir + "/none"}, dir + "/other", &why));
  EXPECT_NE(why, "");
  EXPECT_EQ(ListDirectory(dir), (std::vector<std::string>{"from", "to"}));
}

TEST(DownloadTest, WhatIsNotAsKnownGetsNoName) {
  const std::string dir = MakeTempDirectory("download");
  WriteFileAtomically(dir + "/from", "abc");
  std::string why;
  const auto check = [](const std::string& path) -> std::string {
    return FileSha256(path) ==
                   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9"
                   "cb410ff61f20015ad"
               ? ""
               : "another";
  };
  const std::vector<std::string> from = {"file://" + dir + "/from"};
  EXPECT_TRUE(Download(from, dir + "/to", &why, check));
  WriteFileAtomically(dir + "/from", "abd");
  EXPECT_FALSE(Download(from, dir + "/no", &why, check));
  EXPECT_EQ(why, "another");
  EXPECT_EQ(ListDirectory(dir), (std::vector<std::string>{"from", "to"}));
}

TEST(DownloadTest, TheFirstMirrorThatIsRight) {
  const std::string dir = MakeTempDirectory("download");
  WriteFileAtomically(dir + "/bad", "abd");
  WriteFileAtomically(dir + "/good", "abc");
  const auto check = [](const std::string& path) -> std::string {
    return ReadFile(path) == "abc" ? "" : "another";
  };
  std::string why;
  EXPECT_TRUE(Download({"file://" + dir + "/none", "file://" + dir + "/bad",
                        "file://" + dir + "/good"},
                       dir + "/to", &why, check))
      << why;
  EXPECT_EQ(ReadFile(dir + "/to"), "abc");
  EXPECT_FALSE(Download({"file://" + dir + "/none", "file://" + dir + "/bad"},
                        dir + "/no", &why, check));
  EXPECT_NE(why.find("/none"), std::string::npos) << why;
  EXPECT_NE(why.find("another"), std::string::npos) << why;
}

// A server that answers one connection after another with what it is given, and
// keeps the requests.
class Server {
 public:
  explicit Server(std::vector<std::string> answers)
      : answers_(std::move(answers)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Server() { Join(); }

  std::string Address() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/file";
  }
  // After all answers have been given.
  std::vector<std::string> Requests() {
    Join();
    return requests_;
  }

 private:
  void Serve() {
    for (const std::string& answer : answers_) {
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) return;
      std::string request;
      char byte;
      while (request.find("\r\n\r\n") == std::string::npos &&
             ::read(connection, &byte, 1) == 1) {
        request += byte;
      }
      requests_.push_back(request);
      EXPECT_EQ(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(answer.size()));
      ::close(connection);
    }
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  std::vector<std::string> answers_;
  std::vector<std::string> requests_;
  int socket_ = -1;
  int port_ = 0;
  std::thread thread_;
};

std::string Answer(const std::string& status, const std::string& etag,
                   size_t length, const std::string& body,
                   const std::string& more = "") {
  return "HTTP/1.1 " + status + "\r\nETag: \"" + etag +
         "\"\r\nContent-Length: " + std::to_string(length) + "\r\n" + more +
         "Connection: close\r\n\r\n" + body;
}

TEST(DownloadTest, ABrokenConnectionIsGoneOnWith) {
  const std::string dir = MakeTempDirectory("download");
  Server server({Answer("200 OK", "one", 10, "0123"),
                 Answer("206 Partial Content", "one", 6, "456789",
                        "Content-Range: bytes 4-9/10\r\n")});
  std::string why;
  EXPECT_TRUE(Download({server.Address()}, dir + "/to", &why)) << why;
  EXPECT_EQ(ReadFile(dir + "/to"), "0123456789");
  EXPECT_EQ(ListDirectory(dir), std::vector<std::string>{"to"});
  const std::vector<std::string> requests = server.Requests();
  EXPECT_NE(requests[1].find("Range: bytes=4-"), std::string::npos)
      << requests[1];
  EXPECT_NE(requests[1].find("If-Range: \"one\""), std::string::npos);
}

// The server's file has changed meanwhile: it sends the new one whole, and
// nothing of the old one stays.
TEST(DownloadTest, AnotherFileIsBegunAnew) {
  const std::string dir = MakeTempDirectory("download");
  Server server(
      {Answer("200 OK", "one", 10, "0123"), Answer("200 OK", "two", 3, "abc")});
  std::string why;
  EXPECT_TRUE(Download({server.Address()}, dir + "/to", &why)) << why;
  EXPECT_EQ(ReadFile(dir + "/to"), "abc");
}

// What a killed process left, of the same address and state, is not fetched
// again; what is of another is.
TEST(DownloadTest, ALaterCallGoesOn) {
  const std::string dir = MakeTempDirectory("download");
  for (const bool same : {true, false}) {
    Server server({same ? Answer("206 Partial Content", "one", 6, "456789",
                                 "Content-Range: bytes 4-9/10\r\n")
                        : Answer("200 OK", "one", 10, "0123456789")});
    WriteFileAtomically(dir + "/to.part", "0123");
    WriteFileAtomically(
        dir + "/to.part.of",
        (same ? server.Address() : "http://other/file") + "\n\"one\"\n");
    std::string why;
    EXPECT_TRUE(Download({server.Address()}, dir + "/to", &why)) << why;
    EXPECT_EQ(ReadFile(dir + "/to"), "0123456789");
    EXPECT_EQ(server.Requests()[0].find("Range:") != std::string::npos, same);
    EXPECT_EQ(ListDirectory(dir), std::vector<std::string>{"to"});
    RemoveFile(dir + "/to");
  }
}

TEST(DownloadTest, AnOverloadedServerIsAskedAgainAMissingFileIsNot) {
  const std::string dir = MakeTempDirectory("download");
  Server busy({Answer("503 Service Unavailable", "x", 0, ""),
               Answer("200 OK", "one", 3, "abc")});
  std::string why;
  EXPECT_TRUE(Download({busy.Address()}, dir + "/to", &why)) << why;
  Server none({Answer("404 Not Found", "x", 0, "")});
  EXPECT_FALSE(Download({none.Address()}, dir + "/no", &why));
  EXPECT_NE(why.find("404"), std::string::npos) << why;
  EXPECT_EQ(ListDirectory(dir), std::vector<std::string>{"to"});
}

struct Member {
  std::string name;
  std::string contents;
  std::string link;  // a symbolic one
  std::string hardlink;
};

void WriteArchive(const std::string& path, const std::vector<Member>& members) {
  struct archive* const writer = archive_write_new();
  archive_write_add_filter_gzip(writer);
  archive_write_set_format_pax_restricted(writer);
  ASSERT_EQ(archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
  for (const Member& member : members) {
    struct archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.name.c_str());
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_filetype(entry,
                               member.link.empty() ? AE_IFREG : AE_IFLNK);
    archive_entry_set_size(entry,
                           static_cast<la_int64_t>(member.contents.size()));
    if (!member.link.empty()) {
      archive_entry_set_symlink(entry, member.link.c_str());
    }
    if (!member.hardlink.empty()) {
      archive_entry_set_hardlink(entry, member.hardlink.c_str());
    }
    archive_write_header(writer, entry);
    archive_write_data(writer, member.contents.data(), member.contents.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
}

std::string UnpackError(const std::string& archive,
                        const std::vector<std::string>& names,
                        const std::string& folder) {
  try {
    Unpack(archive, names, folder);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    return error.what();
  }
  return "";
}

TEST(ArchiveTest, GivesTheFilesThatAreWanted) {
  const std::string dir = MakeTempDirectory("archive");
  WriteArchive(dir + "/a.tgz", {{"./sub/text", "abc", "", ""},
                                {"./other", "x", "", ""},
                                {"./deep/er/last", "z", "", ""}});
  Unpack(dir + "/a.tgz", {"sub/text", "last"}, dir + "/to");
  EXPECT_EQ(ReadFile(dir + "/to/sub/text"), "abc");
  EXPECT_EQ(ReadFile(dir + "/to/last"), "z");
  EXPECT_EQ(ListDirectory(dir + "/to"),
            (std::vector<std::string>{"last", "sub"}));
  const std::string missing =
      UnpackError(dir + "/a.tgz", {"other", "none"}, dir + "/more");
  EXPECT_NE(missing.find("none"), std::string::npos) << missing;
  EXPECT_FALSE(Exists(dir + "/more/other"));
}

TEST(ArchiveTest, OfOtherProgramsToo) {
  const std::string dir = MakeTempDirectory("archive");
  MakeDirectories(dir + "/from/sub");
  WriteFileAtomically(dir + "/from/sub/text", "abc");
  ASSERT_EQ(
      std::system(("tar czf " + dir + "/a.tgz -C " + dir + "/from .").c_str()),
      0);
  Unpack(dir + "/a.tgz", {"sub/text"}, dir + "/to");
  EXPECT_EQ(ReadFile(dir + "/to/sub/text"), "abc");
  const std::string whole = ReadFile(dir + "/a.tgz");
  WriteFileAtomically(dir + "/cut.tgz", whole.substr(0, whole.size() / 2));
  EXPECT_NE(UnpackError(dir + "/cut.tgz", {"sub/text"}, dir + "/cut"), "");
  WriteFileAtomically(dir + "/none.tgz", "no archive");
  EXPECT_NE(UnpackError(dir + "/none.tgz", {"sub/text"}, dir + "/cut"), "");
  EXPECT_FALSE(Exists(dir + "/cut/sub/text"));
}

TEST(ArchiveTest, ALinkIsNamedWithItsTarget) {
  const std::string dir = MakeTempDirectory("archive");
  WriteArchive(dir + "/soft.tgz", {{"text", "", "/etc/passwd", ""}});
  WriteArchive(dir + "/hard.tgz", {{"text", "", "", "etc/passwd"}});
  for (const char* const name : {"/soft.tgz", "/hard.tgz"}) {
    const std::string message = UnpackError(dir + name, {"text"}, dir + "/to");
    EXPECT_NE(message.find("'text'"), std::string::npos) << message;
    EXPECT_NE(message.find("etc/passwd'"), std::string::npos) << message;
    EXPECT_FALSE(Exists(dir + "/to/text"));
  }
}

TEST(ArchiveTest, AMemberThatClimbsOutIsNamedAndNothingIsTaken) {
  const std::string dir = MakeTempDirectory("archive");
  for (const std::string evil :
       {"../evil", "sub/../../evil", "/evil", "./.."}) {
    WriteArchive(dir + "/a.tgz",
                 {{"text", "abc", "", ""}, {evil, "x", "", ""}});
    const std::string message =
        UnpackError(dir + "/a.tgz", {"text"}, dir + "/to");
    EXPECT_NE(message.find("'" + evil + "'"), std::string::npos) << message;
    EXPECT_NE(message.find(dir + "/to"), std::string::npos) << message;
    EXPECT_FALSE(Exists(dir + "/to/text"));
    EXPECT_FALSE(Exists(dir + "/evil"));
  }
}

TEST(RawFilesTest, InAFolderOfAllUsersOnlyOwnFilesCount) {
  const std::string dir = MakeTempDirectory("raw");
  WriteFileAtomically(dir + "/mine", "x");
  ASSERT_EQ(::symlink("mine", (dir + "/link").c_str()), 0);
  CheckRawFile(dir + "/link", false);  // a folder of one's own
  MakeRawFolder(dir);
  ASSERT_EQ(::chmod(dir.c_str(), 01777), 0);
  CheckRawFile(dir + "/mine", false);
  CheckRawFile(dir + "/none", false);
  EXPECT_THROW(CheckRawFile(dir + "/link", false), Error);
  CheckRawFile(dir + "/link", true);
  MakeRawFolder(dir);
  ASSERT_EQ(::chmod(dir.c_str(), 0777), 0);
  EXPECT_THROW(MakeRawFolder(dir), Error);
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chown((dir + "/mine").c_str(), 12345, 12345), 0);
  EXPECT_THROW(CheckRawFile(dir + "/mine", false), Error);
  // A folder that another user has made in /tmp before this one.
  ASSERT_EQ(::chmod(dir.c_str(), 01777), 0);
  MakeDirectories(dir + "/t2t_datagen");
  WriteFileAtomically(dir + "/t2t_datagen/text", "x");
  CheckRawFile(dir + "/t2t_datagen/text", false);
  for (const char* const name : {"/t2t_datagen", "/t2t_datagen/text"}) {
    ASSERT_EQ(::chown((dir + name).c_str(), 12345, 12345), 0);
  }
  EXPECT_THROW(CheckRawFile(dir + "/t2t_datagen/text", false), Error);
  EXPECT_THROW(MakeRawFolder(dir + "/t2t_datagen"), Error);
}

}  // namespace
}  // namespace t2t
