#include "launch/app/estimate.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "launch/render/gpus.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/problem/problem.h"
#include "t2t/problem/text_problem.h"

namespace t2t {
namespace {

// Of a GPU's peak, what training reaches. A guess that is said with the result.
constexpr double kUtilisation = 0.35;
// Sentences of translations, in subwords.
constexpr double kSentence = 32;
// Of a process on a GPU: CUDA's context.
constexpr double kGpuBytes = 1e9;

int64_t IntOr(const HParams& hparams, const char* name, int64_t otherwise) {
  return hparams.Has(name) ? hparams.GetInt(name) : otherwise;
}
bool BoolOr(const HParams& hparams, const char* name, bool otherwise) {
  return hparams.Has(name) ? hparams.GetBool(name) : otherwise;
}
std::string TextOr(const HParams& hparams, const char* name,
                   const std::string& otherwise) {
  return hparams.Has(name) ? hparams.GetString(name) : otherwise;
}

[[noreturn]] void NoEstimate(const std::string& why) {
  throw UsageError("no estimate is made for " + why);
}

// What the layers of a Transformer have: models/transformer_layers.cc,
// t2t/nn.
struct Layers {
  explicit Layers(const HParams& hparams)
      : hidden(hparams.GetInt("hidden_size")),
        filter(hparams.GetInt("filter_size")),
        heads(hparams.GetInt("num_heads")),
        norm_type(hparams.GetString("norm_type")),
        before(Sequence(hparams, "layer_preprocess_sequence")),
        after(Sequence(hparams, "layer_postprocess_sequence")),
        attention_type(TextOr(hparams, "self_attention_type", "dot_product")),
        ffn(TextOr(hparams, "ffn_layer", "dense_relu_dense")),
        reach(IntOr(hparams, "max_relative_position", 0)) {
    const int64_t all = hparams.GetInt("num_hidden_layers");
    encoder = IntOr(hparams, "num_encoder_layers", 0);
    decoder = IntOr(hparams, "num_decoder_layers", 0);
    if (encoder == 0) encoder = all;
    if (decoder == 0) decoder = all;
    keys = IntOr(hparams, "attention_key_channels", 0);
    values = IntOr(hparams, "attention_value_channels", 0);
    if (keys == 0) keys = hidden;
    if (values == 0) values = hidden;
    if (hidden < 1 || filter < 1 || heads < 1 || keys % heads != 0) {
      NoEstimate("these sizes: hidden_size, filter_size, num_heads");
    }
    if (attention_type != "dot_product" &&
        attention_type != "dot_product_relative") {
      NoEstimate("self_attention_type=" + attention_type);
    }
    if (ffn != "dense_relu_dense" && ffn != "conv_hidden_relu" &&
        ffn != "none") {
      NoEstimate("ffn_layer=" + ffn);
    }
    if (IntOr(hparams, "num_area_layers", 0) > 0) {
      NoEstimate("area attention");
    }
  }

  static std::string Sequence(const HParams& hparams, const char* name) {
    const std::string text = hparams.GetString(name);
    return text == "none" ? "" : text;
  }

  // Kernels of one attention.
  int64_t Attention() const { return hidden * (2 * keys + 2 * values); }

  int64_t Relative() const {
    return attention_type == "dot_product" ? 0
                                           : 2 * (2 * reach + 1) * keys / heads;
  }

  int64_t FfnKernels() const { return ffn == "none" ? 0 : 2 * hidden * filter; }
  int64_t FfnBiases() const { return ffn == "none" ? 0 : hidden + filter; }

  int64_t Norms(const std::string& sequence) const {
    const int64_t one =
        norm_type == "layer" || norm_type == "l2" || norm_type == "batch"
            ? 2 * hidden
            : 0;
    int64_t sum = 0;
    for (const char step : sequence) {
      sum += step == 'n' ? one : step == 'z' ? 1 : 0;
    }
    return sum;
  }

  // With what stands before and after it.
  int64_t Sublayer(int64_t own) const {
    return own + Norms(before) + Norms(after);
  }

