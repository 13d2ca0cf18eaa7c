#ifndef T2T_SERVE_TLS_H_
#define T2T_SERVE_TLS_H_

#include <memory>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace t2t {

// Files in PEM.
struct TlsFiles {
  std::string cert;  // the chain, the own certificate first
  std::string key;
  // Who may sign the other side's certificates. A server without one asks its
  // clients for none; a client without one trusts the system's.
  std::string ca;

  bool is_set() const { return !cert.empty() || !key.empty() || !ca.empty(); }
};

// What TLS connections of one side have in common.
class TlsContext {
 public:
  // Throw an Error where a file can't be read or the files do not fit
  // together.
  static std::shared_ptr<const TlsContext> ForServer(const TlsFiles& files);
  static std::shared_ptr<const TlsContext> ForClient(const TlsFiles& files);

  // A connection's state, which reads and writes memory. A client names the
  // host whose certificate it wants to see.
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> NewSession(
      const std::string& host) const;

 private:
  TlsContext(const TlsFiles& files, bool is_server);

  bool is_server_;
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
};

// The first of OpenSSL's errors of this thread, all of which are forgotten.
std::string TakeTlsError();

}  // namespace t2t

#endif  // T2T_SERVE_TLS_H_
