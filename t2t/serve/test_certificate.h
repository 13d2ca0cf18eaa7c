#ifndef T2T_SERVE_TEST_CERTIFICATE_H_
#define T2T_SERVE_TEST_CERTIFICATE_H_

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <string>
#include <utility>

#include "t2t/base/fs.h"
#include "t2t/serve/tls.h"

namespace t2t {

// Writes NAME.key and NAME.crt to the folder: a certificate for 127.0.0.1 and
// localhost that signed itself, so that it is its own CA too.
inline TlsFiles MakeTestCertificate(const std::string& folder,
                                    const std::string& name) {
  TlsFiles files;
  files.cert = JoinPath(folder, name + ".crt");
  files.key = JoinPath(folder, name + ".key");
  files.ca = files.cert;
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(
      subject, "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  for (const auto& [nid, value] :
       {std::pair<int, const char*>{NID_subject_alt_name,
                                    "DNS:localhost,IP:127.0.0.1"},
        {NID_basic_constraints, "critical,CA:TRUE"}}) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, key, EVP_sha256());
  std::FILE* file = std::fopen(files.key.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  file = std::fopen(files.cert.c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

}  // namespace t2t

#endif  // T2T_SERVE_TEST_CERTIFICATE_H_
