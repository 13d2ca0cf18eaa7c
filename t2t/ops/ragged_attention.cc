#include "t2t/ops/ragged_attention.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/ops/dropout.h"
#include "t2t/ops/fast_exp.h"
#include "t2t/ops/simd.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kLanes = 16;
// Tasks a thread takes at once; one is a head of a sequence.
constexpr int64_t kGrain = 16;

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using LooseVector =
    float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4)));

constexpr int64_t Padded(int64_t size) {
  return (size + kLanes - 1) / kLanes * kLanes;
}

// Always inlined, so that each clone of a caller compiles it for its machine.
#define T2T_INLINE inline __attribute__((always_inline))

template <int kRows, int kVectors>
T2T_INLINE void GemmBlock(const float* a, int64_t a_row, int64_t a_column,
                          int64_t depth, const float* b, int64_t b_row,
                          float* c, int64_t c_row) {
  Vector sums[kRows][kVectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    for (int v = 0; v < kVectors; ++v) {
      const Vector right =
          *reinterpret_cast<const LooseVector*>(b + k * b_row + v * kLanes);
      for (int r = 0; r < kRows; ++r) {
        sums[r][v] += a[r * a_row + k * a_column] * right;
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      *reinterpret_cast<LooseVector*>(c + r * c_row + v * kLanes) = sums[r][v];
    }
  }
}

template <int kVectors>
T2T_INLINE void GemmColumns(const float* a, int64_t a_row, int64_t a_column,
                            int64_t rows, int64_t depth, const float* b,
                            int64_t b_row, float* c, int64_t c_row) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    GemmBlock<4, kVectors>(a + r * a_row, a_row, a_column, depth, b, b_row,
                           c + r * c_row, c_row);
  }
  for (; r < rows; ++r) {
    GemmBlock<1, kVectors>(a + r * a_row, a_row, a_column, depth, b, b_row,
                           c + r * c_row, c_row);
  }
}

// c [rows, columns] = a [rows, depth] b [depth, columns]; columns is a
// multiple of kLanes, a may be transposed through its strides.
T2T_INLINE void Gemm(const float* a, int64_t a_row, int64_t a_column,
                     int64_t rows, int64_t depth, const float* b, int64_t b_row,
                     int64_t columns, float* c, int64_t c_row) {
  int64_t column = 0;
  for (; column + 2 * kLanes <= columns; column += 2 * kLanes) {
    GemmColumns<2>(a, a_row, a_column, rows, depth, b + column, b_row,
                   c + column, c_row);
  }
  if (column < columns) {
    GemmColumns<1>(a, a_row, a_column, rows, depth, b + column, b_row,
                   c + column, c_row);
  }
}

// to [rows, to_row] = from, zero beyond its columns.
T2T_INLINE void CopyPadded(const float* from, int64_t from_row, int64_t rows,
                           int64_t columns, float* to, int64_t to_row) {
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(to + r * to_row, from + r * from_row, columns * sizeof(float));
    std::memset(to + r * to_row + columns, 0,
                (to_row - columns) * sizeof(float));
  }
}

// to [columns, to_row] = from's transpose, zero beyond its rows.
T2T_INLINE void CopyTransposed(const float* from, int64_t from_row,
                               int64_t rows, int64_t columns, float* to,
                               int64_t to_row) {
  for (int64_t c = 0; c < columns; ++c) {
    float* line = to + c * to_row;
    for (int64_t r = 0; r < rows; ++r) line[r] = from[r * from_row + c];
    for (int64_t r = rows; r < to_row; ++r) line[r] = 0.0f;
  }
}

// A head of a pair of sequences: rows of pieces of larger matrices.
struct Piece {
  const float* data;
  int64_t row;
};

struct Task {
  int64_t queries;
  int64_t keys;
  int64_t key_depth;
  int64_t value_depth;
  float scale;
  bool causal;
  uint32_t threshold;  // 0: no dropout
  float keep_scale;
  uint64_t seed;

  int64_t key_row() const { return Padded(keys); }
  int64_t Visible(int64_t query) const {
    return causal ? std::min(keys, query + 1) : keys;
  }
};

