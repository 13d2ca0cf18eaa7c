#ifndef T2T_DISTRIBUTED_MESH_H_
#define T2T_DISTRIBUTED_MESH_H_

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

// A job's ranks as a grid, and how the model lies on it.

// [begin, end) of `total` things: shard `index` of `shards`, as even as it
// goes.
struct ShardRange {
  int64_t begin;
  int64_t end;
  int64_t size() const { return end - begin; }
};
ShardRange ShardRangeOf(int64_t total, int64_t shards, int64_t index);

// "data:4,model:2": the ranks that differ along the axis `data` take different
// batches, those that differ along `model` hold different shards of the model
// and compute the same batches. The last axis' neighbours are neighbours in
// rank, too.
class Mesh {
 public:
  // The axes' names.
  static constexpr char kData[] = "data";
  static constexpr char kModel[] = "model";

  struct Axis {
    std::string name;
    int64_t size;
  };

  // One process.
  Mesh() : Mesh({{kData, 1}}) {}

  // Axes as in T2T's mesh_shape, with commas or semicolons between; T2T's
  // `batch` is the axis data. Where data is not named it takes the ranks that
  // the others leave, and comes first; "" is data alone. A text that is no
  // mesh, or a mesh of another number of ranks, is a usage error.
  static Mesh Parse(const std::string& text, int64_t ranks);

  const std::vector<Axis>& axes() const { return axes_; }
  int64_t ranks() const;
  // 1 for an axis that is not there.
  int64_t Size(const std::string& axis) const;
  // Where a rank stands along an axis.
  int64_t Index(const std::string& axis, int64_t rank) const;
  // The ranks that differ from `rank` along the axis alone, itself among them,
  // in the order of their indices.
  std::vector<int64_t> Group(const std::string& axis, int64_t rank) const;
  std::string ToText() const;  // "data:4,model:2"

 private:
  explicit Mesh(std::vector<Axis> axes) : axes_(std::move(axes)) {}

  std::vector<Axis> axes_;
};

// What of a model is split along the mesh's axis `model`.
struct Layout {
  bool vocab = false;    // embeddings, the softmax and its loss
  bool d_ff = false;     // feed-forward layers
  bool heads = false;    // attention
  bool experts = false;  // of a mixture
  bool length = false;   // norms and dropout between the layers

  bool Any() const { return vocab || d_ff || heads || experts || length; }

  // T2T's layout, as "batch:data;vocab:model;d_ff:model;heads:model". "" is
  // everything but length where the mesh has an axis `model`. What T2T splits
  // and this does not is a usage error that says what to use.
  static Layout Parse(const std::string& text, const Mesh& mesh);
  std::string ToText() const;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_MESH_H_
