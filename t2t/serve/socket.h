#ifndef T2T_SERVE_SOCKET_H_
#define T2T_SERVE_SOCKET_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "t2t/serve/tls.h"

namespace t2t {

using SteadyTime = std::chrono::steady_clock::time_point;

// A TCP connection, with TLS or without, whose every wait has an end.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { Close(); }
  Socket(Socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}
  Socket& operator=(Socket&& other) noexcept;

  enum class Result { kOk, kClosed, kTimeout, kWoken };
  // Appends what has come to *data. Ends early, with kWoken, where wake_fd
  // (unless -1) is readable and no byte is there.
  Result Read(std::string* data, SteadyTime until, int wake_fd = -1);
  // All of it, or not kOk.
  Result Write(std::string_view data, SteadyTime until);
  // Talks TLS from now on. Where that fails, *error says why: what the peer
  // makes of it has been sent, nothing else can be.
  Result StartTls(const TlsContext& context, const std::string& host,
                  SteadyTime until, std::string* error);
  // Nothing more will be written.
  void EndWriting();
  // Whether the peer has closed its side.
  bool IsClosedByPeer() const;
  // Waits for a byte and takes none.
  Result Peek(char* byte, SteadyTime until, int wake_fd = -1);

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close();
  // Gives the descriptor away.
  int Release() { return std::exchange(fd_, -1); }

 private:
  // What goes over the wire.
  Result ReadRaw(std::string* data, SteadyTime until, int wake_fd);
  Result WriteRaw(std::string_view data, SteadyTime until);
  // What TLS wants to say.
  Result FlushTls(SteadyTime until);
  // After a call of OpenSSL's gave `code`: kOk where it may be made again.
  Result WaitForTls(int code, SteadyTime until, int wake_fd);

  int fd_ = -1;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> tls_{nullptr, nullptr};
};

// Throws an Error where the address is wrong or taken; port 0 takes a free
// one. port_flag is what a user gives another port with.
Socket Listen(const std::string& host, int port, int* bound_port,
              const std::string& port_flag = "the port's flag");
// Throws an Error (kRetry) where there is no connection in time.
Socket Connect(const std::string& host, int port, SteadyTime until);

}  // namespace t2t

#endif  // T2T_SERVE_SOCKET_H_
