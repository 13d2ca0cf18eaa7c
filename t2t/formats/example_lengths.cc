#include "t2t/formats/example_lengths.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <limits>
#include <string>

#include "t2t/base/error.h"

namespace t2t {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using Kind = FeatureLength::Kind;

// The tags of proto/example.proto: a field's number, and how it is written.
constexpr uint32_t Tag(int number, WireFormatLite::WireType type) {
  return static_cast<uint32_t>(number) << 3 | static_cast<uint32_t>(type);
}
constexpr auto kLengthDelimited = WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
// Example.features, Features.feature, the key of its entries, and the values of
// a list where they are packed or strings.
constexpr uint32_t kField1 = Tag(1, kLengthDelimited);
constexpr uint32_t kEntryValue = Tag(2, kLengthDelimited);
constexpr uint32_t kBytesList = Tag(1, kLengthDelimited);
constexpr uint32_t kFloatList = Tag(2, kLengthDelimited);
constexpr uint32_t kInt64List = Tag(3, kLengthDelimited);
constexpr uint32_t kOneInt64 = Tag(1, WireFormatLite::WIRETYPE_VARINT);
constexpr uint32_t kOneFloat = Tag(1, WireFormatLite::WIRETYPE_FIXED32);

// The bytes of a length-delimited field, which are passed over.
bool ReadBytes(CodedInputStream* in, std::string_view* bytes) {
  uint32_t size = 0;
  if (!in->ReadVarint32(&size) ||
      size > static_cast<uint32_t>(in->BytesUntilLimit())) {
    return false;
  }
  *bytes = {};
  if (size == 0) return true;
  const void* data = nullptr;
  int available = 0;
  if (!in->GetDirectBufferPointer(&data, &available)) return false;
  *bytes = {static_cast<const char*>(data), size};
  return in->Skip(static_cast<int>(size));
}

// Calls field(tag, in) for each field of the message that `bytes` are; it reads
// the field, or returns false.
template <typename Field>
bool ReadFields(std::string_view bytes, const Field& field) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  in.PushLimit(static_cast<int>(bytes.size()));
  while (const uint32_t tag = in.ReadTag()) {
    if (!field(tag, &in)) return false;
  }
  return in.BytesUntilLimit() == 0;
}

bool CountValues(std::string_view list, Kind kind, int64_t* count) {
  return ReadFields(list, [&](uint32_t tag, CodedInputStream* in) {
    if ((kind == Kind::kIntegers && tag == kOneInt64) ||
        (kind == Kind::kFloats && tag == kOneFloat)) {
      ++*count;
      return WireFormatLite::SkipField(in, tag);
    }
    if (tag != kField1) return WireFormatLite::SkipField(in, tag);
    std::string_view values;
    if (!ReadBytes(in, &values)) return false;
    switch (kind) {
      case Kind::kStrings:
        ++*count;
        return true;
      case Kind::kFloats:
        *count += static_cast<int64_t>(values.size() / sizeof(float));
        return values.size() % sizeof(float) == 0;
      case Kind::kIntegers:
        // Only the last byte of a varint is below 128.
        *count += std::ranges::count_if(
            values, [](char byte) { return static_cast<int8_t>(byte) >= 0; });
        return true;
    }
    return false;
  });
}

// *given: whether it has a list. One of another kind takes its place; one of
// the same goes on with it.
bool ReadFeature(std::string_view bytes, FeatureLength* feature, bool* given) {
  return ReadFields(bytes, [&](uint32_t tag, CodedInputStream* in) {
    if (tag != kBytesList && tag != kFloatList && tag != kInt64List) {
      return WireFormatLite::SkipField(in, tag);
    }
    const Kind kind = tag == kBytesList   ? Kind::kStrings
                      : tag == kFloatList ? Kind::kFloats
                                          : Kind::kIntegers;
    if (!*given || feature->kind != kind) feature->count = 0;
    feature->kind = kind;
    *given = true;
    std::string_view list;
    return ReadBytes(in, &list) && CountValues(list, kind, &feature->count);
  });
}

}  // namespace

void ExampleLengths::Read(std::string_view record) {
  features_.clear();
  const auto read_entry = [this](std::string_view entry) {
    FeatureLength feature;
    bool given = false;
    const bool whole =
        ReadFields(entry, [&](uint32_t tag, CodedInputStream* in) {
          if (tag == kField1) return ReadBytes(in, &feature.name);
          if (tag != kEntryValue) return WireFormatLite::SkipField(in, tag);
          std::string_view value;
          return ReadBytes(in, &value) && ReadFeature(value, &feature, &given);
        });
    // Of two of a name the last counts.
    if (given) {
      Set(feature.name, feature.kind, feature.count);
    } else {
      Erase(feature.name);
    }
    return whole;
  };
  const auto read_features = [&](uint32_t tag, CodedInputStream* in) {
    if (tag != kField1) return WireFormatLite::SkipField(in, tag);
    std::string_view entry;
    return ReadBytes(in, &entry) && read_entry(entry);
  };
  const auto read_example = [&](uint32_t tag, CodedInputStream* in) {
    if (tag != kField1) return WireFormatLite::SkipField(in, tag);
    std::string_view features;
    return ReadBytes(in, &features) && ReadFields(features, read_features);
  };
  if (record.size() > std::numeric_limits<int>::max() ||
      !ReadFields(record, read_example)) {
    throw DataError("not a tf.train.Example: " + std::to_string(record.size()) +
                    " bytes that are cut or damaged");
  }
}

FeatureLength* ExampleLengths::Find(std::string_view name) {
  const auto found = std::ranges::find(features_, name, &FeatureLength::name);
  return found == features_.end() ? nullptr : &*found;
}

void ExampleLengths::Set(std::string_view name, FeatureLength::Kind kind,
                         int64_t count) {
  FeatureLength* const found = Find(name);
  if (found != nullptr) {
    *found = {name, kind, count};
  } else {
    features_.push_back({name, kind, count});
  }
}

void ExampleLengths::Erase(std::string_view name) {
  std::erase_if(features_, [name](const FeatureLength& feature) {
    return feature.name == name;
  });
}

}  // namespace t2t
