#include "t2t/ops/ragged_attention.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/ops/attention_kernels.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Tasks a thread takes at once; one is a head of a sequence.
constexpr int64_t kGrain = 16;

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
  Plan(const RaggedAttentionOptions& options, const Layout& layout)
      : options_(options), layout_(layout) {}

  int64_t tasks() const {
    return (static_cast<int64_t>(options_.query_offsets.size()) - 1) *
           options_.heads;
  }
  AttentionTask TaskAt(int64_t index) const {
    const int64_t sequence = index / options_.heads;
    AttentionTask task;
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
        options_.seed, static_cast<uint64_t>(
                           sequence * all + options_.first_head + Head(index)));
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
        const AttentionTask task = TaskAt(i);
        Grow(&scratch, AttentionForwardScratch(task));
        AttentionForward(task, {from + Query(i), layout_.query_row},
                         {seen + Key(i), layout_.key_row},
                         {seen + Value(i), layout_.key_row},
                         {to + Output(i), options_.value_channels},
                         scratch.data());
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
        const AttentionTask task = TaskAt(i);
        Grow(&scratch, AttentionBackwardScratch(task));
        AttentionBackward(task, {from + Query(i), layout_.query_row},
                          {seen + Key(i), layout_.key_row},
                          {seen + Value(i), layout_.key_row},
                          {outer + Output(i), options_.value_channels},
                          {{to + Query(i), layout_.query_row},
                           {back + Key(i), layout_.key_row},
                           {back + Value(i), layout_.key_row}},
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

class SelfFunction : public torch::autograd::Function<SelfFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& all,
                            const RaggedAttentionOptions& options) {
    Save(context, options);
    context->save_for_backward({all});
    return Plan(options, SelfLayout(options)).Forward(all, all);
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const at::Tensor all = context->get_saved_variables()[0];
    RaggedAttentionOptions options;
    Load(context, &options);
    at::Tensor gradient = at::empty_like(all);
    Plan(options, SelfLayout(options))
        .Backward(all, all, gradients[0].contiguous(), &gradient, &gradient);
    return {gradient, at::Tensor()};
  }

  static void Save(AutogradContext* context,
                   const RaggedAttentionOptions& options) {
    auto& data = context->saved_data;
    data["query_offsets"] = options.query_offsets;
    data["key_offsets"] = options.key_offsets;
    data["sizes"] = std::vector<int64_t>{options.heads,
                                         options.key_channels,
                                         options.value_channels,
                                         options.causal ? 1 : 0,
                                         static_cast<int64_t>(options.seed),
                                         options.all_heads,
                                         options.first_head};
    data["numbers"] = std::vector<double>{options.scale, options.dropout};
  }

  static void Load(AutogradContext* context, RaggedAttentionOptions* options) {
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
    options->seed = static_cast<uint64_t>(sizes[4]);
  }
};

class MemoryFunction : public torch::autograd::Function<MemoryFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& queries,
                            const at::Tensor& memory,
                            const RaggedAttentionOptions& options) {
    SelfFunction::Save(context, options);
    context->save_for_backward({queries, memory});
    return Plan(options, MemoryLayout(options)).Forward(queries, memory);
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const auto saved = context->get_saved_variables();
    RaggedAttentionOptions options;
    SelfFunction::Load(context, &options);
    at::Tensor query_gradient = at::empty_like(saved[0]);
    at::Tensor memory_gradient = at::empty_like(saved[1]);
    Plan(options, MemoryLayout(options))
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