// Softmax of the rows of logits, in place, 0 where nothing may be seen.
T2T_INLINE void SoftmaxRows(const Task& task, float* logits) {
  for (int64_t i = 0; i < task.queries; ++i) {
    float* row = logits + i * task.key_row();
    const int64_t visible = task.Visible(i);
    float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
    for (int64_t j = 0; j < visible; ++j) most = std::max(most, row[j]);
    float sum = 0.0f;
    const float scale = task.scale;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < visible; ++j) {
      row[j] = FastExp((row[j] - most) * scale);
      sum += row[j];
    }
    const float inverse = 1.0f / sum;
    for (int64_t j = 0; j < visible; ++j) row[j] *= inverse;
    for (int64_t j = visible; j < task.key_row(); ++j) row[j] = 0.0f;
  }
}

// dropped [queries, key_row] = from where it is kept, scaled; else 0.
T2T_INLINE void DropWeights(const Task& task, const float* from,
                            float* dropped) {
  for (int64_t i = 0; i < task.queries; ++i) {
    const float* row = from + i * task.key_row();
    float* out = dropped + i * task.key_row();
    const uint32_t first = static_cast<uint32_t>(i * task.key_row());
    for (int64_t j = 0; j < task.key_row(); ++j) {
      const uint32_t bits =
          DropoutBits(task.seed, first + static_cast<uint32_t>(j));
      out[j] = bits >= task.threshold ? row[j] * task.keep_scale : 0.0f;
    }
  }
}

// The attention weights, before dropout. transposed: room for [key_depth,
// key_row].
T2T_INLINE void Weights(const Task& task, const Piece& q, const Piece& k,
                        float* transposed, float* weights) {
  CopyTransposed(k.data, k.row, task.keys, task.key_depth, transposed,
                 task.key_row());
  Gemm(q.data, q.row, 1, task.queries, task.key_depth, transposed,
       task.key_row(), task.key_row(), weights, task.key_row());
  SoftmaxRows(task, weights);
}

T2T_SIMD_CLONES
void ForwardKernel(const Task& task, const Piece& q, const Piece& k,
                   const Piece& v, float* out, int64_t out_row,
                   float* scratch) {
  const int64_t value_row = Padded(task.value_depth);
  float* transposed = scratch;
  float* weights = transposed + task.key_depth * task.key_row();
  float* values = weights + task.queries * task.key_row();
  float* result = values + task.keys * value_row;
  Weights(task, q, k, transposed, weights);
  if (task.threshold > 0) DropWeights(task, weights, weights);
  CopyPadded(v.data, v.row, task.keys, task.value_depth, values, value_row);
  Gemm(weights, task.key_row(), 1, task.queries, task.keys, values, value_row,
       value_row, result, value_row);
  for (int64_t i = 0; i < task.queries; ++i) {
    std::memcpy(out + i * out_row, result + i * value_row,
                task.value_depth * sizeof(float));
  }
}

int64_t ForwardScratch(const Task& task) {
  return task.key_depth * task.key_row() + task.queries * task.key_row() +
         (task.keys + task.queries) * Padded(task.value_depth);
}

T2T_INLINE void CopyOut(const float* from, int64_t from_row, int64_t rows,
                        int64_t columns, float scale, float* to,
                        int64_t to_row) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      to[r * to_row + c] = from[r * from_row + c] * scale;
    }
  }
}

