#include "t2t/input/input_item.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <variant>

#include "t2t/base/error.h"

namespace t2t {
namespace {

template <typename T>
void Append(T value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
T Load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <typename T>
void AppendAll(const std::vector<int64_t>& values, std::string* bytes) {
  const size_t start = bytes->size();
  bytes->resize(start + values.size() * sizeof(T));
  char* to = bytes->data() + start;
  for (const int64_t value : values) {
    const T narrow = static_cast<T>(value);
    std::memcpy(to, &narrow, sizeof(T));
    to += sizeof(T);
  }
}

template <typename T>
void CopyAs(const char* from, size_t count, int64_t* to) {
  for (size_t i = 0; i < count; ++i) to[i] = Load<T>(from + i * sizeof(T));
}

const std::vector<int64_t>* FixedShape(const InputOptions& options,
                                       std::string_view name) {
  const auto found = options.fixed_shapes.find(std::string(name));
  return found == options.fixed_shapes.end() ? nullptr : &found->second;
}

bool IsFixed(const std::vector<int64_t>* shape) {
  return shape != nullptr && (shape->empty() || shape->front() >= 0);
}

// Of one entry along the first dimension.
int64_t TrailingSize(const std::vector<int64_t>& shape) {
  int64_t size = 1;
  for (size_t i = 1; i < shape.size(); ++i) size *= shape[i];
  return std::max<int64_t>(1, size);
}

bool IsPacked(const ItemFeature& feature) {
  return !feature.is_float() &&
         (feature.name() == "inputs" || feature.name() == "targets");
}

std::vector<ItemFeature> Features(const InputItem& item) {
  std::vector<ItemFeature> features;
  ItemFeature feature;
  for (size_t at = 0; feature.Read(item.bytes, &at);) {
    features.push_back(feature);
  }
  return features;
}

std::string Names(const std::vector<ItemFeature>& features) {
  std::string names;
  for (const ItemFeature& feature : features) {
    if (!names.empty()) names += ", ";
    names += feature.name();
    names += feature.is_float() ? " (floats)" : " (ints)";
  }
  return names.empty() ? "none" : names;
}

std::string Where(const InputOptions& options, const InputItem& item) {
  return options.files[item.shard] + ", record at byte " +
         std::to_string(item.offset);
}

}  // namespace

size_t ItemFeature::Width(Kind kind) {
  switch (kind) {
    case Kind::kU8:
      return 1;
    case Kind::kU16:
      return 2;
    case Kind::kI32:
    case Kind::kFloat:
      return 4;
    case Kind::kI64:
      return 8;
  }
  return 8;
}

bool ItemFeature::Read(std::string_view bytes, size_t* offset) {
  if (*offset >= bytes.size()) return false;
  const char* at = bytes.data() + *offset;
  const size_t name_size = Load<uint16_t>(at);
  name_ = {at + 2, name_size};
  at += 2 + name_size;
  kind_ = Load<Kind>(at);
  count_ = Load<uint32_t>(at + 1);
  values_ = at + 5;
  *offset = values_ + count_ * Width(kind_) - bytes.data();
  return true;
}

void ItemFeature::CopyInts(int64_t* to) const {
  switch (kind_) {
    case Kind::kU8:
      CopyAs<uint8_t>(values_, count_, to);
      break;
    case Kind::kU16:
      CopyAs<uint16_t>(values_, count_, to);
      break;
    case Kind::kI32:
      CopyAs<int32_t>(values_, count_, to);
      break;
    case Kind::kI64:
      CopyAs<int64_t>(values_, count_, to);
      break;
    case Kind::kFloat:
      break;
  }
}

void ItemFeature::CopyFloats(float* to) const {
  if (count_ > 0) std::memcpy(to, values_, count_ * sizeof(float));
}

void AppendItem(const Example& example, std::string* bytes) {
  using Kind = ItemFeature::Kind;
  for (const auto& [name, feature] : example.features) {
    const auto* ints = std::get_if<std::vector<int64_t>>(&feature);
    const auto* floats = std::get_if<std::vector<float>>(&feature);
    if (ints == nullptr && floats == nullptr) continue;
    const size_t count = ints != nullptr ? ints->size() : floats->size();
    if (name.size() > std::numeric_limits<uint16_t>::max() ||
        count > std::numeric_limits<uint32_t>::max()) {
      throw DataError("a feature of " + std::to_string(count) +
                          " values with a name of " +
                          std::to_string(name.size()) + " bytes",
                      "at most 4294967295 values and 65535 bytes");
    }
    Kind kind = Kind::kFloat;
    if (ints != nullptr) {
      const auto [least, most] =
          std::minmax_element(ints->begin(), ints->end());
      kind = Kind::kI64;
      if (count == 0 || (*least >= 0 && *most <= 0xFF)) {
        kind = Kind::kU8;
      } else if (*least >= 0 && *most <= 0xFFFF) {
        kind = Kind::kU16;
      } else if (*least >= std::numeric_limits<int32_t>::min() &&
                 *most <= std::numeric_limits<int32_t>::max()) {
        kind = Kind::kI32;
      }
    }
    Append(static_cast<uint16_t>(name.size()), bytes);
    *bytes += name;
    Append(kind, bytes);
    Append(static_cast<uint32_t>(count), bytes);
    switch (kind) {
      case Kind::kU8:
        AppendAll<uint8_t>(*ints, bytes);
        break;
      case Kind::kU16:
        AppendAll<uint16_t>(*ints, bytes);
        break;
      case Kind::kI32:
        AppendAll<int32_t>(*ints, bytes);
        break;
      case Kind::kI64:
        AppendAll<int64_t>(*ints, bytes);
        break;
      case Kind::kFloat:
        bytes->append(reinterpret_cast<const char*>(floats->data()),
                      count * sizeof(float));
        break;
    }
  }
}

Example ItemExample(std::string_view bytes) {
  Example example;
  ItemFeature feature;
  for (size_t at = 0; feature.Read(bytes, &at);) {
    if (feature.is_float()) {
      std::vector<float> floats(feature.count());
      feature.CopyFloats(floats.data());
      example.features.emplace(feature.name(), std::move(floats));
    } else {
      std::vector<int64_t> ints(feature.count());
      feature.CopyInts(ints.data());
      example.features.emplace(feature.name(), std::move(ints));
    }
  }
  return example;
}

void MeasureItem(const InputOptions& options, InputItem* item) {
  item->length = 0;
  item->total = 0;
  ItemFeature feature;
  for (size_t at = 0; feature.Read(item->bytes, &at);) {
    const std::vector<int64_t>* shape = FixedShape(options, feature.name());
    if (IsFixed(shape)) continue;
    auto length = static_cast<int64_t>(feature.count());
    if (shape != nullptr) length /= TrailingSize(*shape);
    item->length = std::max(item->length, length);
    item->total += length;
  }
}

bool CountsExamples(const InputOptions& options) {
  if (options.use_fixed_batch_size) return true;
  for (const auto& [name, shape] : options.fixed_shapes) {
    if (shape.size() >= 2 && shape.front() >= 0) return true;
  }
  return false;
}

Batch AssembleBatch(const InputOptions& options, const InputItem* items,
                    size_t count) {
  const std::vector<ItemFeature> first = Features(items[0]);
  std::vector<std::vector<ItemFeature>> features(count);
  std::vector<size_t> longest(first.size(), 0);
  for (size_t i = 0; i < count; ++i) {
    features[i] = Features(items[i]);
    bool same = features[i].size() == first.size();
    for (size_t f = 0; same && f < first.size(); ++f) {
      same = features[i][f].name() == first[f].name() &&
             features[i][f].is_float() == first[f].is_float();
      longest[f] = std::max(longest[f], features[i][f].count());
    }
    if (!same) {
      throw DataError("two examples have different features: " + Names(first) +
                          " (" + Where(options, items[0]) + ") and " +
                          Names(features[i]) + " (" + Where(options, items[i]) +
                          ")",
                      "the same features in each example of a problem");
    }
  }
  Batch batch;
  for (size_t f = 0; f < first.size(); ++f) {
    const std::vector<int64_t>* shape = FixedShape(options, first[f].name());
    HostTensor& tensor = batch[std::string(first[f].name())];
    tensor.shape.push_back(static_cast<int64_t>(count));
    // Models can't do with an empty dimension, so one padding at least.
    size_t row = std::max<size_t>(1, longest[f]);
    if (shape == nullptr) {
      tensor.shape.push_back(static_cast<int64_t>(row));
    } else {
      const auto step = static_cast<size_t>(TrailingSize(*shape));
      if (IsFixed(shape)) {
        row = step * (shape->empty() ? 1 : shape->front());
      } else {
        row = std::max(row, step);
      }
      for (size_t i = 0; i < count; ++i) {
        const size_t size = features[i][f].count();
        if (IsFixed(shape) ? size != row : size % step != 0) {
          throw DataError("feature '" + std::string(first[f].name()) +
                              "' has " + std::to_string(size) + " values (" +
                              Where(options, items[i]) + ")",
                          IsFixed(shape)
                              ? std::to_string(row)
                              : "a multiple of " + std::to_string(step));
        }
      }
      tensor.shape.insert(tensor.shape.end(), shape->begin(), shape->end());
      if (!IsFixed(shape)) {
        tensor.shape[1] = static_cast<int64_t>(row / step);
      }
    }
    if (first[f].is_float()) {
      tensor.floats.resize(count * row);
      for (size_t i = 0; i < count; ++i) {
        features[i][f].CopyFloats(tensor.floats.data() + i * row);
      }
    } else {
      tensor.ints.resize(count * row);
      for (size_t i = 0; i < count; ++i) {
        features[i][f].CopyInts(tensor.ints.data() + i * row);
      }
    }
  }
  return batch;
}

std::vector<int64_t> PackedLengths(const InputItem& item) {
  std::vector<int64_t> lengths;
  ItemFeature feature;
  for (size_t at = 0; feature.Read(item.bytes, &at);) {
    if (IsPacked(feature)) {
      lengths.push_back(static_cast<int64_t>(feature.count()));
    }
  }
  return lengths;
}

Batch AssemblePackedBatch(const InputOptions& options, const InputItem* items,
                          const std::vector<size_t>& row_begins) {
  const size_t rows = row_begins.size() - 1;
  Batch batch;
  for (const ItemFeature& named : Features(items[row_begins[0]])) {
    if (!IsPacked(named)) continue;
    const std::string name(named.name());
    // Longer than max_length only where a single example is.
    auto length = static_cast<size_t>(options.max_length);
    std::vector<std::vector<ItemFeature>> parts(rows);
    for (size_t r = 0; r < rows; ++r) {
      size_t used = 0;
      for (size_t i = row_begins[r]; i < row_begins[r + 1]; ++i) {
        const size_t before = parts[r].size();
        for (const ItemFeature& feature : Features(items[i])) {
          if (feature.name() != name || !IsPacked(feature)) continue;
          parts[r].push_back(feature);
          used += feature.count();
        }
        if (parts[r].size() == before) {
          throw DataError("an example has no feature '" + name + "' (" +
                              Where(options, items[i]) + ")",
                          "the same features in each example of a problem");
        }
      }
      length = std::max(length, used);
    }
    HostTensor ids;
    ids.shape = {static_cast<int64_t>(rows), static_cast<int64_t>(length)};
    ids.ints.resize(rows * length);
    HostTensor segmentation = ids;
    HostTensor position = ids;
    for (size_t r = 0; r < rows; ++r) {
      size_t at = r * length;
      for (size_t s = 0; s < parts[r].size(); ++s) {
        parts[r][s].CopyInts(ids.ints.data() + at);
        for (size_t i = 0; i < parts[r][s].count(); ++i, ++at) {
          if (ids.ints[at] == 0) continue;  // padding, as in T2T
          segmentation.ints[at] = static_cast<int64_t>(s) + 1;
          position.ints[at] = static_cast<int64_t>(i);
        }
      }
    }
    batch[name] = std::move(ids);
    batch[name + "_segmentation"] = std::move(segmentation);
    batch[name + "_position"] = std::move(position);
  }
  return batch;
}

}  // namespace t2t
