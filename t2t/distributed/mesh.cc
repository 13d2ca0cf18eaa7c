#include "t2t/distributed/mesh.h"

#include <algorithm>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kMeshExample[] = "as --mesh_shape=data:4,model:2";
constexpr char kLayoutExample[] =
    "as --layout=\"batch:data;vocab:model;d_ff:model;heads:model\"";

using Pairs = std::vector<std::pair<std::string, std::string>>;

// "a:b,c:d" with commas, semicolons or spaces between, as in T2T.
Pairs SplitPairs(const std::string& flag, const std::string& text,
                 const std::string& example) {
  std::string plain = text;
  std::replace(plain.begin(), plain.end(), ';', ',');
  std::replace(plain.begin(), plain.end(), ' ', ',');
  Pairs pairs;
  for (const std::string& pair : Split(plain, ',')) {
    if (pair.empty()) continue;
    const std::vector<std::string> sides = Split(pair, ':');
    if (sides.size() != 2 || sides[0].empty() || sides[1].empty()) {
      throw UsageError("'" + pair + "' in --" + flag + "=" + text,
                       "name:value, with commas between", example);
    }
    for (const auto& [name, value] : pairs) {
      if (name == sides[0]) {
        throw UsageError(
            "--" + flag + "=" + text + " says twice what '" + name + "' is",
            "each name once", example);
      }
    }
    pairs.emplace_back(sides[0], sides[1]);
  }
  return pairs;
}

std::string AxisName(const std::string& name) {
  return name == "batch" ? Mesh::kData : name;
}

struct Dimension {
  const char* name;
  bool Layout::*split;
};
constexpr Dimension kDimensions[] = {{"vocab", &Layout::vocab},
                                     {"d_ff", &Layout::d_ff},
                                     {"heads", &Layout::heads},
                                     {"experts", &Layout::experts},
                                     {"length", &Layout::length}};

struct Refused {
  const char* name;
  const char* instead;
};
// Other dimensions of T2T's Mesh-TensorFlow models.
constexpr Refused kRefused[] = {
    {"d_model", "split what is within the layers: d_ff:model;heads:model"},
    {"d_kv", "a head is computed by one rank: split the heads, heads:model"},
    {"max_length", "the table of positions is small: leave it out"},
    {"memory_length", "leave it out: heads:model splits its attention"},
    {"beam", "decoding is one process' work: leave it out"},
    {"outer_batch", "there is one axis of batches: batch:data"},
    {"inner_batch", "there is one axis of batches: batch:data"},
    {"expert_x", "experts have one dimension: experts:model"},
    {"expert_y", "experts have one dimension: experts:model"}};

}  // namespace

ShardRange ShardRangeOf(int64_t total, int64_t shards, int64_t index) {
  return {index * total / shards, (index + 1) * total / shards};
}

Mesh Mesh::Parse(const std::string& text, int64_t ranks) {
  std::vector<Axis> axes;
  int64_t product = 1;
  bool has_data = false;
  for (const auto& [given, value] :
       SplitPairs("mesh_shape", text, kMeshExample)) {
    const std::string name = AxisName(given);
    const std::string what =
        "'" + given + ":" + value + "' in --mesh_shape=" + text;
    if (name != kData && name != kModel) {
      throw UsageError(what, DidYouMean(given, {kData, "batch", kModel}),
                       "the axes are data (different batches) and model "
                       "(different shards of the model, experts too)");
    }
    int64_t size = 0;
    if (!ParseInt(value, &size) || size < 1 || size > 1 << 20) {
      throw UsageError(what, "a number of ranks from 1 up", kMeshExample);
    }
    if (name == kData && has_data) {
      throw UsageError("--mesh_shape=" + text + " says twice what 'data' is",
                       "each axis once", kMeshExample);
    }
    has_data |= name == kData;
    product *= size;
    if (product > 1 << 20) {
      throw UsageError(what, "a million ranks at most", kMeshExample);
    }
    axes.push_back({name, size});
  }
  if (!has_data) {
    if (ranks % product != 0) {
      throw UsageError("--mesh_shape=" + text + " with " + Count(ranks, "rank"),
                       "a multiple of " + std::to_string(product) + " ranks",
                       "start so many, or change --mesh_shape");
    }
    axes.insert(axes.begin(), {kData, ranks / product});
    product = ranks;
  }
  if (product != ranks) {
    throw UsageError(
        "--mesh_shape=" + text + " is of " + Count(product, "rank") +
            ", but the job has " + std::to_string(ranks),
        "as many",
        "start " + Count(product, "rank") +
            ", change --mesh_shape, or leave its 'data' out: it then "
            "takes what the other axes leave");
  }
  return Mesh(std::move(axes));
}

