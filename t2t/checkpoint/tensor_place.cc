#include "t2t/checkpoint/tensor_place.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace t2t {
namespace {

// Of the numbers at a place, those that lie beside each other in the whole
// tensor, flattened, too.
struct Stretch {
  int64_t at;     // among the place's numbers
  int64_t whole;  // in the whole tensor
  int64_t size;   // 0: there are no more
};

// The stretches of a place, which come in the whole tensor's order.
class Stretches {
 public:
  explicit Stretches(const TensorPlace& place)
      : begin_(place.begin),
        end_(place.begin + place.size),
        position_(place.begin) {
    if (place.size == 0) return;
    int64_t outer = 1;
    int64_t inner = 1;
    for (size_t i = 0; i < place.shape.size(); ++i) {
      const bool is_outer =
          place.cut && static_cast<int64_t>(i) < place.cut->dim;
      (is_outer ? outer : inner) *= place.shape[i];
    }
    row_ = whole_row_ = inner;
    if (!place.cut) return;
    const int64_t unit =
        inner / place.shape[static_cast<size_t>(place.cut->dim)];
    row_ = place.cut->size * unit;
    skipped_ = place.cut->begin * unit;
    if (row_ == whole_row_) row_ = whole_row_ = outer * inner;
  }

  Stretch Now() const {
    if (position_ >= end_) return {0, 0, 0};
    const int64_t in_row = position_ % row_;
    return {position_ - begin_,
            position_ / row_ * whole_row_ + skipped_ + in_row,
            std::min(row_ - in_row, end_ - position_)};
  }

  // To what lies at `whole` or behind.
  void Seek(int64_t whole) {
    const int64_t in_row =
        std::clamp<int64_t>(whole % whole_row_ - skipped_, 0, row_);
    position_ = std::max(position_, whole / whole_row_ * row_ + in_row);
  }

 private:
  const int64_t begin_;
  const int64_t end_;
  int64_t position_;  // in the flattened slice
  // Of each row of the whole tensor the slice has so many numbers, behind
  // others.
  int64_t row_ = 1;
  int64_t whole_row_ = 1;
  int64_t skipped_ = 0;
};

// Calls use(where among the numbers of `one`, of `other`, how many) for the
// stretches that lie in both. Returns how many numbers these are.
template <typename Use>
int64_t ForCommon(const TensorPlace& one, const TensorPlace& other,
                  const Use& use) {
  Stretches ones(one);
  Stretches others(other);
  int64_t count = 0;
  while (true) {
    const Stretch a = ones.Now();
    const Stretch b = others.Now();
    if (a.size == 0 || b.size == 0) return count;
    const int64_t begin = std::max(a.whole, b.whole);
    const int64_t end = std::min(a.whole + a.size, b.whole + b.size);
    if (begin < end) {
      use(a.at + begin - a.whole, b.at + begin - b.whole, end - begin);
      count += end - begin;
    }
    ones.Seek(std::max(begin, end));
    others.Seek(std::max(begin, end));
  }
}

// The product of not negative numbers; nullopt where it is too large.
std::optional<int64_t> Product(const std::vector<int64_t>& sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    if (size < 0 || __builtin_mul_overflow(product, size, &product)) {
      return std::nullopt;
    }
  }
  return product;
}

std::vector<int64_t> Numbers(const Json& json) {
  std::vector<int64_t> numbers;
  for (const Json& item : json.items()) numbers.push_back(item.AsInt());
  return numbers;
}

Json NumbersJson(const std::vector<int64_t>& numbers) {
  Json json = Json::Array();
  for (const int64_t number : numbers) json.Append(number);
  return json;
}

}  // namespace

TensorPlace TensorPlace::All(std::vector<int64_t> shape,
                             const std::optional<Cut>& cut) {
  TensorPlace place{std::move(shape), 0, 1, cut};
  for (size_t i = 0; i < place.shape.size(); ++i) {
    const bool is_cut = cut && static_cast<int64_t>(i) == cut->dim;
    place.size *= is_cut ? cut->size : place.shape[i];
  }
  return place;
}

Json TensorPlace::ToJson() const {
  Json json = Json::Array();
  json.Append(begin);
  json.Append(NumbersJson(shape));
  if (cut) json.Append(NumbersJson({cut->dim, cut->begin, cut->size}));
  return json;
}

std::optional<TensorPlace> TensorPlace::FromJson(const Json& json,
                                                 int64_t size) {
  const std::vector<Json>& items = json.items();
  if (items.size() < 2 || items.size() > 3) return std::nullopt;
  TensorPlace place{Numbers(items[1]), items[0].AsInt(), size, std::nullopt};
  if (!Product(place.shape)) return std::nullopt;
  if (items.size() == 3) {
    const std::vector<int64_t> cut = Numbers(items[2]);
    if (cut.size() != 3 || cut[0] < 0 ||
        cut[0] >= static_cast<int64_t>(place.shape.size())) {
      return std::nullopt;
    }
    const int64_t extent = place.shape[static_cast<size_t>(cut[0])];
    if (cut[1] < 0 || cut[2] < 0 || cut[2] > extent ||
        cut[1] > extent - cut[2]) {
      return std::nullopt;
    }
    place.cut = Cut{cut[0], cut[1], cut[2]};
  }
  const int64_t all = All(place.shape, place.cut).size;
  if (place.begin < 0 || size < 0 || size > all || place.begin > all - size) {
    return std::nullopt;
  }
  return place;
}

bool CoverExactly(const std::vector<TensorPlace>& places) {
  if (places.empty()) return false;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const TensorPlace& place : places) {
    Stretches stretches(place);
    for (Stretch now = stretches.Now(); now.size > 0; now = stretches.Now()) {
      ranges.emplace_back(now.whole, now.size);
      stretches.Seek(now.whole + now.size);
    }
  }
  std::sort(ranges.begin(), ranges.end());
  int64_t end = 0;
  for (const auto& [begin, size] : ranges) {
    if (begin != end) return false;
    end += size;
  }
  return end == Product(places.front().shape);
}

int64_t CopyCommon(const TensorPlace& from_place, const void* from,
                   const TensorPlace& to_place, void* to, int64_t bytes) {
  return ForCommon(
      from_place, to_place, [&](int64_t source, int64_t target, int64_t size) {
        std::memcpy(static_cast<char*>(to) + target * bytes,
                    static_cast<const char*>(from) + source * bytes,
                    static_cast<size_t>(size * bytes));
      });
}

int64_t CountCommon(const TensorPlace& one, const TensorPlace& other) {
  return ForCommon(one, other, [](int64_t, int64_t, int64_t) {});
}

}  // namespace t2t
