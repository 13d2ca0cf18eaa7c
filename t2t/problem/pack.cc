#include "t2t/problem/pack.h"

#include <algorithm>
#include <string>
#include <utility>

namespace t2t {
namespace {

constexpr size_t kMostOpen = 10;

}  // namespace

void ExamplePacker::Packed::Append(const std::vector<int64_t>& more) {
  ++segments;
  ids.insert(ids.end(), more.begin(), more.end());
  segmentation.resize(ids.size(), segments);
  for (size_t i = 0; i < more.size(); ++i) {
    position.push_back(static_cast<int64_t>(i));
  }
}

void ExamplePacker::WriteOut(Open open) const {
  Example example;
  const auto add = [&](const std::string& feature, Packed packed) {
    example.features[feature] = std::move(packed.ids);
    example.features[feature + "_segmentation"] =
        std::move(packed.segmentation);
    example.features[feature + "_position"] = std::move(packed.position);
  };
  if (open.has_inputs) add("inputs", std::move(open.inputs));
  add("targets", std::move(open.targets));
  write_(example);
}

void ExamplePacker::Add(const Example& example) {
  Open alone;
  alone.has_inputs = example.Has("inputs");
  std::vector<int64_t> inputs;
  if (alone.has_inputs) inputs = example.Ints("inputs");
  std::vector<int64_t> targets = example.Ints("targets");
  if (!alone.has_inputs && targets.size() > length_) {
    const size_t whole = targets.size() / length_ * length_;
    for (size_t at = 0; at < whole; at += length_) {
      Open full;
      full.targets.Append(
          {targets.begin() + static_cast<std::ptrdiff_t>(at),
           targets.begin() + static_cast<std::ptrdiff_t>(at + length_)});
      WriteOut(std::move(full));
    }
    targets.erase(targets.begin(),
                  targets.begin() + static_cast<std::ptrdiff_t>(whole));
    if (targets.empty()) return;
  }
  const auto room =
      std::find_if(open_.begin(), open_.end(), [&](const Open& open) {
        return open.inputs.ids.size() + inputs.size() <= length_ &&
               open.targets.ids.size() + targets.size() <= length_;
      });
  if (room != open_.end()) {
    if (alone.has_inputs) room->inputs.Append(inputs);
    room->targets.Append(targets);
    return;
  }
  if (open_.size() == kMostOpen) {
    WriteOut(std::move(open_.front()));
    open_.pop_front();
  }
  if (alone.has_inputs) alone.inputs.Append(inputs);
  alone.targets.Append(targets);
  open_.push_back(std::move(alone));
}

void ExamplePacker::Finish() {
  for (Open& open : open_) WriteOut(std::move(open));
  open_.clear();
}

}  // namespace t2t
