#include "t2t/nn/key_value_cache.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace t2t {
namespace {

constexpr int64_t kCacheChunk = 32;

}  // namespace

const KeysValues& KeyValueCache::AppendRecent(const KeysValues& latest,
                                              int64_t most) {
  const auto join = [&](at::Tensor* old, const at::Tensor& last) {
    *old = old->defined() ? at::cat({*old, last}, 2) : last;
    const int64_t surplus = old->size(2) - most;
    if (surplus > 0) *old = old->narrow(2, surplus, most);
  };
  join(&recent_.keys, latest.keys);
  join(&recent_.values, latest.values);
  return recent_;
}

void KeyValueCache::Append(const at::Tensor& keys, const at::Tensor& values) {
  const int64_t count = keys.size(2);
  if (!keys_.defined() || length_ + count > keys_.size(2)) {
    const int64_t capacity =
        std::max(length_ + count, length_ + length_ / 2 + kCacheChunk);
    const auto grow = [&](const at::Tensor& old, const at::Tensor& like) {
      at::Tensor grown = at::empty(
          {like.size(0), like.size(1), capacity, like.size(3)}, like.options());
      if (old.defined()) {
        grown.narrow(2, 0, length_).copy_(old.narrow(2, 0, length_));
      }
      return grown;
    };
    keys_ = grow(keys_, keys);
    values_ = grow(values_, values);
  }
  keys_.narrow(2, length_, count).copy_(keys);
  values_.narrow(2, length_, count).copy_(values);
  length_ += count;
}

KeysValues KeyValueCache::View() const {
  return {keys_.narrow(2, 0, length_), values_.narrow(2, 0, length_)};
}

void KeyValueCache::KeepLast(int64_t most) {
  if (length_ <= most) return;
  const auto keep = [&](const at::Tensor& old) {
    return old.narrow(2, length_ - most, most).clone();
  };
  keys_ = keep(keys_);
  values_ = keep(values_);
  length_ = most;
}

void KeyValueCache::Select(const at::Tensor& rows) {
  if (!keys_.defined()) return;
  const auto select = [&](const at::Tensor& old) {
    at::Tensor chosen = at::empty(
        {rows.size(0), old.size(1), old.size(2), old.size(3)}, old.options());
    at::Tensor used = chosen.narrow(2, 0, length_);
    at::index_select_out(used, old.narrow(2, 0, length_), 0,
                         rows.to(old.device()));
    return chosen;
  };
  keys_ = select(keys_);
  values_ = select(values_);
  if (!recent_.keys.defined()) return;
  const at::Tensor here = rows.to(recent_.keys.device());
  recent_.keys = recent_.keys.index_select(0, here);
  recent_.values = recent_.values.index_select(0, here);
}

}  // namespace t2t
