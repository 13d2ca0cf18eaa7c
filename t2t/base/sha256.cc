#include "t2t/base/sha256.h"

#include <openssl/evp.h>

#include <memory>
#include <new>
#include <utility>

namespace t2t {

std::string Sha256(const std::function<std::string_view()>& next) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(
      EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (context == nullptr ||
      EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  for (std::string_view piece; !(piece = next()).empty();) {
    EVP_DigestUpdate(context.get(), piece.data(), piece.size());
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest, &size);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string Sha256(std::string_view bytes) {
  return Sha256([&] { return std::exchange(bytes, std::string_view()); });
}

}  // namespace t2t
