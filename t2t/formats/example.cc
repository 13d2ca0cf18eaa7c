#include "t2t/formats/example.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>

#include "proto/example.pb.h"
#include "t2t/base/error.h"

namespace t2t {
namespace {

using google::protobuf::Arena;

// A message is made of many small ones; an arena takes and frees them at once.
template <typename Message>
Message* NewMessage(Arena* arena) {
  return Arena::CreateMessage<Message>(arena);
}

void ToProto(const Feature& feature, tensorflow::Feature* proto) {
  if (const auto* strings = std::get_if<std::vector<std::string>>(&feature)) {
    auto* values = proto->mutable_bytes_list()->mutable_value();
    values->Add(strings->begin(), strings->end());
  } else if (const auto* floats = std::get_if<std::vector<float>>(&feature)) {
    auto* values = proto->mutable_float_list()->mutable_value();
    values->Add(floats->begin(), floats->end());
  } else if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&feature)) {
    auto* values = proto->mutable_int64_list()->mutable_value();
    values->Add(bytes->begin(), bytes->end());
  } else {
    const auto& ints = std::get<std::vector<int64_t>>(feature);
    auto* values = proto->mutable_int64_list()->mutable_value();
    values->Add(ints.begin(), ints.end());
  }
}

// Of a feature that has a list.
Feature FromProto(const tensorflow::Feature& proto) {
  if (proto.has_bytes_list()) {
    const auto& values = proto.bytes_list().value();
    return std::vector<std::string>(values.begin(), values.end());
  }
  if (proto.has_float_list()) {
    const auto& values = proto.float_list().value();
    return std::vector<float>(values.begin(), values.end());
  }
  const auto& values = proto.int64_list().value();
  return std::vector<int64_t>(values.begin(), values.end());
}

template <typename List>
const List& Get(const Example& example, const std::string& name,
                const char* type) {
  const auto found = example.features.find(name);
  if (found == example.features.end()) {
    std::string has;
    for (const auto& [other, feature] : example.features) {
      has += (has.empty() ? "" : ", ") + other;
    }
    throw DataError("an example has no feature '" + name + "'",
                    "it has: " + has);
  }
  const List* list = std::get_if<List>(&found->second);
  if (list == nullptr) {
    throw DataError("an example's feature '" + name + "' is of another type",
                    type);
  }
  return *list;
}

}  // namespace

const std::vector<int64_t>& Example::Ints(const std::string& name) const {
  return Get<std::vector<int64_t>>(*this, name, "integers");
}

const std::vector<float>& Example::Floats(const std::string& name) const {
  return Get<std::vector<float>>(*this, name, "floats");
}

const std::vector<std::string>& Example::Strings(
    const std::string& name) const {
  return Get<std::vector<std::string>>(*this, name, "strings");
}

const std::vector<uint8_t>& Example::Bytes(const std::string& name) const {
  return Get<std::vector<uint8_t>>(*this, name, "bytes");
}

std::vector<int64_t> IntegersOf(const Feature& feature) {
  if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&feature)) {
    return {bytes->begin(), bytes->end()};
  }
  const auto* ints = std::get_if<std::vector<int64_t>>(&feature);
  return ints == nullptr ? std::vector<int64_t>() : *ints;
}

std::string SerializeExample(const Example& example) {
  Arena arena;
  auto* const proto = NewMessage<tensorflow::Example>(&arena);
  auto* const features = proto->mutable_features()->mutable_feature();
  for (const auto& [name, feature] : example.features) {
    ToProto(feature, &(*features)[name]);
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    proto->SerializeToCodedStream(&coded);
  }
  return bytes;
}

Example ParseExample(std::string_view bytes) {
  Arena arena;
  auto* const proto = NewMessage<tensorflow::Example>(&arena);
  if (bytes.size() > std::numeric_limits<int>::max() ||
      !proto->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw DataError("not a tf.train.Example: " + std::to_string(bytes.size()) +
                    " bytes that are cut or damaged");
  }
  Example example;
  for (const auto& [name, feature] : proto->features().feature()) {
    // A name without a list is, as for TensorFlow, a feature that is absent.
    if (feature.kind_case() == tensorflow::Feature::KIND_NOT_SET) continue;
    example.features.emplace(name, FromProto(feature));
  }
  return example;
}

}  // namespace t2t