int64_t Mesh::ranks() const {
  int64_t product = 1;
  for (const Axis& axis : axes_) product *= axis.size;
  return product;
}

int64_t Mesh::Size(const std::string& axis) const {
  for (const Axis& own : axes_) {
    if (own.name == axis) return own.size;
  }
  return 1;
}

int64_t Mesh::Index(const std::string& axis, int64_t rank) const {
  int64_t stride = ranks();
  for (const Axis& own : axes_) {
    stride /= own.size;
    if (own.name == axis) return rank / stride % own.size;
  }
  return 0;
}

std::vector<int64_t> Mesh::Group(const std::string& axis, int64_t rank) const {
  int64_t stride = ranks();
  for (const Axis& own : axes_) {
    stride /= own.size;
    if (own.name != axis) continue;
    std::vector<int64_t> group;
    const int64_t first = rank - rank / stride % own.size * stride;
    for (int64_t i = 0; i < own.size; ++i) group.push_back(first + i * stride);
    return group;
  }
  return {rank};
}

std::string Mesh::ToText() const {
  std::vector<std::string> parts;
  for (const Axis& axis : axes_) {
    parts.push_back(axis.name + ":" + std::to_string(axis.size));
  }
  return Join(parts, ",");
}

Layout Layout::Parse(const std::string& text, const Mesh& mesh) {
  Layout layout;
  const bool has_model = mesh.Size(Mesh::kModel) > 1;
  if (Trim(text).empty()) {
    layout.vocab = layout.d_ff = layout.heads = layout.experts = has_model;
    return layout;
  }
  for (const auto& [name, value] : SplitPairs("layout", text, kLayoutExample)) {
    const std::string what = "'" + name + ":" + value + "' in --layout=" + text;
    const std::string axis = AxisName(value);
    if (axis != Mesh::kData && axis != Mesh::kModel) {
      throw UsageError(what, DidYouMean(value, {Mesh::kData, Mesh::kModel}),
                       "the axes are data and model");
    }
    if (name == "batch") {
      if (axis == Mesh::kData) continue;
      throw UsageError(what, "batch:data",
                       "the ranks of the axis model share their batches");
    }
    for (const Refused& refused : kRefused) {
      if (name == refused.name) {
        throw UsageError(what + " is not supported", "", refused.instead);
      }
    }
    const Dimension* const found = std::find_if(
        std::begin(kDimensions), std::end(kDimensions),
        [&](const Dimension& dimension) { return name == dimension.name; });
    if (found == std::end(kDimensions)) {
      throw UsageError(what,
                       DidYouMean(name, {"batch", "vocab", "d_ff", "heads",
                                         "experts", "length"}),
                       kLayoutExample);
    }
    if (axis == Mesh::kData) {
      throw UsageError(what, name + ":model",
                       "the ranks of the axis data hold the same weights");
    }
    layout.*found->split = has_model;
  }
  return layout;
}

std::string Layout::ToText() const {
  std::vector<std::string> parts = {"batch:data"};
  for (const Dimension& dimension : kDimensions) {
    if (this->*dimension.split) {
      parts.push_back(std::string(dimension.name) + ":model");
    }
  }
  return Join(parts, ";");
}

}  // namespace t2t
