#include "t2t/model/scheduled_sampling.h"

#include <algorithm>
#include <cmath>

#include "t2t/base/error.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

constexpr double kLeast = 0.001;  // of `most`, at step 0

bool Wanted(const HParams& hparams) {
  return hparams.Has("scheduled_sampling_prob") &&
         hparams.GetDouble("scheduled_sampling_prob") != 0.0;
}

void Expect(bool right, const HParams& hparams, const std::string& name,
            const std::string& expected) {
  if (right) return;
  throw UsageError(name + "=" + HParams::ValueToString(hparams.Get(name)) +
                       " with scheduled sampling",
                   expected, "change --hparams=" + name + "=...");
}

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

ScheduledSampling ScheduledSampling::FromHParams(const HParams& hparams,
                                                 const ProblemInfo& info) {
  ScheduledSampling sampling;
  if (!Wanted(hparams)) return sampling;
  Expect(hparams.GetDouble("scheduled_sampling_prob") == 1.0, hparams,
         "scheduled_sampling_prob", "0 (none) or 1");
  Expect(hparams.GetString("scheduled_sampling_method") == "parallel", hparams,
         "scheduled_sampling_method", "parallel");
  sampling.passes = hparams.GetInt("scheduled_sampling_num_passes");
  Expect(sampling.passes > 0, hparams, "scheduled_sampling_num_passes",
         "at least 1");
  sampling.warmup_steps = hparams.GetInt("scheduled_sampling_warmup_steps");
  Expect(sampling.warmup_steps > 0, hparams, "scheduled_sampling_warmup_steps",
         "at least 1");
  sampling.schedule = hparams.GetString("scheduled_sampling_warmup_schedule");
  Expect(sampling.schedule == "exp" || sampling.schedule == "linear" ||
             sampling.schedule == "sigmoid",
         hparams, "scheduled_sampling_warmup_schedule",
         "exp, linear or sigmoid");
  sampling.most = hparams.GetDouble("scheduled_sampling_gold_mixin_prob");
  Expect(hparams.GetInt("vocab_divisor") == 1, hparams, "vocab_divisor", "1");
  const auto targets = info.features.find("targets");
  if (targets == info.features.end() ||
      !TraitsOfModality(targets->second.modality).is_plain_symbols) {
    throw UsageError(
        "scheduled sampling with targets that are " +
            (targets == info.features.end() ? "not there"
                                            : targets->second.modality),
        "symbols", "set --hparams=scheduled_sampling_prob=0");
  }
  return sampling;
}

double ScheduledSampling::Share(int64_t step) const {
  const double done = std::min(
      static_cast<double>(step) / static_cast<double>(warmup_steps), 1.0);
  if (schedule == "exp") return most * std::pow(kLeast, 1.0 - done);
  if (schedule == "linear") return most * (done * (1.0 - kLeast) + kLeast);
  // From where the sigmoid is kLeast to where it is 1 - kLeast, stretched so
  // that it ends at 1.
  const double end = std::log((1.0 - kLeast) / kLeast);
  const double y = Sigmoid(end * (2.0 * done - 1.0));
  return most * ((y - kLeast) / (1.0 - 2.0 * kLeast) * (1.0 - kLeast) + kLeast);
}

at::Tensor MixSampled(const at::Tensor& gold, const at::Tensor& previous,
                      const at::Tensor& logits, double share, int64_t pass,
                      const at::Generator& rng) {
  const at::Tensor sampled =
      at::multinomial(at::softmax(logits, -1).flatten(0, -2), 1,
                      /*replacement=*/false, rng)
          .view(gold.sizes());
  const at::Tensor mixed =
      at::where(at::rand(gold.sizes(), rng).lt(share), sampled, gold);
  const at::Tensor later = at::arange(gold.size(1), at::kLong).ge(pass);
  return at::where(later, mixed, previous);
}

void RefuseScheduledSampling(const HParams& hparams) {
  if (!Wanted(hparams)) return;
  Expect(false, hparams, "scheduled_sampling_prob",
         "0 (teacher forcing) for this model");
}

}  // namespace t2t
