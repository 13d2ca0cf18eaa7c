#ifndef T2T_BASE_CRC32C_H_
#define T2T_BASE_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace t2t {

// CRC-32C (Castagnoli), continued from `crc` (0 at first).
uint32_t Crc32c(std::string_view data, uint32_t crc = 0);

// The masking of TFRecord and TensorFlow's checkpoints.
inline uint32_t MaskCrc(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}
inline uint32_t UnmaskCrc(uint32_t masked) {
  const uint32_t rotated = masked - 0xA282EAD8U;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace t2t

#endif  // T2T_BASE_CRC32C_H_
