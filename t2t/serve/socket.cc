#include "t2t/serve/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "t2t/base/error.h"

namespace t2t {
namespace {

int MillisecondsTo(SteadyTime until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1000000));
}

using AddressList = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

AddressList Lookup(const std::string& host, int port, bool passive) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const int code =
      ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) {
    throw UsageError(
        "the host '" + host + "' can't be found: " + ::gai_strerror(code),
        "a name or an address of a machine");
  }
  return {found, ::freeaddrinfo};
}

std::string Name(const std::string& host, int port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
         std::to_string(port);
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void Socket::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Socket::Result Socket::Read(std::string* data, SteadyTime until, int wake_fd) {
  char buffer[16384];
  while (true) {
    const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (count > 0) {
      data->append(buffer, static_cast<size_t>(count));
      return Result::kOk;
    }
    if (count == 0) return Result::kClosed;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Result::kClosed;
    pollfd waits[2] = {{fd_, POLLIN, 0}, {wake_fd, POLLIN, 0}};
    const int ready =
        ::poll(waits, wake_fd >= 0 ? 2 : 1, MillisecondsTo(until));
    if (ready == 0) return Result::kTimeout;
    if (ready > 0 && waits[0].revents == 0) return Result::kWoken;
  }
}

Socket::Result Socket::Write(std::string_view data, SteadyTime until) {
  while (!data.empty()) {
    const ssize_t count =
        ::send(fd_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      data.remove_prefix(static_cast<size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Result::kClosed;
    pollfd wait = {fd_, POLLOUT, 0};
    if (::poll(&wait, 1, MillisecondsTo(until)) == 0) return Result::kTimeout;
  }
  return Result::kOk;
}

Socket Listen(const std::string& host, int port, int* bound_port) {
  const AddressList list = Lookup(host, port, /*passive=*/true);
  Socket socket(
      ::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (!socket.open() ||
      ::bind(socket.fd(), list->ai_addr, list->ai_addrlen) != 0 ||
      ::listen(socket.fd(), 1024) != 0) {
    const int saved = errno;
    throw Error(
        ExitCode::kIo,
        "can't listen on " + Name(host, port) + ": " + std::strerror(saved), "",
        saved == EADDRINUSE ? "choose another port" : "");
  }
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size);
  const in_port_t bound =
      address.ss_family == AF_INET6
          ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
          : reinterpret_cast<const sockaddr_in*>(&address)->sin_port;
  *bound_port = ntohs(bound);
  return socket;
}

Socket Connect(const std::string& host, int port, SteadyTime until) {
  const AddressList list = Lookup(host, port, /*passive=*/false);
  int error = ETIMEDOUT;
  for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
    Socket socket(
        ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open()) continue;
    error = 0;
    if (::connect(socket.fd(), at->ai_addr, at->ai_addrlen) != 0) {
      error = errno;
      pollfd wait = {socket.fd(), POLLOUT, 0};
      if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        socklen_t size = sizeof(error);
        if (::poll(&wait, 1, MillisecondsTo(until)) == 1) {
          ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
        }
      }
    }
    if (error == 0) {
      const int on = 1;
      ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return socket;
    }
  }
  throw Error(
      ExitCode::kRetry,
      "no connection to " + Name(host, port) + ": " + std::strerror(error),
      "a server that listens there", "is it running?");
}

}  // namespace t2t
