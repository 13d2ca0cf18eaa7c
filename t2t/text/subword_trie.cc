#include "t2t/text/subword_trie.h"

#include <algorithm>
#include <queue>
#include <utility>

namespace t2t {

uint32_t SubwordTrie::FindBase(const std::vector<uint32_t>& bytes,
                               uint32_t* first_free) {
  uint32_t tried = 0;
  uint32_t taken = 0;
  for (uint32_t at = std::max(*first_free, bytes[0] + 1);; ++at) {
    const uint32_t base = at - bytes[0];
    if (base + 512 > units_.size()) units_.resize(base + 1024);
    ++tried;
    if (units_[at].parent != kFree) {
      ++taken;
      continue;
    }
    if (std::all_of(bytes.begin(), bytes.end(), [&](uint32_t byte) {
          return units_[base + byte].parent == kFree;
        })) {
      // Starts later next time where nearly all was taken.
      if (tried > 64 && taken * 20 >= tried * 19) *first_free = at;
      return base;
    }
  }
}

SubwordTrie::SubwordTrie(const std::vector<std::string>& strings) {
  std::vector<std::pair<std::string_view, int32_t>> keys;
  keys.reserve(strings.size());
  for (size_t i = 0; i < strings.size(); ++i) {
    if (!strings[i].empty()) {
      keys.emplace_back(strings[i], static_cast<int32_t>(i));
    }
  }
  std::sort(keys.begin(), keys.end());

  struct Range {
    uint32_t node;
    size_t begin;
    size_t end;
    size_t depth;
  };
  std::queue<Range> open;
  open.push({0, 0, keys.size(), 0});
  units_.resize(512);
  units_[0].parent = 0;  // taken; never the parent found, as bases are >= 1
  uint32_t first_free = 1;
  std::vector<Range> children;
  std::vector<uint32_t> bytes;
  while (!open.empty()) {
    Range range = open.front();
    open.pop();
    while (range.begin < range.end &&
           keys[range.begin].first.size() == range.depth) {
      units_[range.node].place = keys[range.begin++].second;
    }
    children.clear();
    bytes.clear();
    for (size_t i = range.begin; i < range.end;) {
      const auto byte = static_cast<unsigned char>(keys[i].first[range.depth]);
      size_t end = i + 1;
      while (end < range.end &&
             static_cast<unsigned char>(keys[end].first[range.depth]) == byte) {
        ++end;
      }
      bytes.push_back(byte);
      children.push_back({0, i, end, range.depth + 1});
      i = end;
    }
    if (children.empty()) {
      units_[range.node].base = 1;
      continue;
    }
    const uint32_t base = FindBase(bytes, &first_free);
    units_[range.node].base = base;
    for (size_t i = 0; i < children.size(); ++i) {
      children[i].node = base + bytes[i];
      units_[children[i].node].parent = range.node;
      open.push(children[i]);
    }
  }
  uint32_t highest = 0;
  for (const Unit& unit : units_) highest = std::max(highest, unit.base);
  units_.resize(highest + 256);
  units_.shrink_to_fit();
}

}  // namespace t2t
