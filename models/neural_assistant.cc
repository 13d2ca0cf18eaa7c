// Neural Assistant. Neelakantan et al. 2019, "Neural Assistant: Joint Action
// Prediction, Response Generation, and Latent Knowledge Reasoning",
// arXiv:1910.14613: a Transformer whose decoder also looks at a memory of
// facts, each a triple of subject, predicate and object.
// Shapes: B batch, M inputs' length, D hidden_size, N facts of an example,
// P tokens of a fact.

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/transformer.h"
#include "t2t/base/error.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"

namespace t2t {
namespace {

enum class Pooling { kAverage, kMax, kLast };

struct AssistantConfig {
  static AssistantConfig FromHParams(const HParams& hparams);

  Pooling pooling = Pooling::kAverage;
  int64_t last_k = 1;    // of kLast
  bool bilinear = true;  // how facts are compared; else by a dot product
  bool attends = true;
  double positive_weight = 1.0;
  double margin = 0.0;
  int64_t negatives = 1;
  double selection_weight = 0.0;  // of choosing the right facts
  double knowledge_weight = 0.0;  // of the embedding of facts
};

AssistantConfig AssistantConfig::FromHParams(const HParams& hparams) {
  static const auto* const poolings =
      new std::map<std::string, Pooling>{{"average", Pooling::kAverage},
                                         {"max_pool", Pooling::kMax},
                                         {"last", Pooling::kLast}};
  AssistantConfig config;
  const std::string pooling = hparams.GetString("pool_technique");
  const auto found = poolings->find(pooling);
  if (found == poolings->end()) {
    throw UsageError("pool_technique=" + pooling, "average, max_pool or last",
                     "change --hparams=pool_technique=...");
  }
  config.pooling = found->second;
  config.last_k = hparams.GetInt("last_k");
  const std::string similarity = hparams.GetString("similarity_fuction");
  config.bilinear = similarity == "bilinear";
  if (!config.bilinear && similarity != "dot_product") {
    throw UsageError("similarity_fuction=" + similarity,
                     "bilinear or dot_product",
                     "change --hparams=similarity_fuction=...");
  }
  config.attends = hparams.GetBool("attend_kb");
  config.positive_weight = hparams.GetDouble("pos_weight");
  config.margin = hparams.GetDouble("margin");
  config.negatives = hparams.GetInt("num_negative_samples");
  config.selection_weight = hparams.GetDouble("kb_loss_weight");
  config.knowledge_weight = hparams.GetDouble("kb_train_weight");
  return config;
}

// The mean of vectors [rows, length, D] where mask [rows, length] is 1.
at::Tensor MeanWhere(const at::Tensor& vectors, const at::Tensor& mask,
                     double least) {
  return at::matmul(mask.unsqueeze(1), vectors).squeeze(1) /
         (mask.sum(1, /*keepdim=*/true) + least);
}

// 1 in the first lengths [rows] of `length` positions: [rows, length].
at::Tensor FirstOf(const at::Tensor& lengths, int64_t length) {
  return at::arange(length, lengths.options())
      .unsqueeze(0)
      .lt(lengths.unsqueeze(1))
      .to(at::kFloat);
}

// An example's facts.
struct Facts {
  at::Tensor tokens;  // [B N, P, D]
  at::Tensor means_BND;
};

class NeuralAssistant : public Transformer {
 public:
  NeuralAssistant(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Transformer("neural_assistant", TransformerConfig::FromHParams(hparams),
                    hparams, WithInputs(std::move(info)), params),
        assistant_(AssistantConfig::FromHParams(hparams_)) {
    const Scope own(&params_, "neural_assistant/body/knowledge",
                    DefaultInitializer(hparams_));
    RefuseSplitModel(own);
    RefuseScheduledSampling(hparams_);
    if (assistant_.bilinear) {
      const int64_t size = config().sequence.hidden_size;
      // The name is T2T's.
      const Scope similarity = own.Sub("knolwedge_final_mlp");
      form_ = similarity.Param("kernel", {size * size, 1});
      bias_ = similarity.Param("bias", {1}, ZerosInit());
    }
  }

  // By its body, as in T2T: the decoder's steps know no facts.
  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    return Model::StartDecoding(features);
  }
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    return Model::DecodeStep(state, ids);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    Encoded seen = EncodeInputs(features, context);
    const Facts facts = FactsOf(features, context);
    if (features.count("triple_labels") > 0) {
      AddLosses(features, seen, facts, context);
    }
    if (assistant_.attends) {
      seen.output = at::cat({facts.means_BND, seen.output}, 1);
      seen.memory_bias = at::constant_pad_nd(seen.memory_bias,
                                             {facts.means_BND.size(1), 0}, 0.0);
    }
    return DecodeTargets(
        AsSequence(EmbedTargets(RequiredFeature(features, "targets"), context)),
        seen, features, context);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    RequiredFeature(features, "triple_labels");
    // Facts are in no ragged pass.
    LossParts parts = Model::TargetLoss(features, context);
    parts.numerator = parts.numerator * ((1 - assistant_.knowledge_weight) *
                                         (1 - assistant_.selection_weight));
    return parts;
  }

 private:
  static ProblemInfo WithInputs(ProblemInfo info) {
    RequireInputs(info, "neural_assistant");
    return info;
  }

