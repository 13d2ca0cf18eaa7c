#include "t2t/serve/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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

// Until fd is readable.
Socket::Result WaitToRead(int fd, SteadyTime until, int wake_fd) {
  pollfd waits[2] = {{fd, POLLIN, 0}, {wake_fd, POLLIN, 0}};
  const int ready = ::poll(waits, wake_fd >= 0 ? 2 : 1, MillisecondsTo(until));
  if (ready == 0) return Socket::Result::kTimeout;
  if (ready > 0 && waits[0].revents == 0) return Socket::Result::kWoken;
  return Socket::Result::kOk;
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

std::string HintOnListening(int error, int port, const std::string& port_flag) {
  switch (error) {
    case EADDRINUSE:
      return "give " + port_flag +
             " another port (0: a free one), or end what listens there: ss "
             "-ltnp 'sport = :" +
             std::to_string(port) + "' shows it";
    case EACCES:
      return "give " + port_flag + " a port of 1024 or more";
    default:
      return "";
  }
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(tls_, other.tls_);
  return *this;
}

void Socket::Close() {
  if (fd_ >= 0) {
    if (tls_ != nullptr) EndWriting();
    ::close(fd_);
  }
  fd_ = -1;
  tls_.reset();
}

Socket::Result Socket::Read(std::string* data, SteadyTime until, int wake_fd) {
  if (tls_ == nullptr) return ReadRaw(data, until, wake_fd);
  char buffer[16384];
  while (true) {
    ::ERR_clear_error();
    const int count = ::SSL_read(tls_.get(), buffer, sizeof(buffer));
    if (count > 0) {
      data->append(buffer, static_cast<size_t>(count));
      return Result::kOk;
    }
    const Result result = WaitForTls(count, until, wake_fd);
    if (result != Result::kOk) return result;
  }
}

Socket::Result Socket::Write(std::string_view data, SteadyTime until) {
  if (tls_ == nullptr) return WriteRaw(data, until);
  // So that no more than this waits in memory for a slow peer.
  constexpr size_t kPiece = 1 << 16;
  while (!data.empty()) {
    ::ERR_clear_error();
    const int count =
        ::SSL_write(tls_.get(), data.data(),
                    static_cast<int>(std::min(data.size(), kPiece)));
    if (count > 0) {
      data.remove_prefix(static_cast<size_t>(count));
      const Result result = FlushTls(until);
      if (result != Result::kOk) return result;
      continue;
    }
    const Result result = WaitForTls(count, until, -1);
    if (result != Result::kOk) return result;
  }
  return Result::kOk;
}

Socket::Result Socket::StartTls(const TlsContext& context,
                                const std::string& host, SteadyTime until,
                                std::string* error) {
  tls_ = context.NewSession(host);
  while (true) {
    ::ERR_clear_error();
    const int code = ::SSL_do_handshake(tls_.get());
    if (code == 1) return FlushTls(until);
    const Result result = WaitForTls(code, until, -1);
    if (result == Result::kOk) continue;
    const long verified = ::SSL_get_verify_result(tls_.get());
    *error = TakeTlsError();
    if (verified != X509_V_OK) {
      *error += std::string(": ") + ::X509_verify_cert_error_string(verified);
    }
    FlushTls(until);  // the alert
    tls_.reset();     // no farewell after a failure
    return result;
  }
}

Socket::Result Socket::FlushTls(SteadyTime until) {
  BIO* const out = ::SSL_get_wbio(tls_.get());
  char* data = nullptr;
  const long size = ::BIO_get_mem_data(out, &data);
  if (size <= 0) return Result::kOk;
  const Result result = WriteRaw({data, static_cast<size_t>(size)}, until);
  (void)BIO_reset(out);
  return result;
}

Socket::Result Socket::WaitForTls(int code, SteadyTime until, int wake_fd) {
  if (::SSL_get_error(tls_.get(), code) != SSL_ERROR_WANT_READ) {
    return Result::kClosed;  // in order, or after what breaks the protocol
  }
  const Result flushed = FlushTls(until);
  if (flushed != Result::kOk) return flushed;
  std::string received;
  const Result result = ReadRaw(&received, until, wake_fd);
  if (result != Result::kOk) return result;
  ::BIO_write(::SSL_get_rbio(tls_.get()), received.data(),
              static_cast<int>(received.size()));
  return Result::kOk;
}

void Socket::EndWriting() {
  if (tls_ != nullptr && ::SSL_is_init_finished(tls_.get())) {
    ::ERR_clear_error();
    ::SSL_shutdown(tls_.get());
    ::ERR_clear_error();
    FlushTls(std::chrono::steady_clock::now());
  }
  ::shutdown(fd_, SHUT_WR);
}

bool Socket::IsClosedByPeer() const {
  pollfd wait = {fd_, POLLRDHUP, 0};
  return ::poll(&wait, 1, 0) == 1;
}

Socket::Result Socket::Peek(char* byte, SteadyTime until, int wake_fd) {
  while (true) {
    const ssize_t count = ::recv(fd_, byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count > 0) return Result::kOk;
    if (count == 0) return Result::kClosed;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Result::kClosed;
    const Result result = WaitToRead(fd_, until, wake_fd);
    if (result != Result::kOk) return result;
  }
}

Socket::Result Socket::ReadRaw(std::string* data, SteadyTime until,
                               int wake_fd) {
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
    const Result result = WaitToRead(fd_, until, wake_fd);
    if (result != Result::kOk) return result;
  }
}

Socket::Result Socket::WriteRaw(std::string_view data, SteadyTime until) {
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

Socket Listen(const std::string& host, int port, int* bound_port,
              const std::string& port_flag) {
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
        "can't listen on " + Name(host, port) + ": " + std::strerror(saved),
        "an address of this machine and a port that nobody listens on",
        HintOnListening(saved, port, port_flag));
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
