#ifndef T2T_MODEL_SEQ2SEQ_MODEL_H_
#define T2T_MODEL_SEQ2SEQ_MODEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/sequence_decoder.h"
#include "t2t/model/sequence_encoder.h"
#include "t2t/model/sequence_options.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"

namespace t2t {

// An encoder and a decoder, or a decoder alone for a problem without inputs,
// with T2T's way of preparing what goes into them (target space, positions,
// masks). A family makes its layers and says how they run, once, as functions
// of (x, pass); training over whole rows and without padding, evaluation,
// scheduled sampling, and decoding with cached keys and values come from here.
//
//   class MyModel : public Seq2SeqModel {
//    public:
//     MyModel(HParams hparams, ProblemInfo info, const ParamOptions& params)
//         : Seq2SeqModel("my_model", SequenceOptions::FromHParams(hparams),
//                        hparams, std::move(info), params) { Build(); }
//    protected:
//     void BuildEncoder(const Scope& scope) override { .. }
//     void BuildDecoder(const Scope& scope, bool has_memory) override { .. }
//     at::Tensor Encode(const at::Tensor& x, nn::Pass& pass) const override {
//       return encoder_(x, pass);
//     }
//     at::Tensor Decode(const at::Tensor& x, nn::Pass& pass) const override {
//       return decoder_(x, pass);
//     }
class Seq2SeqModel : public Model {
 public:
  std::unique_ptr<DecodeState> StartDecoding(const Features& features) override;
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override;

 protected:
  // name: the model's, which stands before its parameters.
  Seq2SeqModel(std::string name, const SequenceOptions& options,
               HParams hparams, ProblemInfo info, const ParamOptions& params);

  // Makes the model's ends and, by the two functions below, its layers. The
  // constructor of a family's class calls it.
  void Build();
  // scope: "<model>/body/encoder" and "<model>/body/decoder" (without "body"
  // where SequenceOptions::no_body_scope says so). BuildEncoder is
  // called where the problem has inputs, before BuildDecoder.
  virtual void BuildEncoder(const Scope& scope) = 0;
  virtual void BuildDecoder(const Scope& scope, bool has_memory) = 0;

  // The encoder's input out of what the inputs' modality gives: [batch, length,
  // hidden]. (Training without padding, where LayersCanBeRagged(), leaves it
  // out.)
  virtual at::Tensor InputSequence(const at::Tensor& embedded) const {
    return AsSequence(embedded);
  }

  // From the first layer's input to the last one's output (after the last
  // layer_preprocess, where there is one).
  virtual at::Tensor Encode(const at::Tensor& x, nn::Pass& pass) const = 0;
  virtual at::Tensor Decode(const at::Tensor& x, nn::Pass& pass) const = 0;

  // Whether all layers run over ragged sequences.
  virtual bool LayersCanBeRagged() const { return false; }
  // Throws a usage error where the decoder can't run step by step.
  virtual void CheckLayersCanStep() const {}

  at::Tensor Body(const Features& features, nn::Context& context) override;
  LossParts TargetLoss(const Features& features, nn::Context& context) override;

  // What Body() is made of. Encoded is empty where there are no inputs.
  Encoded EncodeInputs(const Features& features, nn::Context& context) const;
  // targets_BLD: embedded, not yet shifted.
  at::Tensor DecodeTargets(const at::Tensor& targets_BLD,
                           const Encoded& encoded, const Features& features,
                           nn::Context& context,
                           const MemoryChunk* chunk = nullptr) const;
  bool has_encoder() const { return encoder_ != nullptr; }

  // The decoder's output in a decoding step, [rows, 1, hidden]. ids as in
  // DecodeStep().
  at::Tensor StepOutput(DecodeState* state, const at::Tensor& ids,
                        nn::Context& context) const;
  // The same at several positions of each row, [rows, n, hidden], for ids
  // [rows, n] (see SequenceDecoder::StepBlock(); undefined at the start).
  at::Tensor BlockOutput(DecodeState* state, const at::Tensor& ids,
                         nn::Context& context) const;
  // Whether it can as far as what stands before the layers is concerned.
  bool CanStepInBlocks() const { return decoder_->CanStepInBlocks(); }

 private:
  // The decoder's next input, for ids [rows, n] or none.
  at::Tensor NextEmbedding(const CachedDecodeState& state,
                           const at::Tensor& ids,
                           const nn::Context& context) const;
  // The loss of the gold targets, given what the model makes of them.
  LossParts SampledLoss(const Features& features, nn::Context& context);
  // The loss without padding; nothing where this batch needs it.
  std::optional<LossParts> RaggedLoss(const Features& features,
                                      nn::Context& context) const;

  const std::string name_;
  SequenceOptions options_;
  ScheduledSampling sampling_;
  bool ragged_ = false;  // what hparams, layers and modalities say
  std::unique_ptr<SequenceEncoder> encoder_;  // null without inputs
  std::unique_ptr<SequenceDecoder> decoder_;
};

}  // namespace t2t

#endif  // T2T_MODEL_SEQ2SEQ_MODEL_H_
