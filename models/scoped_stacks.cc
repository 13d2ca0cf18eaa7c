#include "models/scoped_stacks.h"

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "t2t/ops/device.h"

namespace t2t {
namespace {

SequenceOptions WithDropout(SequenceOptions options, double dropout) {
  options.dropout = dropout;
  return options;
}

}  // namespace

ScopedEncoder::ScopedEncoder(const Scope& scope,
                             const TransformerConfig& config, double dropout)
    : encoder_(scope, WithDropout(config.sequence, dropout)),
      layers_(EncoderStack(scope.Sub("encoder"), config)) {}

Encoded ScopedEncoder::operator()(const at::Tensor& inputs_BLD,
                                  int64_t target_space_id,
                                  nn::Context& context) const {
  return encoder_.Whole(
      inputs_BLD, target_space_id, {}, context,
      [this](const at::Tensor& x, nn::Pass& pass) { return layers_(x, pass); });
}

ScopedDecoder::ScopedDecoder(const Scope& scope,
                             const TransformerConfig& config, bool has_memory)
    : size_(config.sequence.hidden_size),
      decoder_(scope, config.sequence),
      layers_(DecoderStack(scope.Sub("decoder"), config, has_memory)) {}

Layers ScopedDecoder::AllLayers() const {
  return
      [this](const at::Tensor& x, nn::Pass& pass) { return layers_(x, pass); };
}

at::Tensor ScopedDecoder::operator()(const at::Tensor& targets_BLD,
                                     const Encoded& encoded,
                                     nn::Context& context) const {
  return decoder_.Whole(targets_BLD, encoded, {}, context, AllLayers());
}

at::Tensor ScopedDecoder::Greedy(int64_t rows, int64_t length,
                                 const Encoded& encoded, const Embed& embed,
                                 const Predict& logits,
                                 nn::Context& context) const {
  const std::unique_ptr<CachedDecodeState> state =
      decoder_.Start(encoded, rows);
  at::Tensor last_BD = at::zeros({rows, size_}, OnDevice(at::kFloat));
  std::vector<at::Tensor> codes;
  for (int64_t i = 0; i < length; ++i) {
    const at::Tensor x_BD =
        decoder_.Step(last_BD.unsqueeze(1), state.get(), context, AllLayers())
            .squeeze(1);
    codes.push_back(logits(x_BD).argmax(-1));
    last_BD = embed(codes.back());
  }
  return at::stack(codes, 1);
}

}  // namespace t2t