  // encoded_triples: ids [B, N P], embedded as the inputs are; triple_lens
  // [B, N].
  Facts FactsOf(const Features& features, const nn::Context& context) const {
    const at::Tensor& ids = RequiredFeature(features, "encoded_triples");
    const at::Tensor lengths_BN =
        RequiredFeature(features, "triple_lens").to(at::kLong).flatten(1);
    const int64_t batch = lengths_BN.size(0);
    const int64_t count = lengths_BN.size(1);
    if (count == 0 || ids.numel() % (batch * count) != 0) {
      throw DataError("encoded_triples has " + std::to_string(ids.size(1)) +
                          " tokens for " + std::to_string(count) + " facts",
                      "as many for each", "fill facts up to one length with 0");
    }
    Facts facts;
    facts.tokens =
        EmbedInputs({{"inputs", ids.reshape({batch * count, -1})}}, context);
    const at::Tensor lengths = lengths_BN.flatten();
    // A fact of no tokens is nothing.
    facts.means_BND =
        (at::matmul(FirstOf(lengths, facts.tokens.size(1)).unsqueeze(1),
                    facts.tokens)
             .squeeze(1) /
         lengths.clamp_min(1).unsqueeze(1))
            .view({batch, count, -1});
    return facts;
  }

  // The inputs in one vector, [B, D].
  at::Tensor Summary(const Encoded& inputs) const {
    const at::Tensor& x_BMD = inputs.output;
    const at::Tensor lengths =
        inputs.memory_bias.flatten(1).ge(-0.5).sum(1);  // [B]
    const at::Tensor mask_BM = FirstOf(lengths, x_BMD.size(1));
    switch (assistant_.pooling) {
      case Pooling::kAverage:
        return MeanWhere(x_BMD, mask_BM, 0.0);
      case Pooling::kMax:
        // Padding counts, too: T2T adds no more than -1e-6 to it.
        return std::get<0>((x_BMD - 1e-6 * (1 - mask_BM).unsqueeze(2)).max(1));
      case Pooling::kLast:
        break;
    }
    const at::Tensor before =
        FirstOf((lengths - assistant_.last_k).clamp_min(0), x_BMD.size(1));
    return at::matmul((mask_BM - before).unsqueeze(1), x_BMD).squeeze(1) /
           assistant_.last_k;
  }

  void AddLosses(const Features& features, const Encoded& inputs,
                 const Facts& facts, nn::Context& context) const {
    const at::Tensor summary_BD = Summary(inputs);
    at::Tensor logits_BN;
    if (assistant_.bilinear) {
      const int64_t size = summary_BD.size(1);
      const at::Tensor seen_BD =
          at::matmul(summary_BD, form_.view({size, size}));
      logits_BN =
          at::matmul(facts.means_BND, seen_BD.unsqueeze(2)).squeeze(2) + bias_;
    } else {
      logits_BN =
          at::matmul(facts.means_BND, summary_BD.unsqueeze(2)).squeeze(2);
    }
    const at::Tensor labels_BN =
        features.at("triple_labels").to(at::kFloat).view(logits_BN.sizes());
    const at::Tensor selection = at::binary_cross_entropy_with_logits(
        logits_BN, labels_BN, {},
        at::full({}, assistant_.positive_weight, logits_BN.options()));
    const double knowledge = assistant_.knowledge_weight;
    context.losses.Add(
        "kb_loss", selection * ((1 - knowledge) * assistant_.selection_weight));
    context.losses.Add("transe_loss",
                       TransE(features, facts, context) * knowledge);
  }

  // Subject and predicate lead to the object: Bordes et al. 2013, "Translating
  // Embeddings for Modeling Multi-relational Data". Further from it are objects
  // and subjects of other facts, by a margin.
  at::Tensor TransE(const Features& features, const Facts& facts,
                    const nn::Context& context) const {
    const auto part = [&](const char* name) {
      return MeanWhere(facts.tokens,
                       RequiredFeature(features, name)
                           .to(at::kFloat)
                           .reshape({facts.tokens.size(0), -1}),
                       1e-5);
    };
    const at::Tensor subject = part("subject_mask");
    const at::Tensor predicate = part("predicate_mask");
    const at::Tensor object = part("object_mask");
    const auto distance = [&](const at::Tensor& s, const at::Tensor& o) {
      return (s + predicate - o).square().mean();
    };
    const auto shuffled = [&](const at::Tensor& rows) {
      return rows.index_select(
          0,
          at::randperm(rows.size(0), context.rng, at::kLong).to(rows.device()));
    };
    at::Tensor negative = at::zeros({}, subject.options());
    for (int64_t i = 0; i < assistant_.negatives; ++i) {
      negative = negative + distance(shuffled(subject), object) +
                 distance(subject, shuffled(object));
    }
    negative = negative / (2.0 * static_cast<double>(assistant_.negatives));
    return (assistant_.margin + distance(subject, object) - negative)
        .clamp(0.0, 100.0);
  }

  AssistantConfig assistant_;
  at::Tensor form_, bias_;  // of bilinear
};

}  // namespace

void RegisterNeuralAssistant(ModelRegistry& models) {
  AddModel<NeuralAssistant>(models, "neural_assistant");
}

}  // namespace t2t
