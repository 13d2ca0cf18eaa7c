#include "models/mesh_stacks.h"

#include <ATen/ATen.h>

#include <memory>

#include "t2t/hparams/values_or.h"

namespace t2t {
namespace {

nn::SublayerPtr FeedForward(const Scope& scope, const MeshConfig& config) {
  return std::make_shared<MeshDenseReluDense>(scope, config.size, config.filter,
                                              config.relu_dropout);
}

std::string Numbered(size_t i) {
  std::string digits = std::to_string(i);
  digits.insert(0, digits.size() < 3 ? 3 - digits.size() : 0, '0');
  return "layer_" + digits;
}

}  // namespace

MeshConfig MeshConfigOf(const HParams& hparams, Edition edition) {
  MeshConfig config;
  config.size = hparams.GetInt("d_model");
  config.filter = hparams.GetInt("d_ff");
  config.max_length = hparams.GetInt("max_length");
  MeshAttentionOptions& attention = config.attention;
  attention.size = config.size;
  attention.depth = hparams.GetInt("d_kv");
  attention.dropout = hparams.GetDouble("attention_dropout");
  attention.one_variable = edition == Edition::kFirst;
  attention.may_see_nothing = BoolOr(hparams, "extra_logit", false);
  config.relu_dropout = hparams.GetDouble("relu_dropout");
  config.dropout = hparams.GetDouble("layer_prepostprocess_dropout");
  config.epsilon =
      edition == Edition::kFirst ? hparams.GetDouble("norm_epsilon") : 1e-6;
  config.label_smoothing = hparams.GetDouble("label_smoothing");
  config.z_loss = DoubleOr(hparams, "z_loss", 0.0);
  config.shares_softmax =
      hparams.GetBool("shared_embedding_and_softmax_weights");
  config.shares_embedding = BoolOr(hparams, "shared_embedding", false);
  config.global_positions =
      BoolOr(hparams, "use_global_position_in_packed_sequence", false);
  config.compression = IntOr(hparams, "compression_factor", 0);
  config.window = edition == Edition::kFirst
                      ? IntOr(hparams, "local_attention_window_size", 0)
                      : IntOr(hparams, "local_attention_radius", 0);
  return config;
}

MeshStack FirstMeshStack(const Scope& scope, const MeshConfig& config,
                         const std::string& key,
                         const std::vector<std::string>& layers,
                         int64_t heads) {
  MeshStack stack(config.dropout, config.epsilon);
  const at::Tensor scales = scope.Param(
      "layer_norm_scale",
      {static_cast<int64_t>(layers.size()) + 1, config.size}, OnesInit());
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = layers[i];
    const Scope own = scope.Sub(name + "_" + std::to_string(i));
    const MeshStack::Scale scale = {scales, static_cast<int64_t>(i)};
    MeshAttentionOptions options = config.attention;
    options.heads = heads;
    if (name == "drd") {
      stack.Add(scale, FeedForward(own.Sub("dense_relu_dense"), config));
      continue;
    }
    if (name == "enc_att") {
      options.sees_memory = true;
    } else if (name == "local_att") {
      options.window = config.window;
    } else if (name == "compressed_att") {
      options.compression = config.compression;
    } else if (name != "att") {
      RefuseMeshLayer(key, name,
                      "att, enc_att, local_att, compressed_att and drd");
    }
    stack.Add(scale, std::make_shared<MeshAttention>(own.Sub(name), options));
  }
  stack.SetLast({scales, static_cast<int64_t>(layers.size())});
  return stack;
}

MeshStack SecondMeshStack(const Scope& scope, const MeshConfig& config,
                          const HParams& hparams, const std::string& prefix) {
  MeshStack stack(config.dropout, config.epsilon);
  const std::string key = prefix + "layers";
  const std::vector<std::string> layers = hparams.GetStrings(key);
  const auto scale = [&](const Scope& own) {
    return MeshStack::Scale{own.Param("scale", {config.size}, OnesInit())};
  };
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = layers[i];
    const Scope own = scope.Sub(Numbered(i));
    const MeshStack::Scale norm = scale(own.Sub("layer_norm"));
    if (name == "drd") {
      stack.Add(norm, FeedForward(own.Sub("DenseReluDense"), config));
      continue;
    }
    MeshAttentionOptions options = config.attention;
    options.heads = hparams.GetInt(prefix + "num_heads");
    options.memory_heads = IntOr(hparams, prefix + "num_memory_heads", 0);
    options.shares_keys_and_values =
        BoolOr(hparams, prefix + "shared_kv", false);
    std::string kind = "SelfAttention";
    if (name == "enc_att") {
      kind = "EncDecAttention";
      options.sees_memory = true;
    } else if (name == "local_self_att") {
      kind = "LocalSelfAttention";
      options.window = config.window;
    } else if (name != "self_att") {
      RefuseMeshLayer(key, name, "self_att, local_self_att, enc_att and drd");
    }
    stack.Add(norm, std::make_shared<MeshAttention>(own.Sub(kind), options));
  }
  stack.SetLast(scale(scope.Sub("final_layer_norm")));
  return stack;
}

}  // namespace t2t
