#include "t2t/serve/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"

namespace t2t {
namespace {

[[noreturn]] void Refuse(const std::string& file, const std::string& expected) {
  const std::string why = TakeTlsError();
  throw DataError("the TLS file " + file + " can't be used: " + why, expected);
}

bool IsAddress(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// OpenSSL says of a missing file what it says of a broken one.
void CheckReadable(const std::string& file) {
  if (!file.empty()) ReadFile(file);
}

}  // namespace

std::string TakeTlsError() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return "the connection was closed";
  char text[256];
  ::ERR_error_string_n(code, text, sizeof(text));
  const char* reason = ::ERR_reason_error_string(code);
  return reason != nullptr ? reason : text;
}

TlsContext::TlsContext(const TlsFiles& files, bool is_server)
    : is_server_(is_server),
      context_(::SSL_CTX_new(is_server ? ::TLS_server_method()
                                       : ::TLS_client_method()),
               ::SSL_CTX_free) {
  ssl_ctx_st* const context = context_.get();
  if (context == nullptr) {
    throw Error(ExitCode::kIo, "OpenSSL can't start: " + TakeTlsError());
  }
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
  // A key with a pass phrase fails instead of asking for it.
  ::SSL_CTX_set_default_passwd_cb(context,
                                  [](char*, int, int, void*) { return 0; });
  for (const std::string& file : {files.cert, files.key, files.ca}) {
    CheckReadable(file);
  }
  if (files.cert.empty() != files.key.empty()) {
    throw UsageError("a TLS certificate goes with its key",
                     "both files, or none");
  }
  if (!files.cert.empty()) {
    if (::SSL_CTX_use_certificate_chain_file(context, files.cert.c_str()) !=
        1) {
      Refuse(files.cert, "certificates in PEM");
    }
    if (::SSL_CTX_use_PrivateKey_file(context, files.key.c_str(),
                                      SSL_FILETYPE_PEM) != 1 ||
        ::SSL_CTX_check_private_key(context) != 1) {
      Refuse(files.key,
             "the key of " + files.cert + " in PEM, without a pass phrase");
    }
  }
  if (!files.ca.empty()) {
    if (::SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) !=
        1) {
      Refuse(files.ca, "certificates in PEM");
    }
    if (is_server) {
      ::SSL_CTX_set_client_CA_list(context,
                                   ::SSL_load_client_CA_file(files.ca.c_str()));
    }
  } else if (!is_server) {
    ::SSL_CTX_set_default_verify_paths(context);
  }
  if (!is_server) {
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  } else if (!files.ca.empty()) {
    ::SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
}

std::shared_ptr<const TlsContext> TlsContext::ForServer(const TlsFiles& files) {
  if (files.cert.empty()) {
    throw UsageError("a TLS server has no certificate",
                     "a certificate and its key");
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(files, true));
}

std::shared_ptr<const TlsContext> TlsContext::ForClient(const TlsFiles& files) {
  return std::shared_ptr<const TlsContext>(new TlsContext(files, false));
}

std::unique_ptr<ssl_st, void (*)(ssl_st*)> TlsContext::NewSession(
    const std::string& host) const {
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> session(::SSL_new(context_.get()),
                                                     ::SSL_free);
  BIO* in = ::BIO_new(::BIO_s_mem());
  BIO* out = ::BIO_new(::BIO_s_mem());
  if (session == nullptr || in == nullptr || out == nullptr) {
    ::BIO_free(in);
    ::BIO_free(out);
    throw Error(ExitCode::kIo, "no memory for a TLS connection");
  }
  ::SSL_set_bio(session.get(), in, out);
  if (is_server_) {
    ::SSL_set_accept_state(session.get());
    return session;
  }
  ::SSL_set_connect_state(session.get());
  if (IsAddress(host)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(session.get()),
                                    host.c_str());
  } else {
    ::SSL_set_tlsext_host_name(session.get(), host.c_str());
    ::SSL_set1_host(session.get(), host.c_str());
  }
  return session;
}

}  // namespace t2t
