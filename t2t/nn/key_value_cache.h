#ifndef T2T_NN_KEY_VALUE_CACHE_H_
#define T2T_NN_KEY_VALUE_CACHE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace t2t {

// Keys and values split into heads: [batch, heads, length, depth]. In area
// attention they are those of areas.
struct KeysValues {
  at::Tensor keys;
  at::Tensor values;
};

// The keys and values of the positions decoded so far (of their areas, in area
// attention), in buffers that grow by chunks.
class KeyValueCache {
 public:
  int64_t length() const { return length_; }
  // Joins the last positions' own keys and values, of which it keeps `most`.
  const KeysValues& AppendRecent(const KeysValues& latest, int64_t most);
  // keys and values: [rows, heads, new positions, depth].
  void Append(const at::Tensor& keys, const at::Tensor& values);
  KeysValues View() const;
  // Forgets all but the last `most` positions.
  void KeepLast(int64_t most);
  // Row i becomes the old rows[i].
  void Select(const at::Tensor& rows);

 private:
  int64_t length_ = 0;
  at::Tensor keys_;  // [rows, heads, capacity, depth]
  at::Tensor values_;
  KeysValues recent_;
};

}  // namespace t2t

#endif  // T2T_NN_KEY_VALUE_CACHE_H_
