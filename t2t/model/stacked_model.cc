#include "t2t/model/stacked_model.h"

#include <utility>

#include "t2t/base/error.h"

namespace t2t {

StackedModel::StackedModel(const std::string& name,
                           const SequenceOptions& options, MakeStack make,
                           HParams hparams, ProblemInfo info,
                           const ParamOptions& params)
    : Seq2SeqModel(name, options, std::move(hparams), std::move(info), params),
      make_(std::move(make)) {
  Build();
}

void StackedModel::BuildEncoder(const Scope& scope) {
  encoder_ = make_(scope, {.is_decoder = false, .has_memory = false});
}

void StackedModel::BuildDecoder(const Scope& scope, bool has_memory) {
  decoder_ = make_(scope, {.is_decoder = true, .has_memory = has_memory});
}

std::unique_ptr<DecodeState> StackedModel::StartDecoding(
    const Features& features) {
  return decoder_.CanStep() ? Seq2SeqModel::StartDecoding(features)
                            : Model::StartDecoding(features);
}

at::Tensor StackedModel::DecodeStep(DecodeState* state, const at::Tensor& ids) {
  return decoder_.CanStep() ? Seq2SeqModel::DecodeStep(state, ids)
                            : Model::DecodeStep(state, ids);
}

void RefuseSplitModel(const Scope& scope) {
  if (scope.tensor_parallel() == nullptr) return;
  const std::string& prefix = scope.prefix();
  throw UsageError("the model " + prefix.substr(0, prefix.find('/')) +
                       " in a mesh that splits models",
                   "a mesh without model, or the model transformer",
                   "leave model out of --mesh_shape");
}

}  // namespace t2t