T2T_SIMD_CLONES
void BackwardKernel(const Task& task, const Piece& q, const Piece& k,
                    const Piece& v, const Piece& gradient, float* q_gradient,
                    int64_t q_row, float* k_gradient, int64_t k_row,
                    float* v_gradient, int64_t v_row, float* scratch) {
  const int64_t key_row = task.key_row();
  const int64_t depth_row = Padded(task.key_depth);
  const int64_t value_row = Padded(task.value_depth);
  const int64_t longest = std::max(task.queries, task.keys);
  float* transposed = scratch;
  float* weights =
      transposed + std::max(task.key_depth, task.value_depth) * key_row;
  float* dropped = weights + task.queries * key_row;
  float* logit_gradient = dropped + task.queries * key_row;
  float* rows = logit_gradient + task.queries * key_row;
  float* result = rows + longest * std::max(depth_row, value_row);

  Weights(task, q, k, transposed, weights);
  const float* kept = weights;
  if (task.threshold > 0) {
    DropWeights(task, weights, dropped);
    kept = dropped;
  }
  // To the values.
  CopyPadded(gradient.data, gradient.row, task.queries, task.value_depth, rows,
             value_row);
  Gemm(kept, 1, key_row, task.keys, task.queries, rows, value_row, value_row,
       result, value_row);
  CopyOut(result, value_row, task.keys, task.value_depth, 1.0f, v_gradient,
          v_row);
  // To the weights, then through dropout and softmax to the logits.
  CopyTransposed(v.data, v.row, task.keys, task.value_depth, transposed,
                 key_row);
  Gemm(gradient.data, gradient.row, 1, task.queries, task.value_depth,
       transposed, key_row, key_row, logit_gradient, key_row);
  if (task.threshold > 0) DropWeights(task, logit_gradient, logit_gradient);
  for (int64_t i = 0; i < task.queries; ++i) {
    float* row = logit_gradient + i * key_row;
    const float* weight = weights + i * key_row;
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < key_row; ++j) sum += row[j] * weight[j];
    for (int64_t j = 0; j < key_row; ++j) {
      row[j] = weight[j] * (row[j] - sum);
    }
  }
  // To the queries and keys.
  CopyPadded(k.data, k.row, task.keys, task.key_depth, rows, depth_row);
  Gemm(logit_gradient, key_row, 1, task.queries, task.keys, rows, depth_row,
       depth_row, result, depth_row);
  CopyOut(result, depth_row, task.queries, task.key_depth, task.scale,
          q_gradient, q_row);
  CopyPadded(q.data, q.row, task.queries, task.key_depth, rows, depth_row);
  Gemm(logit_gradient, 1, key_row, task.keys, task.queries, rows, depth_row,
       depth_row, result, depth_row);
  CopyOut(result, depth_row, task.keys, task.key_depth, task.scale, k_gradient,
          k_row);
}

int64_t BackwardScratch(const Task& task) {
  const int64_t depth = std::max(task.key_depth, task.value_depth);
  return depth * task.key_row() + 3 * task.queries * task.key_row() +
         2 * std::max(task.queries, task.keys) * Padded(depth);
}

// Where queries, keys and values of all sequences stand.
struct Layout {
  int64_t query_row;
  int64_t key_row;    // of keys and values
  int64_t key_start;  // column of the first key
  int64_t value_start;
};

// The parts of a call that forward and backward share.
class Plan {
 public:
  Plan(const RaggedAttentionOptions& options, uint64_t seed,
       const Layout& layout)
      : options_(options), seed_(seed), layout_(layout) {}

  int64_t tasks() const {
    return (static_cast<int64_t>(options_.query_offsets.size()) - 1) *
           options_.heads;
  }
  Task TaskAt(int64_t index) const {
    const int64_t sequence = index / options_.heads;
    Task task;
    task.queries =
        options_.query_offsets[sequence + 1] - options_.query_offsets[sequence];
    task.keys =
        options_.key_offsets[sequence + 1] - options_.key_offsets[sequence];
    task.key_depth = options_.key_channels / options_.heads;
    task.value_depth = options_.value_channels / options_.heads;
    task.scale = static_cast<float>(options_.scale);
    task.causal = options_.causal;
    task.threshold = DropoutThreshold(options_.dropout);
    task.keep_scale = static_cast<float>(1.0 / (1.0 - options_.dropout));
    const int64_t all =
        options_.all_heads == 0 ? options_.heads : options_.all_heads;
    task.seed = Rng::Combine(
        seed_, static_cast<uint64_t>(sequence * all + options_.first_head +
                                     Head(index)));
    return task;
  }
  // Of the forward pass, for profiles and t2t/train/flops.h.
  double Flops() const {
    double products = 0;
    for (size_t i = 1; i < options_.query_offsets.size(); ++i) {
      products += static_cast<double>(options_.query_offsets[i] -
                                      options_.query_offsets[i - 1]) *
                  static_cast<double>(options_.key_offsets[i] -
                                      options_.key_offsets[i - 1]);
    }
    return 2.0 * products *
           static_cast<double>(options_.key_channels + options_.value_channels);
  }
  // Offsets of a task's first element.
  int64_t Query(int64_t index) const {
    return First(options_.query_offsets, index) * layout_.query_row +
           Head(index) * (options_.key_channels / options_.heads);
  }
  int64_t Key(int64_t index) const {
    return First(options_.key_offsets, index) * layout_.key_row +
           layout_.key_start +
           Head(index) * (options_.key_channels / options_.heads);
  }
  int64_t Value(int64_t index) const {
    return First(options_.key_offsets, index) * layout_.key_row +
           layout_.value_start +
           Head(index) * (options_.value_channels / options_.heads);
  }
  int64_t Output(int64_t index) const {
    return First(options_.query_offsets, index) * options_.value_channels +
           Head(index) * (options_.value_channels / options_.heads);
  }

