#ifndef T2T_PROBLEM_PACK_H_
#define T2T_PROBLEM_PACK_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "t2t/formats/example.h"

namespace t2t {

// T2T's pack_examples: puts examples into ones of `length` ids at most of each
// feature, the first of ten open ones that has room. "<feature>_segmentation"
// says which of them an id is of (1, 2, ...), "<feature>_position" which of its
// ids it is (0, 1, ...). An example that is longer stays alone; one of targets
// only is cut into examples of `length`.
class ExamplePacker {
 public:
  using Write = std::function<void(const Example&)>;

  ExamplePacker(int64_t length, Write write)
      : length_(static_cast<size_t>(length)), write_(std::move(write)) {}

  void Add(const Example& example);
  // Writes those that are still open.
  void Finish();

 private:
  struct Packed {
    std::vector<int64_t> ids, segmentation, position;
    int64_t segments = 0;

    void Append(const std::vector<int64_t>& more);
  };
  struct Open {
    Packed inputs, targets;
    bool has_inputs = false;
  };

  void WriteOut(Open open) const;

  size_t length_;
  Write write_;
  std::deque<Open> open_;
};

}  // namespace t2t

#endif  // T2T_PROBLEM_PACK_H_
