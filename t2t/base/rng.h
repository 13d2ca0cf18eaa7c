#ifndef T2T_BASE_RNG_H_
#define T2T_BASE_RNG_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace t2t {

// The same numbers on every machine and compiler (std:: distributions are
// not). The whole state is one seed and one counter, so it can be saved.
class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t counter = 0)
      : seed_(seed), counter_(counter) {}

  uint64_t Next() { return Mix(seed_ + 0x9E3779B97F4A7C15ULL * ++counter_); }
  // In [0, bound); bound > 0. Without bias.
  uint64_t Below(uint64_t bound) {
    const uint64_t limit = bound * (UINT64_MAX / bound);
    uint64_t value;
    do {
      value = Next();
    } while (value >= limit);
    return value % bound;
  }
  // In [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  template <typename T>
  void Shuffle(std::vector<T>* items) {
    for (size_t i = items->size(); i > 1; --i) {
      std::swap((*items)[i - 1], (*items)[Below(i)]);
    }
  }

  uint64_t seed() const { return seed_; }
  uint64_t counter() const { return counter_; }

  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // A seed out of a seed and a name or number, for independent streams.
  static uint64_t Combine(uint64_t seed, uint64_t other) {
    return Mix(Mix(seed + 0x9E3779B97F4A7C15ULL) ^ other);
  }
  static uint64_t Combine(uint64_t seed, std::string_view name) {
    uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char c : name) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
    return Combine(seed, hash);
  }

 private:
  uint64_t seed_;
  uint64_t counter_;
};

}  // namespace t2t

#endif  // T2T_BASE_RNG_H_