  // queries and memory may be one tensor (self-attention).
  at::Tensor Forward(const at::Tensor& queries,
                     const at::Tensor& memory) const {
    RECORD_FUNCTION("t2t::attention", std::vector<c10::IValue>({Flops()}));
    at::Tensor out = at::empty({queries.size(0), options_.value_channels},
                               queries.options());
    const float* from = queries.const_data_ptr<float>();
    const float* seen = memory.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    at::parallel_for(0, tasks(), kGrain, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch;
      for (int64_t i = begin; i < end; ++i) {
        const Task task = TaskAt(i);
        Grow(&scratch, ForwardScratch(task));
        ForwardKernel(task, {from + Query(i), layout_.query_row},
                      {seen + Key(i), layout_.key_row},
                      {seen + Value(i), layout_.key_row}, to + Output(i),
                      options_.value_channels, scratch.data());
      }
    });
    return out;
  }

  void Backward(const at::Tensor& queries, const at::Tensor& memory,
                const at::Tensor& gradient, at::Tensor* query_gradient,
                at::Tensor* memory_gradient) const {
    RECORD_FUNCTION("t2t::attention",
                    std::vector<c10::IValue>({2.0 * Flops()}));
    const float* from = queries.const_data_ptr<float>();
    const float* seen = memory.const_data_ptr<float>();
    const float* outer = gradient.const_data_ptr<float>();
    float* to = query_gradient->mutable_data_ptr<float>();
    float* back = memory_gradient->mutable_data_ptr<float>();
    at::parallel_for(0, tasks(), kGrain, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch;
      for (int64_t i = begin; i < end; ++i) {
        const Task task = TaskAt(i);
        Grow(&scratch, BackwardScratch(task));
        BackwardKernel(task, {from + Query(i), layout_.query_row},
                       {seen + Key(i), layout_.key_row},
                       {seen + Value(i), layout_.key_row},
                       {outer + Output(i), options_.value_channels},
                       to + Query(i), layout_.query_row, back + Key(i),
                       layout_.key_row, back + Value(i), layout_.key_row,
                       scratch.data());
      }
    });
  }

 private:
  static void Grow(std::vector<float>* scratch, int64_t size) {
    if (static_cast<int64_t>(scratch->size()) < size) scratch->resize(size);
  }
  int64_t Head(int64_t index) const { return index % options_.heads; }
  int64_t First(const std::vector<int64_t>& offsets, int64_t index) const {
    return offsets[index / options_.heads];
  }

  const RaggedAttentionOptions& options_;
  uint64_t seed_;
  Layout layout_;
};

Layout SelfLayout(const RaggedAttentionOptions& options) {
  const int64_t row = 2 * options.key_channels + options.value_channels;
  return {row, row, options.key_channels, 2 * options.key_channels};
}

Layout MemoryLayout(const RaggedAttentionOptions& options) {
  return {options.key_channels, options.key_channels + options.value_channels,
          0, options.key_channels};
}

uint64_t SeedFor(const RaggedAttentionOptions& options) {
  return options.dropout > 0.0 ? DrawSeed() : 0;
}

