#ifndef T2T_TEXT_SUBWORD_TRIE_H_
#define T2T_TEXT_SUBWORD_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// Strings to their places in a list, by longest prefix: a double-array trie
// over bytes, so that a step is one addition and one comparison.
class SubwordTrie {
 public:
  // Of equal strings the last counts; empty ones are left out.
  explicit SubwordTrie(const std::vector<std::string>& strings);

  // The longest string that text starts with: its place and length, or -1.
  int32_t LongestMatch(std::string_view text, size_t* length) const {
    int32_t place = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const uint32_t next =
          units_[node].base + static_cast<unsigned char>(text[i]);
      if (units_[next].parent != node) break;
      node = next;
      if (units_[node].place >= 0) {
        place = units_[node].place;
        *length = i + 1;
      }
    }
    return place;
  }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;

  struct Unit {
    uint32_t base = 0;
    uint32_t parent = kFree;
    int32_t place = -1;
  };

  // The first base, from `first_free` on about, where the children of a node by
  // these bytes find their units free.
  uint32_t FindBase(const std::vector<uint32_t>& bytes, uint32_t* first_free);

  // Always 256 units longer than the highest base, so that no step leaves it.
  std::vector<Unit> units_;
};

}  // namespace t2t

#endif  // T2T_TEXT_SUBWORD_TRIE_H_
