#ifndef T2T_DECODE_TOY_MODEL_H_
#define T2T_DECODE_TOY_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/model/model.h"
#include "t2t/problem/problem.h"
#include "t2t/text/text_encoder.h"

namespace t2t {

// One id a byte, after the reserved ones.
class ToyEncoder : public TextEncoder {
 public:
  std::vector<int64_t> Encode(std::string_view text) const override;
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous) const override;
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override;
  int64_t vocab_size() const override { return 256 + kNumReservedTokens; }
};

// "inputs" (unless without) and "targets" over ToyEncoder.
ProblemInfo ToyInfo(bool has_inputs = true);

// Logits are the hash of tools/golden/decode_beam_search.py of (seed, row,
// step, last id, id), so nothing is learnt.
class HashModel : public Model {
 public:
  HashModel(uint64_t seed, int64_t vocab_size, float eos_bias);

  at::Tensor Logits(const Features& features, Mode mode) override;
  LossParts Loss(const Features& features, Mode mode) override;
  std::unique_ptr<DecodeState> StartDecoding(const Features& features) override;
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override;

  int64_t rows_stepped() const { return rows_stepped_; }

 private:
  uint64_t seed_;
  int64_t vocab_size_;
  float eos_bias_;
  int64_t rows_stepped_ = 0;
};

// Says its inputs again. The one parameter, "toy/strength" [1], scales the
// logits; its first value is 0, so the model only copies once weights were
// loaded. Counts its batches and may be told
// to fail at one of them.
class CopyModel : public Model {
 public:
  CopyModel(HParams hparams, ProblemInfo info, const ParamOptions& params);

  at::Tensor Logits(const Features& features, Mode mode) override;
  LossParts Loss(const Features& features, Mode mode) override;
  std::unique_ptr<DecodeState> StartDecoding(const Features& features) override;
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override;

  int64_t batches = 0;
  int64_t fail_at_batch = -1;

 private:
  at::Tensor strength_;
};

}  // namespace t2t

#endif  // T2T_DECODE_TOY_MODEL_H_
