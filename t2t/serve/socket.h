#ifndef T2T_SERVE_SOCKET_H_
#define T2T_SERVE_SOCKET_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace t2t {

using SteadyTime = std::chrono::steady_clock::time_point;

// A TCP connection whose every wait has an end.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { Close(); }
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&& other) noexcept;

  enum class Result { kOk, kClosed, kTimeout, kWoken };
  // Appends what has come to *data. Ends early, with kWoken, where wake_fd
  // (unless -1) is readable and no byte is there.
  Result Read(std::string* data, SteadyTime until, int wake_fd = -1);
  // All of it, or not kOk.
  Result Write(std::string_view data, SteadyTime until);

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close();
  // Gives the descriptor away.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Throws an Error where the address is wrong or taken; port 0 takes a free
// one.
Socket Listen(const std::string& host, int port, int* bound_port);
// Throws an Error (kRetry) where there is no connection in time.
Socket Connect(const std::string& host, int port, SteadyTime until);

}  // namespace t2t

#endif  // T2T_SERVE_SOCKET_H_
