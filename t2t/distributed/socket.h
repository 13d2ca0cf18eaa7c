#ifndef T2T_DISTRIBUTED_SOCKET_H_
#define T2T_DISTRIBUTED_SOCKET_H_

#include <cstdint>
#include <string>

namespace t2t {

// TCP sockets by numbers or names of hosts. Each returns -1, with errno, where
// it can't.

// Listens on an address of this machine; *port 0 is replaced by a free one.
int ListenTcp(const std::string& address, int64_t* port);
int ConnectTcp(const std::string& address, int64_t port);

// This machine's address as a host that reaches `address` sees it ("" where
// the host is not known).
std::string LocalAddressTowards(const std::string& address);

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_SOCKET_H_
