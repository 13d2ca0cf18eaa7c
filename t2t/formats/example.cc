#include "t2t/formats/example.h"

#include <bit>
#include <cstring>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// tf.train.Example on the wire:
//   Example   { Features features = 1; }
//   Features  { map<string, Feature> feature = 1; }  an entry: key 1, value 2
//   Feature   { oneof: BytesList = 1, FloatList = 2, Int64List = 3 }
//   each list { repeated value = 1; }  numbers packed
static_assert(std::endian::native == std::endian::little,
              "floats are little-endian on the wire");

enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

constexpr int kMaxGroupDepth = 64;

Error Damaged(const std::string& how) {
  return DataError("not a tf.train.Example: " + how);
}

// Reads fields out of one message.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  bool done() const { return left_.empty(); }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) throw Damaged("a number is cut");
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    throw Damaged("a number has more than 64 bits");
  }

  std::string_view Bytes(uint64_t size) {
    if (size > left_.size())
      throw Damaged("a field is longer than what is left");
    const std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return bytes;
  }

  std::string_view LengthDelimited() { return Bytes(Varint()); }

  void Tag(uint32_t* field, uint32_t* type) {
    const uint64_t tag = Varint();
    *field = static_cast<uint32_t>(tag >> 3);
    *type = tag & 7;
    if (tag > UINT32_MAX || *field == 0) {
      throw Damaged("a field number is out of range");
    }
  }

  void SkipField(uint32_t field, uint32_t type, int depth = 0) {
    switch (type) {
      case kVarint:
        Varint();
        return;
      case kFixed64:
        Bytes(8);
        return;
      case kLengthDelimited:
        LengthDelimited();
        return;
      case kFixed32:
        Bytes(4);
        return;
      case kStartGroup:
        if (depth == kMaxGroupDepth)
          throw Damaged("groups are nested too deep");
        while (true) {
          uint32_t inner_field;
          uint32_t inner_type;
          Tag(&inner_field, &inner_type);
          if (inner_type == kEndGroup) {
            if (inner_field != field) throw Damaged("a group ends wrongly");
            return;
          }
          SkipField(inner_field, inner_type, depth + 1);
        }
      default:
        throw Damaged("a field has no known wire type");
    }
  }

 private:
  std::string_view left_;
};

void Expect(bool holds, const char* what) {
  if (!holds) throw Damaged(std::string(what) + " has the wrong wire type");
}

// Calls use(reader, field, type) for each field; use returns false for a field
// it does not know, which is then skipped.
template <typename Use>
void ForEachField(std::string_view message, const Use& use) {
  Reader reader(message);
  while (!reader.done()) {
    uint32_t field;
    uint32_t type;
    reader.Tag(&field, &type);
    if (!use(&reader, field, type)) reader.SkipField(field, type);
  }
}

// The list of that type in the feature, made empty where it has another.
template <typename List>
List* ListOf(Feature* feature) {
  if (!std::holds_alternative<List>(*feature)) *feature = List();
  return &std::get<List>(*feature);
}

void ParseInts(std::string_view message, std::vector<int64_t>* values) {
  ForEachField(message, [&](Reader* reader, uint32_t field, uint32_t type) {
    if (field != 1) return false;
    if (type == kVarint) {
      values->push_back(static_cast<int64_t>(reader->Varint()));
      return true;
    }
    Expect(type == kLengthDelimited, "an integer list");
    Reader packed(reader->LengthDelimited());
    while (!packed.done()) {
      values->push_back(static_cast<int64_t>(packed.Varint()));
    }
    return true;
  });
}

void ParseFloats(std::string_view message, std::vector<float>* values) {
  ForEachField(message, [&](Reader* reader, uint32_t field, uint32_t type) {
    if (field != 1) return false;
    std::string_view bytes;
    if (type == kFixed32) {
      bytes = reader->Bytes(4);
    } else {
      Expect(type == kLengthDelimited, "a float list");
      bytes = reader->LengthDelimited();
      if (bytes.size() % 4 != 0) throw Damaged("a float list is cut");
    }
    if (bytes.empty()) return true;
    const size_t old_size = values->size();
    values->resize(old_size + bytes.size() / 4);
    std::memcpy(values->data() + old_size, bytes.data(), bytes.size());
    return true;
  });
}

