#include "t2t/base/sha1.h"

#include <openssl/evp.h>

#include <array>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

std::string Sha1(std::string_view text) {
  std::array<unsigned char, 20> sum;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), sum.data(), &size, EVP_sha1(),
                 nullptr) != 1) {
    throw Error(ExitCode::kInternal, "OpenSSL can't make a SHA-1");
  }
  std::string digits;
  for (const unsigned char byte : sum) digits += Format("%02x", byte);
  return digits;
}

}  // namespace t2t
