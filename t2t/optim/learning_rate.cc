#include "t2t/optim/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/key_rules.h"

namespace t2t {
namespace {

double Warmup(const HParams& hparams) {
  return hparams.GetDouble("learning_rate_warmup_steps");
}

// An hparam that is divided by.
double Positive(const HParams& hparams, const std::string& name) {
  const double value = hparams.GetDouble(name);
  if (!(value > 0)) {
    throw UsageError("hparam " + name + "=" + DoubleToString(value),
                     "a number above 0, since the learning rate schedule "
                     "divides by it");
  }
  return value;
}

std::vector<double> Numbers(const HParams& hparams, const std::string& name) {
  std::vector<double> numbers;
  if (!hparams.Has(name)) return numbers;
  const HParams::Value& value = hparams.Get(name);
  if (const auto* list = std::get_if<std::vector<double>>(&value)) {
    return *list;
  }
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) {
    return std::vector<double>(list->begin(), list->end());
  }
  for (const std::string& text : hparams.GetStrings(name)) {
    double number = 0;
    if (!ParseDouble(Trim(text), &number)) {
      throw UsageError("hparam " + name + " holds '" + text + "'",
                       "a list of numbers");
    }
    numbers.push_back(number);
  }
  return numbers;
}

double CosineHalf(double fraction) {
  return 0.5 * (1.0 + std::cos(std::numbers::pi * fraction));
}

double Piecewise(const HParams& hparams, double step) {
  const std::vector<double> boundaries =
      Numbers(hparams, "learning_rate_boundaries");
  const std::vector<double> multiples =
      Numbers(hparams, "learning_rate_multiples");
  if (boundaries.size() != multiples.size()) {
    throw UsageError("learning_rate_boundaries has " +
                         std::to_string(boundaries.size()) +
                         " values and learning_rate_multiples " +
                         std::to_string(multiples.size()),
                     "as many of one as of the other");
  }
  double value = 1.0;
  for (size_t i = 0; i < boundaries.size() && step > boundaries[i]; ++i) {
    value = multiples[i];
  }
  return value;
}

double LegacyDecay(const HParams& hparams, double step, double warmup) {
  const std::string& scheme = hparams.GetString("learning_rate_decay_scheme");
  if (scheme.empty() || scheme == "none") return 1.0;
  if (scheme == "exp") {
    double p = (step - warmup) / Positive(hparams, "learning_rate_decay_steps");
    if (hparams.GetBool("learning_rate_decay_staircase")) p = std::floor(p);
    return std::pow(hparams.GetDouble("learning_rate_decay_rate"), p);
  }
  if (scheme == "piecewise") return Piecewise(hparams, step);
  if (scheme == "cosine") {
    const double cycle = Positive(hparams, "learning_rate_cosine_cycle_steps");
    const double position =
        cycle - std::abs(cycle - std::fmod(step, 2.0 * cycle));
    return CosineHalf(position / cycle);
  }
  if (scheme == "cyclelinear10x") {
    const double cycle = Positive(hparams, "learning_rate_warmup_steps");
    const double position = (std::fmod(step, 2.0 * cycle) - cycle) / cycle;
    return (1.0 - std::abs(position) + 0.1) * 3.0;
  }
  if (scheme == "sqrt") {
    return 500.0 / std::sqrt(std::max(step - warmup, 1.0));
  }
  throw UsageError(
      "there is no learning_rate_decay_scheme '" + scheme + "'",
      DidYouMean(scheme, HParamChoices("learning_rate_decay_scheme")),
      ChoicesText(HParamChoices("learning_rate_decay_scheme")));
}

// The base rate; T2T's model distillation has one for each of its phases.
double BaseRate(const HParams& hparams) {
  for (const auto& [phase, name] :
       {std::pair("train", "teacher_learning_rate"),
        std::pair("distill", "student_learning_rate")}) {
    if (hparams.Has("distill_phase") && hparams.Has(name) &&
        hparams.GetString("distill_phase") == phase &&
        hparams.GetDouble(name) != 0.0) {
      return hparams.GetDouble(name);
    }
  }
  return hparams.GetDouble("learning_rate");
}

double Legacy(const HParams& hparams, double step) {
  const double warmup = Warmup(hparams);
  double rate;
  if (hparams.GetString("learning_rate_decay_scheme") == "noam") {
    const double next = step + 1.0;
    const double rising =
        next * std::pow(Positive(hparams, "learning_rate_warmup_steps"), -1.5);
    rate = 5000.0 * std::pow(Positive(hparams, "hidden_size"), -0.5) *
           std::min(rising, std::pow(next, -0.5));
  } else if (step < warmup) {
    // Exponential, from a hundredth.
    rate = std::pow(std::exp(std::log(0.01) / warmup), warmup - step);
  } else {
    rate = LegacyDecay(hparams, step, warmup);
  }
  const bool adam =
      hparams.GetString("optimizer").find("adam") != std::string::npos;
  return rate * (adam ? 0.002 : 1.0) * BaseRate(hparams);
}

double Factor(const std::string& name, const HParams& hparams, double step,
              double train_steps) {
  if (name == "constant") return hparams.GetDouble("learning_rate_constant");
  if (name == "linear_warmup") {
    const double warmup = Warmup(hparams);
    return warmup > 0 ? std::min(1.0, step / warmup) : 1.0;
  }
  if (name == "linear_decay") {
    const double left =
        (train_steps - step) / Positive(hparams, "learning_rate_decay_steps");
    return std::clamp(left, 0.0, 1.0);
  }
  if (name == "cosdecay") {
    if (step <= Warmup(hparams)) return 1.0;
    return CosineHalf(step / Positive(hparams, "learning_rate_decay_steps"));
  }
  if (name == "single_cycle_cos_decay") {
    const double warmup = Warmup(hparams);
    if (train_steps <= warmup) {
      throw UsageError("single_cycle_cos_decay with train_steps " +
                           DoubleToString(train_steps) +
                           " and learning_rate_warmup_steps " +
                           DoubleToString(warmup),
                       "more training steps than warmup steps");
    }
    return CosineHalf((std::max(step, warmup) - warmup) /
                      (train_steps - warmup));
  }
  if (name == "multi_cycle_cos_decay") {
    const double warmup = Warmup(hparams);
    return CosineHalf((std::max(step, warmup) - warmup) /
                      Positive(hparams, "learning_rate_decay_steps"));
  }
  if (name == "rsqrt_decay" || name == "rsqrt_normalized_decay") {
    const double warmup = Positive(hparams, "learning_rate_warmup_steps");
    const double rate = 1.0 / std::sqrt(std::max(step, warmup));
    return name == "rsqrt_decay" ? rate : rate * std::sqrt(warmup);
  }
  if (name == "exp_decay") {
    double p =
        std::max(0.0, (step - Warmup(hparams)) /
                          Positive(hparams, "learning_rate_decay_steps"));
    if (hparams.GetBool("learning_rate_decay_staircase")) p = std::floor(p);
    return std::pow(hparams.GetDouble("learning_rate_decay_rate"), p);
  }
  if (name == "rsqrt_hidden_size") {
    return std::pow(Positive(hparams, "hidden_size"), -0.5);
  }
  if (name == "legacy") return Legacy(hparams, step);
  throw UsageError("there is no learning rate factor '" + name + "'",
                   DidYouMean(name, HParamChoices("learning_rate_schedule")),
                   ChoicesText(HParamChoices("learning_rate_schedule")));
}

}  // namespace

double LearningRate(const HParams& hparams, int64_t step, int64_t train_steps) {
  double rate = 1.0;
  double counted = static_cast<double>(step);
  constexpr char kAccumulate[] = "optimizer_multistep_accumulate_steps";
  if (hparams.Has(kAccumulate) && hparams.GetInt(kAccumulate) > 0) {
    counted /= static_cast<double>(hparams.GetInt(kAccumulate));
  }
  for (const std::string& part :
       Split(hparams.GetString("learning_rate_schedule"), '*')) {
    const std::string name(Trim(part));
    if (name.empty()) continue;
    rate *= Factor(name, hparams, counted, static_cast<double>(train_steps));
  }
  return rate;
}

}  // namespace t2t
