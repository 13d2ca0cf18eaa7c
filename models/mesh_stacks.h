#ifndef MODELS_MESH_STACKS_H_
#define MODELS_MESH_STACKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "models/mesh_layers.h"
#include "t2t/hparams/hparams.h"
#include "t2t/nn/params.h"

namespace t2t {

// The stacks of the Transformers on a mesh (Shazeer et al. 2018,
// arXiv:1811.02084), by their hparams.

// Which of T2T's two editions: they name variables and layers differently.
enum class Edition { kFirst, kSecond };

struct MeshConfig {
  int64_t size = 0;
  int64_t filter = 0;
  int64_t max_length = 0;
  MeshAttentionOptions attention;
  double relu_dropout = 0.0;
  double dropout = 0.0;
  double epsilon = 1e-6;
  double label_smoothing = 0.0;
  double z_loss = 0.0;  // pulls the softmax' denominator to 1
  bool shares_embedding = false;
  bool shares_softmax = false;
  bool global_positions = false;  // of packed examples
  int64_t compression = 0;
  int64_t window = 0;
};

// Of a set's hparams.
MeshConfig MeshConfigOf(const HParams& hparams, Edition edition);

// The first edition's: names of layers in the order in which they run; `key` is
// the hparam that has them, for messages.
MeshStack FirstMeshStack(const Scope& scope, const MeshConfig& config,
                         const std::string& key,
                         const std::vector<std::string>& layers, int64_t heads);

// The second edition's. prefix: of its hparams, "", "encoder_" or "decoder_".
MeshStack SecondMeshStack(const Scope& scope, const MeshConfig& config,
                          const HParams& hparams, const std::string& prefix);

}  // namespace t2t

#endif  // MODELS_MESH_STACKS_H_
