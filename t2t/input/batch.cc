#include "t2t/input/batch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

const char* Name(DType type) {
  switch (type) {
    case DType::kU8:
      return "u8";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
    case DType::kF32:
      return "f32";
  }
  return "?";
}

size_t Product(const std::vector<int64_t>& shape) {
  size_t product = 1;
  for (const int64_t size : shape) product *= static_cast<size_t>(size);
  return product;
}

}  // namespace

size_t ByteSize(DType type) {
  switch (type) {
    case DType::kU8:
      return 1;
    case DType::kI32:
    case DType::kF32:
      return 4;
    case DType::kI64:
      return 8;
  }
  return 8;
}

HostTensor::HostTensor(DType type, std::vector<int64_t> shape)
    : type_(type), shape_(std::move(shape)), size_(Product(shape_)) {
  if (size_ == 0) return;
  buffer_.reset(
      static_cast<std::byte*>(::operator new(size_bytes(), kAlignment)));
  std::memset(buffer_.get(), 0, size_bytes());
}

HostTensor::HostTensor(const HostTensor& other)
    : HostTensor(other.type_, other.shape_) {
  CopyIn(other.buffer_.get(), other.size_bytes());
}

HostTensor& HostTensor::operator=(HostTensor other) noexcept {
  type_ = other.type_;
  shape_ = std::move(other.shape_);
  size_ = other.size_;
  buffer_ = std::move(other.buffer_);
  return *this;
}

bool HostTensor::operator==(const HostTensor& other) const {
  return type_ == other.type_ && shape_ == other.shape_ &&
         std::ranges::equal(bytes(), other.bytes());
}

std::vector<int64_t> HostTensor::Ints() const {
  const auto widened = [](const auto& values) {
    return std::vector<int64_t>(values.begin(), values.end());
  };
  switch (type_) {
    case DType::kU8:
      return widened(values<uint8_t>());
    case DType::kI32:
      return widened(values<int32_t>());
    case DType::kI64:
    case DType::kF32:
      break;
  }
  return widened(values<int64_t>());
}

void HostTensor::CheckType(DType type) const {
  if (type == type_) return;
  throw Error(ExitCode::kInternal, std::string("values of ") + Name(type_) +
                                       " are read as " + Name(type));
}

void HostTensor::CopyIn(const void* values, size_t size_bytes) {
  if (size_bytes != this->size_bytes()) {
    throw Error(ExitCode::kInternal, std::to_string(size_bytes) + " bytes of " +
                                         Name(type_) + " for a shape of " +
                                         std::to_string(size_) + " values");
  }
  if (size_bytes > 0) std::memcpy(buffer_.get(), values, size_bytes);
}

}  // namespace t2t
