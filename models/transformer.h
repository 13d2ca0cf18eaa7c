#ifndef MODELS_TRANSFORMER_H_
#define MODELS_TRANSFORMER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/model/seq2seq_model.h"
#include "t2t/nn/block.h"

namespace t2t {

// T2T's model "transformer": encoder and decoder, or a decoder alone for a
// problem without inputs. Vaswani et al. 2017, "Attention Is All You Need",
// arXiv:1706.03762.
class Transformer : public Seq2SeqModel {
 public:
  Transformer(HParams hparams, ProblemInfo info, const ParamOptions& params);

 protected:
  // A variant with this name before its variables.
  Transformer(const std::string& name, const TransformerConfig& config,
              HParams hparams, ProblemInfo info, const ParamOptions& params);

  void BuildEncoder(const Scope& scope) override;
  void BuildDecoder(const Scope& scope, bool has_memory) override;
  at::Tensor Encode(const at::Tensor& x, nn::Pass& pass) const override;
  at::Tensor Decode(const at::Tensor& x, nn::Pass& pass) const override;
  bool LayersCanBeRagged() const override;
  void CheckLayersCanStep() const override;

  const TransformerConfig& config() const { return config_; }
  // With config().memory: the decoder's layers that have one.
  const RecurrentLayers& recurrent_layers() const { return recurrent_layers_; }

 private:
  TransformerConfig config_;
  nn::Stack encoder_;  // empty without inputs
  nn::Stack decoder_;
  RecurrentLayers recurrent_layers_;
};

}  // namespace t2t

#endif  // MODELS_TRANSFORMER_H_
