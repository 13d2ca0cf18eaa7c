#ifndef T2T_INPUT_BATCH_H_
#define T2T_INPUT_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace t2t {

// What the values of a HostTensor are. Which type of integer a feature has is a
// question of memory alone: models see int64.
enum class DType : uint8_t { kU8, kI32, kI64, kF32 };

size_t ByteSize(DType type);  // of a value

template <typename T>
constexpr DType DTypeOf() {
  static_assert(std::is_same_v<T, uint8_t> || std::is_same_v<T, int32_t> ||
                std::is_same_v<T, int64_t> || std::is_same_v<T, float>);
  if constexpr (std::is_same_v<T, uint8_t>) return DType::kU8;
  if constexpr (std::is_same_v<T, int32_t>) return DType::kI32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::kI64;
  return DType::kF32;
}

// A dense array on the host: a shape, a type, and the values in one buffer,
// row-major. A copy has a buffer of its own.
class HostTensor {
 public:
  // No values; for maps.
  HostTensor() : HostTensor(DType::kU8, {0}) {}
  // Zeros.
  HostTensor(DType type, std::vector<int64_t> shape);
  // Throws where the shape is of another number of values.
  template <typename T>
  HostTensor(std::vector<int64_t> shape, const std::vector<T>& values)
      : HostTensor(DTypeOf<T>(), std::move(shape)) {
    CopyIn(values.data(), values.size() * sizeof(T));
  }
  HostTensor(const HostTensor& other);
  HostTensor(HostTensor&&) = default;
  HostTensor& operator=(HostTensor other) noexcept;

  bool operator==(const HostTensor& other) const;

  DType type() const { return type_; }
  bool is_float() const { return type_ == DType::kF32; }
  const std::vector<int64_t>& shape() const { return shape_; }
  size_t size() const { return size_; }  // values
  size_t size_bytes() const { return size_ * ByteSize(type_); }

  // T must be the type's own.
  template <typename T>
  std::span<T> values() {
    CheckType(DTypeOf<T>());
    return {reinterpret_cast<T*>(buffer_.get()), size_};
  }
  template <typename T>
  std::span<const T> values() const {
    CheckType(DTypeOf<T>());
    return {reinterpret_cast<const T*>(buffer_.get()), size_};
  }
  std::span<std::byte> bytes() { return {buffer_.get(), size_bytes()}; }
  std::span<const std::byte> bytes() const {
    return {buffer_.get(), size_bytes()};
  }

  // A copy of the integers, whatever their type.
  std::vector<int64_t> Ints() const;

 private:
  // As LibTorch's own tensors are: products of matrices may differ in their
  // last bits by where the operands lie.
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(std::byte* bytes) const {
      ::operator delete(bytes, kAlignment);
    }
  };

  void CheckType(DType type) const;
  void CopyIn(const void* values, size_t size_bytes);

  DType type_;
  std::vector<int64_t> shape_;
  size_t size_;
  std::unique_ptr<std::byte[], Free> buffer_;
};

// By feature name. Symbols: [batch, length] integers padded with 0; class
// labels: [batch, 1]; images: [batch, height, width, channels] integers, a byte
// each; real: [batch, length, depth] floats. A packed batch also has, for
// "inputs" and "targets", "<name>_segmentation" (1, 2, ...; 0 is padding) and
// "<name>_position".
using Batch = std::map<std::string, HostTensor>;

}  // namespace t2t

#endif  // T2T_INPUT_BATCH_H_