  int64_t hidden, filter, heads;
  std::string norm_type, before, after, attention_type, ffn;
  int64_t reach;
  int64_t encoder, decoder, keys, values;
};

int64_t RoundUp(int64_t size, int64_t divisor) {
  return divisor > 1 ? (size + divisor - 1) / divisor * divisor : size;
}

// Of each weight, the optimizer's bytes.
double OptimizerBytes(const HParams& hparams) {
  const std::string name = Lower(hparams.GetString("optimizer"));
  if (name == "sgd") return 0;
  if (name == "adafactor") return 0.1;  // a row and a column of each matrix
  if (name == "momentum" || name == "adagrad" || name == "true_adagrad") {
    return 4;
  }
  if (name == "multistep_adam") return 12;
  return 8;
}

std::vector<double> Sizes(const Component& component) {
  std::vector<double> sizes;
  for (const char* const name : {"memory_limit", "memory"}) {
    const std::string text = component.params.String(name);
    if (!text.empty()) sizes.push_back(QuantityValue(text));
  }
  return sizes;
}

// What the problem's models read and write.
void FindVocabularies(const std::string& name,
                      const std::vector<std::string>& data_dirs,
                      TrainingEstimate* estimate) {
  const std::unique_ptr<Problem> problem = MakeProblem(name);
  // Some problems need no data to know it.
  std::vector<std::string> folders = data_dirs;
  folders.push_back("/dev/null");
  for (const std::string& data_dir : folders) {
    ProblemInfo info;
    try {
      info = problem->Info(data_dir);
    } catch (const Error&) {
      continue;
    }
    for (const auto& [feature, about] : info.features) {
      if (about.modality != "symbol") {
        NoEstimate("the problem's " + feature + " (" + about.modality + ")");
      }
      (feature == "inputs" ? estimate->vocabularies.inputs
                           : estimate->vocabularies.targets) = about.vocab_size;
    }
    estimate->vocabulary_known = true;
    return;
  }
  const std::unique_ptr<Problem> bare =
      Problems().Get(ParseProblemName(name).base_name)();
  const auto* const text = dynamic_cast<const Text2TextProblem*>(bare.get());
  if (text == nullptr) NoEstimate("the problem " + name);
  const int64_t size = text->vocabulary_type() == VocabularyType::kCharacter
                           ? 258
                           : text->approx_vocab_size();
  estimate->vocabularies = {size, size};
}

std::string Grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string Duration(double hours) {
  if (hours < 1) return Format("%.0f minutes", std::max(1.0, hours * 60));
  return hours < 48 ? Format("%.1f hours", hours)
                    : Format("%.1f days", hours / 24);
}

// The model's cost; what it was computed with goes into the estimate.
ModelCost FindCost(const Component& component,
                   const std::vector<std::string>& data_dirs,
                   TrainingEstimate* estimate) {
  const Params& params = component.params;
  const std::string model = params.String("model");
  if (model != "transformer" && model != "transformer_scorer") {
    NoEstimate("the model " + model);
  }
  const std::string name = params.String("problem");
  HParams hparams = HParamsSets().Get(params.String("hparams_set"))();
  MakeProblem(name)->AdjustHParams(&hparams);
  hparams.Parse(params.String("hparams"));
  FindVocabularies(name, data_dirs, estimate);
  return TransformerCost(hparams, estimate->vocabularies);
}

}  // namespace

std::string BytesText(double bytes) {
  return bytes >= 1e9 ? Format("%.1f GB", bytes / 1e9)
                      : Format("%.0f MB", bytes / 1e6);
}

ModelCost CostOfModel(const Component& component) {
  TrainingEstimate unused;
  return FindCost(component, {}, &unused);
}

ModelCost TransformerCost(const HParams& hparams,
                          const Vocabularies& vocabularies) {
  const Layers layers(hparams);
  const bool has_inputs = vocabularies.inputs > 0;
  const int64_t divisor = IntOr(hparams, "vocab_divisor", 1);
  const int64_t inputs = RoundUp(vocabularies.inputs, divisor);
  const int64_t targets = RoundUp(vocabularies.targets, divisor);
  const int64_t d = layers.hidden;
  if (targets < 1) NoEstimate("a problem without a vocabulary");

  ModelCost cost;
  // Tables of symbols: one where all is shared.
  const bool share_softmax =
      hparams.GetBool("shared_embedding_and_softmax_weights") &&
      (!has_inputs || inputs == targets);
  const bool share_embedding =
      share_softmax || BoolOr(hparams, "shared_embedding", false);
  int64_t tables = targets * d;
  if (!share_softmax) tables += targets * d;
  if (has_inputs && !(share_embedding && inputs == targets)) {
    tables += inputs * d;
  }
  cost.parameters = tables;
  // Kernels that every position goes through: flops[side] each.
  int64_t encoder_kernels = 0;
  int64_t decoder_kernels = targets * d;
  const int64_t positions = TextOr(hparams, "pos", "timing") == "emb"
                                ? IntOr(hparams, "max_length", 0) * d
                                : 0;
  if (has_inputs) {
    if (BoolOr(hparams, "use_target_space_embedding", true)) {
      cost.parameters += 32 * d;
    }
    const int64_t kernels = layers.Attention() + layers.FfnKernels();
    encoder_kernels += layers.encoder * kernels;
    cost.parameters +=
        layers.encoder *
            (layers.Sublayer(layers.Attention() + layers.Relative()) +
             layers.Sublayer(layers.FfnKernels() + layers.FfnBiases())) +
        layers.Norms(layers.before) + positions;
  }
  int64_t decoder_layer =
      layers.Sublayer(layers.Attention() + layers.Relative()) +
      layers.Sublayer(layers.FfnKernels() + layers.FfnBiases());
  int64_t kernels = layers.Attention() + layers.FfnKernels();
  if (has_inputs) {
    decoder_layer += layers.Sublayer(layers.Attention());
    kernels += layers.Attention();
  }
  decoder_kernels += layers.decoder * kernels;
  cost.parameters +=
      layers.decoder * decoder_layer + layers.Norms(layers.before) + positions;

  // A batch that is full of symbols on both sides.
  const int64_t longest = IntOr(hparams, "max_length", 0);
  double length = kSentence;
  if (!has_inputs) length = longest > 0 ? static_cast<double>(longest) : 256;
  double tokens = static_cast<double>(IntOr(hparams, "batch_size", 4096));
  if (BoolOr(hparams, "use_fixed_batch_size", false)) tokens *= length;
  const double attentions =
      static_cast<double>((has_inputs ? layers.encoder : 0) +
                          layers.decoder * (has_inputs ? 2 : 1));
  // Two operations for each product and sum; backwards twice of forwards. (A
  // step is a batch, wherever gradients are added up.)
  cost.flops = 3 * tokens *
               (2 * static_cast<double>(encoder_kernels + decoder_kernels) +
                2 * attentions * length *
                    static_cast<double>(layers.keys + layers.values));

  const std::string type = TextOr(hparams, "activation_dtype", "float32");
  cost.half = type == "bfloat16" || type == "float16";
  const double weights = static_cast<double>(cost.parameters);
  cost.gradient_bytes = 4 * weights;
  cost.state_bytes = (8 + OptimizerBytes(hparams)) * weights;
  cost.checkpoint_bytes = cost.state_bytes - cost.gradient_bytes;
  // What a position keeps for the way back: its attention's inputs, queries,
  // keys, values, outputs, and the feed-forward layer's.
  const double encoder_layer = 8 * static_cast<double>(d) +
                               1.5 * static_cast<double>(layers.filter) +
                               static_cast<double>(layers.heads) * length;
  const double memory =
      6 * static_cast<double>(d) + static_cast<double>(layers.heads) * length;
  const double numbers =
      (has_inputs ? static_cast<double>(layers.encoder) * encoder_layer : 0) +
      static_cast<double>(layers.decoder) *
          (encoder_layer + (has_inputs ? memory : 0));
  // The loss keeps a thousand positions' logits at a time.
  cost.activation_bytes =
      tokens * numbers * (cost.half ? 2 : 4) +
      std::min(tokens, 1024.0) * static_cast<double>(targets) * 8;
  return cost;
}

TrainingEstimate EstimateTraining(const Component& component,
                                  const std::vector<std::string>& data_dirs) {
  const Params& params = component.params;
  TrainingEstimate estimate;
  try {
    estimate.cost = FindCost(component, data_dirs, &estimate);
  } catch (const Error& error) {
    estimate = {};
    estimate.none = error.what();
    return estimate;
  }
  const int64_t workers = params.Int("workers");
  const int64_t gpus = params.Int("gpus");
  estimate.processes = workers * std::max<int64_t>(gpus, 1);
  estimate.gpus = workers * gpus;
  estimate.checkpoints = params.Int("keep_checkpoint_max");
  const Gpu* const gpu = FindGpu(params.String("gpu_type"));
  const double of_program = gpus > 0 ? kGpuBytes : kProgramBytes;
  estimate.memory_certain = estimate.cost.state_bytes + of_program;
  estimate.memory_needed =
      estimate.memory_certain + estimate.cost.activation_bytes;
  // Shards of state on each rank are not looked into.
  for (const std::string& flag : params.List("trainer_args")) {
    if (StartsWith(flag, "--zero")) estimate.memory_certain = of_program;
  }
  if (gpus == 0) {
    estimate.memory_of = "Pod";
    estimate.memory_there = Sizes(component)[0];
  } else {
    estimate.memory_of = "GPU";
    if (gpu != nullptr) estimate.memory_there = gpu->memory;
  }
  if (gpus == 0 || gpu == nullptr) return estimate;
  const double peak = estimate.cost.half ? gpu->half_flops : gpu->float_flops;
  estimate.step_seconds = estimate.cost.flops / (peak * kUtilisation);
  estimate.hours = estimate.step_seconds *
                   static_cast<double>(params.Int("train_steps")) / 3600;
  double price = 0;
  if (ParseDouble(params.String("gpu_hour_price"), &price)) {
    estimate.price =
        estimate.hours * static_cast<double>(estimate.gpus) * price;
  }
  return estimate;
}

std::string EstimateText(const TrainingEstimate& estimate) {
  if (!estimate.none.empty()) return "  " + estimate.none + "\n";
  const ModelCost& cost = estimate.cost;
  std::string text = "  parameters:  " + Grouped(cost.parameters) +
                     (estimate.vocabulary_known ? " (vocabulary of "
                                                : " (if the vocabulary has ") +
                     Grouped(estimate.vocabularies.targets) + ")\n";
  text += "  memory:      about " + BytesText(estimate.memory_needed) + " a " +
          estimate.memory_of + " (weights, gradients, optimizer " +
          BytesText(cost.state_bytes) + ", a full batch " +
          BytesText(cost.activation_bytes) + ")";
  if (estimate.memory_there > 0) {
    text += ", of " + BytesText(estimate.memory_there);
  }
  text += "\n  checkpoints: " + BytesText(cost.checkpoint_bytes) + " each";
  if (estimate.checkpoints > 0) {
    text += ", " + std::to_string(estimate.checkpoints) + " are kept: " +
            BytesText(static_cast<double>(estimate.checkpoints) *
                      cost.checkpoint_bytes);
  }
  text += Format("\n  a step:      %.3g FLOPs a process", cost.flops);
  if (estimate.processes > 1) {
    text += ", " + std::to_string(estimate.processes) +
            " processes that exchange " + BytesText(cost.gradient_bytes);
  }
  if (estimate.step_seconds > 0) {
    text += Format(", %.3g s at %.0f%% of the GPU's peak",
                   estimate.step_seconds, 100 * kUtilisation);
    text += "\n  all steps:   " + Duration(estimate.hours);
    if (estimate.gpus > 1) {
      text += " of " + std::to_string(estimate.gpus) + " GPUs";
    }
    if (estimate.price > 0)
      text += Format(", at a cost of %.2f", estimate.price);
    text += estimate.processes > 1 ? ", the exchange not counted" : "";
  } else if (estimate.gpus > 0) {
    text += "\n  (with gpu_type, and gpu_hour_price: time and cost)";
  }
  return text + "\n";
}

std::vector<std::string> EstimateErrors(const TrainingEstimate& estimate) {
  if (!estimate.none.empty() || estimate.memory_there == 0 ||
      estimate.memory_certain <= estimate.memory_there) {
    return {};
  }
  return {"weights, gradients and the optimizer's state need " +
          BytesText(estimate.memory_certain) + ", a " + estimate.memory_of +
          " has " + BytesText(estimate.memory_there) +
          "\n  expected: a smaller model, or " +
          (estimate.gpus > 0 ? "a larger GPU" : "more memory")};
}

std::vector<std::string> EstimateWarnings(const TrainingEstimate& estimate) {
  if (!estimate.none.empty() || estimate.memory_there == 0 ||
      estimate.memory_needed <= estimate.memory_there ||
      !EstimateErrors(estimate).empty()) {
    return {};
  }
  return {"a full batch may not fit: about " +
          BytesText(estimate.memory_needed) + " of " +
          BytesText(estimate.memory_there) + " a " + estimate.memory_of};
}

}  // namespace t2t