class SelfFunction : public torch::autograd::Function<SelfFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& all,
                            const RaggedAttentionOptions& options) {
    const uint64_t seed = SeedFor(options);
    Save(context, options, seed);
    context->save_for_backward({all});
    return Plan(options, seed, SelfLayout(options)).Forward(all, all);
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const at::Tensor all = context->get_saved_variables()[0];
    RaggedAttentionOptions options;
    const uint64_t seed = Load(context, &options);
    at::Tensor gradient = at::empty_like(all);
    Plan(options, seed, SelfLayout(options))
        .Backward(all, all, gradients[0].contiguous(), &gradient, &gradient);
    return {gradient, at::Tensor()};
  }

  static void Save(AutogradContext* context,
                   const RaggedAttentionOptions& options, uint64_t seed) {
    auto& data = context->saved_data;
    data["query_offsets"] = options.query_offsets;
    data["key_offsets"] = options.key_offsets;
    data["sizes"] = std::vector<int64_t>{options.heads,
                                         options.key_channels,
                                         options.value_channels,
                                         options.causal ? 1 : 0,
                                         static_cast<int64_t>(seed),
                                         options.all_heads,
                                         options.first_head};
    data["numbers"] = std::vector<double>{options.scale, options.dropout};
  }

  static uint64_t Load(AutogradContext* context,
                       RaggedAttentionOptions* options) {
    auto& data = context->saved_data;
    options->query_offsets = data["query_offsets"].toIntVector();
    options->key_offsets = data["key_offsets"].toIntVector();
    const std::vector<int64_t> sizes = data["sizes"].toIntVector();
    options->heads = sizes[0];
    options->key_channels = sizes[1];
    options->value_channels = sizes[2];
    options->causal = sizes[3] != 0;
    options->all_heads = sizes[5];
    options->first_head = sizes[6];
    const std::vector<double> numbers = data["numbers"].toDoubleVector();
    options->scale = numbers[0];
    options->dropout = numbers[1];
    return static_cast<uint64_t>(sizes[4]);
  }
};

class MemoryFunction : public torch::autograd::Function<MemoryFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& queries,
                            const at::Tensor& memory,
                            const RaggedAttentionOptions& options) {
    const uint64_t seed = SeedFor(options);
    SelfFunction::Save(context, options, seed);
    context->save_for_backward({queries, memory});
    return Plan(options, seed, MemoryLayout(options)).Forward(queries, memory);
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const auto saved = context->get_saved_variables();
    RaggedAttentionOptions options;
    const uint64_t seed = SelfFunction::Load(context, &options);
    at::Tensor query_gradient = at::empty_like(saved[0]);
    at::Tensor memory_gradient = at::empty_like(saved[1]);
    Plan(options, seed, MemoryLayout(options))
        .Backward(saved[0], saved[1], gradients[0].contiguous(),
                  &query_gradient, &memory_gradient);
    return {query_gradient, memory_gradient, at::Tensor()};
  }
};

void Check(const at::Tensor& x, const std::vector<int64_t>& offsets,
           int64_t columns) {
  bool good = x.dim() == 2 && x.size(1) == columns && !offsets.empty() &&
              offsets.front() == 0 && offsets.back() == x.size(0) &&
              x.scalar_type() == at::kFloat && x.device().is_cpu();
  for (size_t i = 1; good && i < offsets.size(); ++i) {
    good = offsets[i] >= offsets[i - 1];
  }
  if (!good) {
    throw Error(ExitCode::kInternal,
                "ragged attention over a tensor that does not fit its offsets");
  }
}

void CheckOptions(const RaggedAttentionOptions& options) {
  bool good = options.heads > 0 && options.key_channels > 0 &&
              options.value_channels > 0 &&
              options.key_channels % options.heads == 0 &&
              options.value_channels % options.heads == 0 &&
              options.query_offsets.size() == options.key_offsets.size();
  for (size_t i = 1; good && i < options.key_offsets.size(); ++i) {
    // A query must see something.
    good = options.key_offsets[i] > options.key_offsets[i - 1] ||
           options.query_offsets[i] == options.query_offsets[i - 1];
  }
  if (!good) {
    throw Error(ExitCode::kInternal, "ragged attention's options contradict");
  }
}

}  // namespace

at::Tensor RaggedSelfAttention(const at::Tensor& all,
                               const RaggedAttentionOptions& options) {
  CheckOptions(options);
  Check(all, options.query_offsets,
        2 * options.key_channels + options.value_channels);
  Check(all, options.key_offsets, all.size(1));
  return SelfFunction::apply(all.contiguous(), options);
}

at::Tensor RaggedMemoryAttention(const at::Tensor& queries,
                                 const at::Tensor& memory,
                                 const RaggedAttentionOptions& options) {
  CheckOptions(options);
  Check(queries, options.query_offsets, options.key_channels);
  Check(memory, options.key_offsets,
        options.key_channels + options.value_channels);
  return MemoryFunction::apply(queries.contiguous(), memory.contiguous(),
                               options);
}

}  // namespace t2t
