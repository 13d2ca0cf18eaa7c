#include "t2t/distributed/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

namespace t2t {
namespace {

// Tries a host's addresses in turn; the first result that is not -1.
int ForAddresses(const std::string& host, int64_t port, int type,
                 const std::function<int(const addrinfo&)>& body) {
  addrinfo hints = {};
  hints.ai_socktype = type;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints,
                    &found) != 0) {
    errno = EHOSTUNREACH;
    return -1;
  }
  int result = -1;
  for (const addrinfo* info = found; info != nullptr && result < 0;
       info = info->ai_next) {
    result = body(*info);
  }
  const int saved = errno;
  ::freeaddrinfo(found);
  errno = saved;
  return result;
}

int Closed(int fd) {
  const int saved = errno;
  if (fd >= 0) ::close(fd);
  errno = saved;
  return -1;
}

int OpenSocket(const addrinfo& info) {
  return ::socket(info.ai_family, info.ai_socktype | SOCK_CLOEXEC,
                  info.ai_protocol);
}

}  // namespace

int ListenTcp(const std::string& address, int64_t* port) {
  return ForAddresses(
      address, *port, SOCK_STREAM, [port](const addrinfo& info) {
        const int fd = OpenSocket(info);
        const int yes = 1;
        if (fd >= 0)
          ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        sockaddr_storage bound = {};
        socklen_t size = sizeof(bound);
        auto* const plain = reinterpret_cast<sockaddr*>(&bound);
        if (fd < 0 || ::bind(fd, info.ai_addr, info.ai_addrlen) != 0 ||
            ::listen(fd, 1024) != 0 || ::getsockname(fd, plain, &size) != 0) {
          return Closed(fd);
        }
        *port = ntohs(bound.ss_family == AF_INET6
                          ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                          : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
        return fd;
      });
}

int ConnectTcp(const std::string& address, int64_t port) {
  return ForAddresses(address, port, SOCK_STREAM, [](const addrinfo& info) {
    const int fd = OpenSocket(info);
    if (fd < 0 || ::connect(fd, info.ai_addr, info.ai_addrlen) != 0) {
      return Closed(fd);
    }
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    return fd;
  });
}

std::string LocalAddressTowards(const std::string& address) {
  std::string local;
  ForAddresses(address, 9, SOCK_DGRAM, [&local](const addrinfo& info) {
    // Nothing is sent: the kernel picks the address it would send from.
    const int fd = OpenSocket(info);
    sockaddr_storage bound = {};
    socklen_t size = sizeof(bound);
    auto* const plain = reinterpret_cast<sockaddr*>(&bound);
    char text[NI_MAXHOST];
    if (fd < 0 || ::connect(fd, info.ai_addr, info.ai_addrlen) != 0 ||
        ::getsockname(fd, plain, &size) != 0 ||
        ::getnameinfo(plain, size, text, sizeof(text), nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      return Closed(fd);
    }
    ::close(fd);
    local = text;
    return 0;
  });
  return local;
}

}  // namespace t2t
