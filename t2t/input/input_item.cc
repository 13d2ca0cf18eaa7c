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

template <typename From, typename To>
void CopyAs(const char* from, size_t count, To* to) {
  if constexpr (std::is_same_v<From, To>) {
    if (count > 0) std::memcpy(to, from, count * sizeof(From));
  } else {
    for (size_t i = 0; i < count; ++i) {
      to[i] = static_cast<To>(Load<From>(from + i * sizeof(From)));
    }
  }
}

// Calls use(data) with the tensor's values as what they are.
template <typename Use>
void WithValues(HostTensor* tensor, const Use& use) {
  switch (tensor->type()) {
    case DType::kU8:
      return use(tensor->values<uint8_t>().data());
    case DType::kI32:
      return use(tensor->values<int32_t>().data());
    case DType::kI64:
      return use(tensor->values<int64_t>().data());
    case DType::kF32:
      return use(tensor->values<float>().data());
  }
}

// Of integers.
DType Wider(DType a, DType b) { return std::max(a, b); }

const std::vector<int64_t>* FixedShape(const InputOptions& options,
                                       std::string_view name) {
  if (options.fixed_shapes.empty()) return nullptr;
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

void ForgetLengths(InputItem* item) {
  item->length = item->total = 0;
  item->inputs = item->targets = -1;
}

void AddLength(const InputOptions& options, std::string_view name,
               bool is_float, int64_t count, InputItem* item) {
  if (!is_float && name == "inputs") item->inputs = static_cast<int32_t>(count);
  if (!is_float && name == "targets")
    item->targets = static_cast<int32_t>(count);
  const std::vector<int64_t>* const shape = FixedShape(options, name);
  if (IsFixed(shape)) return;
  const int64_t length =
      shape == nullptr ? count : count / TrailingSize(*shape);
  item->length = std::max(item->length, length);
  item->total += length;
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
    case Kind::kBytes:
    case Kind::kU8:
    case Kind::kText:
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

DType ItemFeature::type() const {
  switch (kind_) {
    case Kind::kBytes:
    case Kind::kU8:
    case Kind::kText:
      return DType::kU8;
    case Kind::kU16:
    case Kind::kI32:
      return DType::kI32;
    case Kind::kI64:
      return DType::kI64;
    case Kind::kFloat:
      break;
  }
  return DType::kF32;
}

template <typename T>
void ItemFeature::Copy(T* to) const {
  switch (kind_) {
    case Kind::kBytes:
    case Kind::kU8:
    case Kind::kText:
      return CopyAs<uint8_t>(values_, count_, to);
    case Kind::kU16:
      return CopyAs<uint16_t>(values_, count_, to);
    case Kind::kI32:
      return CopyAs<int32_t>(values_, count_, to);
    case Kind::kI64:
      return CopyAs<int64_t>(values_, count_, to);
    case Kind::kFloat:
      return CopyAs<float>(values_, count_, to);
  }
}

Feature ItemFeature::ToFeature() const {
  const auto copied = [this](auto values) -> Feature {
    values.resize(count_);
    Copy(values.data());
    return values;
  };
  if (is_text()) return std::vector<std::string>{{values_, count_}};
  if (kind_ == Kind::kBytes) return copied(std::vector<uint8_t>());
  if (kind_ == Kind::kFloat) return copied(std::vector<float>());
  return copied(std::vector<int64_t>());
}

ItemFeature::Kind ItemFeature::Narrowest(const std::vector<int64_t>& values) {
  if (values.empty()) return Kind::kU8;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least >= 0 && *most <= 0xFF) return Kind::kU8;
  if (*least >= 0 && *most <= 0xFFFF) return Kind::kU16;
  const bool fits = *least >= std::numeric_limits<int32_t>::min() &&
                    *most <= std::numeric_limits<int32_t>::max();
  return fits ? Kind::kI32 : Kind::kI64;
}

void AppendItem(const Example& example, std::string* bytes, bool keeps_texts) {
  using Kind = ItemFeature::Kind;
  for (const auto& [name, feature] : example.features) {
    if (const auto* texts = std::get_if<std::vector<std::string>>(&feature)) {
      if (!keeps_texts || texts->size() != 1) continue;
      Append(static_cast<uint16_t>(name.size()), bytes);
      *bytes += name;
      Append(Kind::kText, bytes);
      Append(static_cast<uint32_t>(texts->front().size()), bytes);
      *bytes += texts->front();
      continue;
    }
    const auto* ints = std::get_if<std::vector<int64_t>>(&feature);
    const auto* floats = std::get_if<std::vector<float>>(&feature);
    const size_t count =
        std::visit([](const auto& values) { return values.size(); }, feature);
    if (name.size() > std::numeric_limits<uint16_t>::max() ||
        count > std::numeric_limits<uint32_t>::max()) {
      throw DataError("a feature of " + std::to_string(count) +
                          " values with a name of " +
                          std::to_string(name.size()) + " bytes",
                      "at most 4294967295 values and 65535 bytes");
    }
    Kind kind = floats != nullptr ? Kind::kFloat : Kind::kBytes;
    if (ints != nullptr) kind = ItemFeature::Narrowest(*ints);
    Append(static_cast<uint16_t>(name.size()), bytes);
    *bytes += name;
    Append(kind, bytes);
    Append(static_cast<uint32_t>(count), bytes);
    switch (kind) {
      case Kind::kBytes: {
        const auto& pixels = std::get<std::vector<uint8_t>>(feature);
        bytes->append(pixels.begin(), pixels.end());
        break;
      }
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
      case Kind::kText:
        break;
    }
  }
}

Example ItemExample(std::string_view bytes) {
  Example example;
  ItemFeature feature;
  for (size_t at = 0; feature.Read(bytes, &at);) {
    example.features.emplace(feature.name(), feature.ToFeature());
  }
  return example;
}

void MeasureItem(const InputOptions& options, InputItem* item) {
  ForgetLengths(item);
  ItemFeature feature;
  for (size_t at = 0; feature.Read(item->bytes, &at);) {
    if (feature.is_text()) continue;
    AddLength(options, feature.name(), feature.is_float(),
              static_cast<int64_t>(feature.count()), item);
  }
}

void MeasureLengths(const InputOptions& options, const ExampleLengths& lengths,
                    InputItem* item) {
  ForgetLengths(item);
  for (const FeatureLength& feature : lengths.features()) {
    if (feature.kind == FeatureLength::Kind::kStrings) continue;
    AddLength(options, feature.name,
              feature.kind == FeatureLength::Kind::kFloats, feature.count,
              item);
  }
}

void MeasureExample(const InputOptions& options, const Example& example,
                    InputItem* item) {
  ForgetLengths(item);
  for (const auto& [name, feature] : example.features) {
    if (std::holds_alternative<std::vector<std::string>>(feature)) continue;
    AddLength(options, name,
              std::holds_alternative<std::vector<float>>(feature),
              static_cast<int64_t>(std::visit(
                  [](const auto& values) { return values.size(); }, feature)),
              item);
  }
}

bool CountsExamples(const InputOptions& options) {
  if (options.use_fixed_batch_size) return true;
  for (const auto& [name, shape] : options.fixed_shapes) {
    if (shape.size() >= 2 && shape.front() >= 0) return true;
  }
  return false;
}

namespace {

// How a feature lies in a batch: the values of a row, and the batch's shape.
struct RowLayout {
  size_t row = 0;
  std::vector<int64_t> shape;
};

// Throws where an example's values do not fill the feature's fixed shape.
RowLayout LayOut(const InputOptions& options, const InputItem* items,
                 const std::vector<std::vector<ItemFeature>>& features,
                 size_t f, size_t longest) {
  const std::string name(features[0][f].name());
  const std::vector<int64_t>* shape = FixedShape(options, name);
  RowLayout layout;
  layout.shape = {static_cast<int64_t>(features.size())};
  // Models can't do with an empty dimension, so one padding at least.
  layout.row = std::max<size_t>(1, longest);
  if (shape == nullptr) {
    layout.shape.push_back(static_cast<int64_t>(layout.row));
    return layout;
  }
  const auto step = static_cast<size_t>(TrailingSize(*shape));
  if (IsFixed(shape)) {
    layout.row = step * (shape->empty() ? 1 : shape->front());
  } else {
    layout.row = std::max(layout.row, step);
  }
  for (size_t i = 0; i < features.size(); ++i) {
    const size_t size = features[i][f].count();
    if (IsFixed(shape) ? size != layout.row : size % step != 0) {
      throw DataError("feature '" + name + "' has " + std::to_string(size) +
                          " values (" + Where(options, items[i]) + ")",
                      IsFixed(shape) ? std::to_string(layout.row)
                                     : "a multiple of " + std::to_string(step));
    }
  }
  layout.shape.insert(layout.shape.end(), shape->begin(), shape->end());
  if (!IsFixed(shape)) {
    layout.shape[1] = static_cast<int64_t>(layout.row / step);
  }
  return layout;
}

}  // namespace

Batch AssembleBatch(const InputOptions& options, const InputItem* items,
                    size_t count) {
  const std::vector<ItemFeature> first = Features(items[0]);
  std::vector<std::vector<ItemFeature>> features(count);
  std::vector<size_t> longest(first.size(), 0);
  std::vector<DType> types(first.size(), DType::kU8);
  for (size_t i = 0; i < count; ++i) {
    features[i] = Features(items[i]);
    bool same = features[i].size() == first.size();
    for (size_t f = 0; same && f < first.size(); ++f) {
      same = features[i][f].name() == first[f].name() &&
             features[i][f].is_float() == first[f].is_float();
      longest[f] = std::max(longest[f], features[i][f].count());
      types[f] = Wider(types[f], features[i][f].type());
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
    RowLayout layout = LayOut(options, items, features, f, longest[f]);
    HostTensor tensor(types[f], std::move(layout.shape));
    WithValues(&tensor, [&](auto* values) {
      for (size_t i = 0; i < count; ++i) {
        features[i][f].Copy(values + i * layout.row);
      }
    });
    batch.emplace(first[f].name(), std::move(tensor));
  }
  return batch;
}

std::vector<int64_t> PackedLengths(const InputItem& item) {
  std::vector<int64_t> lengths;
  if (item.inputs >= 0) lengths.push_back(item.inputs);
  if (item.targets >= 0) lengths.push_back(item.targets);
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
    DType type = DType::kU8;
    std::vector<std::vector<ItemFeature>> parts(rows);
    for (size_t r = 0; r < rows; ++r) {
      size_t used = 0;
      for (size_t i = row_begins[r]; i < row_begins[r + 1]; ++i) {
        const size_t before = parts[r].size();
        for (const ItemFeature& feature : Features(items[i])) {
          if (feature.name() != name || !IsPacked(feature)) continue;
          parts[r].push_back(feature);
          type = Wider(type, feature.type());
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
    const std::vector<int64_t> shape = {static_cast<int64_t>(rows),
                                        static_cast<int64_t>(length)};
    HostTensor ids(type, shape);
    HostTensor segmentation(DType::kI32, shape);
    HostTensor position(DType::kI32, shape);
    int32_t* const segments = segmentation.values<int32_t>().data();
    int32_t* const positions = position.values<int32_t>().data();
    WithValues(&ids, [&](auto* values) {
      for (size_t r = 0; r < rows; ++r) {
        size_t at = r * length;
        for (size_t s = 0; s < parts[r].size(); ++s) {
          parts[r][s].Copy(values + at);
          for (size_t i = 0; i < parts[r][s].count(); ++i, ++at) {
            if (values[at] == 0) continue;  // padding, as in T2T
            segments[at] = static_cast<int32_t>(s) + 1;
            positions[at] = static_cast<int32_t>(i);
          }
        }
      }
    });
    batch[name] = std::move(ids);
    batch[name + "_segmentation"] = std::move(segmentation);
    batch[name + "_position"] = std::move(position);
  }
  return batch;
}

}  // namespace t2t