void ParseStrings(std::string_view message, std::vector<std::string>* values) {
  ForEachField(message, [&](Reader* reader, uint32_t field, uint32_t type) {
    if (field != 1) return false;
    Expect(type == kLengthDelimited, "a bytes list");
    values->emplace_back(reader->LengthDelimited());
    return true;
  });
}

// Returns whether there was a list at all.
bool ParseFeature(std::string_view message, Feature* feature) {
  bool any = false;
  ForEachField(message, [&](Reader* reader, uint32_t field, uint32_t type) {
    if (field < 1 || field > 3) return false;
    Expect(type == kLengthDelimited, "a feature");
    const std::string_view list = reader->LengthDelimited();
    if (field == 1)
      ParseStrings(list, ListOf<std::vector<std::string>>(feature));
    if (field == 2) ParseFloats(list, ListOf<std::vector<float>>(feature));
    if (field == 3) ParseInts(list, ListOf<std::vector<int64_t>>(feature));
    any = true;
    return true;
  });
  return any;
}

void ParseEntry(std::string_view message, Example* example) {
  std::string_view key;
  Feature feature;
  bool any = false;
  ForEachField(message, [&](Reader* reader, uint32_t field, uint32_t type) {
    if (field != 1 && field != 2) return false;
    Expect(type == kLengthDelimited, "a feature's name or value");
    const std::string_view bytes = reader->LengthDelimited();
    if (field == 1) {
      key = bytes;
    } else {
      any |= ParseFeature(bytes, &feature);
    }
    return true;
  });
  // A name without a list is, as for TensorFlow, a feature that is absent.
  if (any) {
    example->features[std::string(key)] = std::move(feature);
  } else {
    example->features.erase(std::string(key));
  }
}

size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

void AppendVarint(uint64_t value, std::string* bytes) {
  for (; value >= 0x80; value >>= 7) {
    bytes->push_back(static_cast<char>(value | 0x80));
  }
  bytes->push_back(static_cast<char>(value));
}

void AppendTag(uint32_t field, uint64_t size, std::string* bytes) {
  AppendVarint((field << 3) | kLengthDelimited, bytes);
  AppendVarint(size, bytes);
}

std::string SerializeFeature(const Feature& feature) {
  std::string list;
  uint32_t field = 0;
  if (const auto* strings = std::get_if<std::vector<std::string>>(&feature)) {
    field = 1;
    for (const std::string& value : *strings) {
      AppendTag(1, value.size(), &list);
      list += value;
    }
  } else if (const auto* floats = std::get_if<std::vector<float>>(&feature)) {
    field = 2;
    if (!floats->empty()) {
      AppendTag(1, floats->size() * 4, &list);
      list.append(reinterpret_cast<const char*>(floats->data()),
                  floats->size() * 4);
    }
  } else {
    field = 3;
    const auto& ints = std::get<std::vector<int64_t>>(feature);
    if (!ints.empty()) {
      size_t size = 0;
      for (const int64_t value : ints) size += VarintSize(value);
      list.reserve(size + 11);
      AppendTag(1, size, &list);
      for (const int64_t value : ints) AppendVarint(value, &list);
    }
  }
  std::string bytes;
  AppendTag(field, list.size(), &bytes);
  return bytes + list;
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

std::string SerializeExample(const Example& example) {
  std::string features;
  for (const auto& [name, feature] : example.features) {
    const std::string value = SerializeFeature(feature);
    std::string entry;
    AppendTag(1, name.size(), &entry);
    entry += name;
    AppendTag(2, value.size(), &entry);
    entry += value;
    AppendTag(1, entry.size(), &features);
    features += entry;
  }
  std::string bytes;
  AppendTag(1, features.size(), &bytes);
  return bytes + features;
}

Example ParseExample(std::string_view bytes) {
  Example example;
  ForEachField(bytes, [&](Reader* reader, uint32_t field, uint32_t type) {
    if (field != 1) return false;
    Expect(type == kLengthDelimited, "the features");
    const std::string_view features = reader->LengthDelimited();
    ForEachField(features, [&](Reader* inner, uint32_t number, uint32_t kind) {
      if (number != 1) return false;
      Expect(kind == kLengthDelimited, "a feature");
      ParseEntry(inner->LengthDelimited(), &example);
      return true;
    });
    return true;
  });
  return example;
}

}  // namespace t2t
