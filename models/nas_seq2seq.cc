// The search space of the Evolved Transformer. So, Liang and Le 2019, "The
// Evolved Transformer", arXiv:1901.11117, appendix: hparams say what a cell is
// made of. A cell is a list of blocks; a block is a left and a right branch,
// each a layer over one of the cell's earlier states, and a way to join them.
// What no block uses is joined to the cell's output.
// Shapes: B batch, L length, I and O channels in and out.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/nas_layers.h"
#include "models/transformer_config.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/model/seq2seq_model.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/block.h"
#include "t2t/nn/branches.h"

namespace t2t {
namespace {

using nn::Pass;

struct BlockSpec {
  NasBranch left, right;
  std::string combiner;
};

struct CellSpec {
  // side: "encoder" or "decoder".
  static CellSpec FromHParams(const HParams& hparams, const std::string& side);

  int64_t cells = 0;
  std::vector<BlockSpec> blocks;
  std::string combiner;  // of what no block uses
};

void RequireOneOf(const std::string& key, const std::string& value,
                  const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  throw UsageError(key + " with '" + value + "'", Join(choices, ", "),
                   "change --hparams=" + key + "=...");
}

CellSpec CellSpec::FromHParams(const HParams& hparams,
                               const std::string& side) {
  static const std::vector<std::string> combiners = {"add", "multiply",
                                                     "concat"};
  CellSpec spec;
  spec.cells = hparams.GetInt(side + "_num_cells");
  spec.combiner = hparams.GetString(side + "_final_combiner_function");
  RequireOneOf(side + "_final_combiner_function", spec.combiner, combiners);
  const std::string joins = side + "_combiner_functions";
  const std::vector<std::string> functions = hparams.GetStrings(joins);
  const auto branch = [&](const std::string& where, size_t i) {
    const auto key = [&](const char* what) {
      return side + "_" + where + "_" + what;
    };
    const auto inputs = hparams.GetInts(key("inputs"));
    const auto layers = hparams.GetStrings(key("layers"));
    const auto activations = hparams.GetStrings(key("activations"));
    const auto depths = hparams.GetInts(key("output_dims"));
    const auto norms = hparams.GetStrings(key("norms"));
    for (const auto& [name, size] :
         {std::pair(key("inputs"), inputs.size()),
          std::pair(key("layers"), layers.size()),
          std::pair(key("activations"), activations.size()),
          std::pair(key("output_dims"), depths.size()),
          std::pair(key("norms"), norms.size())}) {
      if (size == functions.size()) continue;
      throw UsageError(name + " has " + std::to_string(size) + " values and " +
                           joins + " " + std::to_string(functions.size()),
                       "as many of one as of the other, one for each block",
                       "change them in --hparams");
    }
    RequireOneOf(key("layers"), layers[i], NasLayerChoices(side == "decoder"));
    RequireOneOf(key("activations"), activations[i],
                 {"swish", "leaky_relu", "relu", "none", "sigmoid", "softmax"});
    RequireOneOf(key("norms"), norms[i], {"layer_norm", "none"});
    if (inputs[i] < 0 || inputs[i] > static_cast<int64_t>(i)) {
      throw UsageError(
          key("inputs") + " with " + std::to_string(inputs[i]) + " for block " +
              std::to_string(i),
          "0 (the cell's input) to " + std::to_string(i) + ": an earlier block",
          "change it in --hparams");
    }
    return NasBranch{static_cast<size_t>(inputs[i]), layers[i], activations[i],
                     depths[i], norms[i] == "layer_norm"};
  };
  for (size_t i = 0; i < functions.size(); ++i) {
    RequireOneOf(joins, functions[i], combiners);
    spec.blocks.push_back(
        {branch("left", i), branch("right", i), functions[i]});
    if (spec.blocks[i].left.layer == kDeadBranch &&
        spec.blocks[i].right.layer == kDeadBranch) {
      throw UsageError("block " + std::to_string(i) + " of the " + side +
                           "'s cell has two dead branches",
                       "one at most", "change " + side + "_left_layers");
    }
  }
  return spec;
}

int64_t JoinedDepth(const std::string& combiner,
                    const std::vector<int64_t>& depths) {
  if (combiner != "concat") {
    return *std::max_element(depths.begin(), depths.end());
  }
  int64_t sum = 0;
  for (const int64_t depth : depths) sum += depth;
  return sum;
}

// Channels that one lacks change nothing.
at::Tensor Combine(const std::string& combiner,
                   const std::vector<at::Tensor>& states) {
  if (combiner == "concat") return at::cat(states, 2);
  const bool adds = combiner == "add";
  int64_t depth = 0;
  for (const at::Tensor& x : states) depth = std::max(depth, x.size(2));
  at::Tensor result;
  for (const at::Tensor& x : states) {
    const at::Tensor wide =
        at::constant_pad_nd(x, {0, depth - x.size(2)}, adds ? 0 : 1);
    result = !result.defined() ? wide : adds ? result + wide : result * wide;
  }
  return result;
}

// A layer with its activation and dropout; padding goes in and comes out as 0.
class Branch {
 public:
  Branch(const NasBranch& spec, int64_t in, const Scope& scope,
         const std::string& suffix, const NasContext& context)
      : spec_(spec), dropout_(context.config->ffn.dropout) {
    if (spec_.layer != kIdentityLayer) {
      layer_ = MakeNasLayer(spec_, in, scope, suffix, context);
    }
  }

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const {
    if (layer_ == nullptr) return NasActivation(spec_.activation, x);
    const at::Tensor y = (*layer_)(nn::ZeroPadding(x, pass), pass);
    return nn::ZeroPadding(
        nn::DropOut(NasActivation(spec_.activation, y), dropout_, pass), pass);
  }
  bool CanStep() const { return layer_ == nullptr || layer_->CanStep(); }

 private:
  NasBranch spec_;
  double dropout_;
  nn::SublayerPtr layer_;  // null: identity
};

// What the space makes of a depth that a layer can't have.
int64_t DepthOf(const NasBranch& spec, int64_t in) {
  const bool fits = spec.depth >= in && spec.depth % in == 0;
  const bool changes = spec.layer == kIdentityLayer ||
                       (StartsWith(spec.layer, "depthwise_conv_") &&
                        (!fits || spec.depth == in));
  return changes ? in : spec.depth;
}

class Cell {
 public:
  Cell(const Scope& scope, const CellSpec& spec, int64_t in,
       const NasContext& context)
      : spec_(spec) {
    std::vector<int64_t> depths = {in};
    for (size_t i = 0; i < spec.blocks.size(); ++i) {
      const std::string number = std::to_string(i);
      const Scope layer = scope.Sub("layer_" + number);
      Block block;
      std::vector<int64_t> joined;
      for (const bool is_left : {true, false}) {
        NasBranch side = is_left ? spec.blocks[i].left : spec.blocks[i].right;
        if (side.layer == kDeadBranch) continue;
        const std::string suffix = (is_left ? "left_" : "right_") + number;
        const int64_t depth = depths[side.input];
        side.depth = DepthOf(side, depth);
        // A state is normalised once, where that is first asked for.
        if (side.normalises && norms_.count(side.input) == 0) {
          norms_.emplace(side.input,
                         PrePost(layer.Sub(suffix), "layer_prepostprocess",
                                 context.config->preprocess.OfDepth(depth)));
        }
        (is_left ? block.left : block.right)
            .emplace(side, depth, layer.Sub(suffix), suffix, context);
        joined.push_back(side.depth);
        used_.push_back(side.input);
      }
      depths.push_back(JoinedDepth(spec.blocks[i].combiner, joined));
      blocks_.push_back(std::move(block));
    }
    std::vector<int64_t> unused;
    for (const size_t state : Unused()) unused.push_back(depths[state]);
    depth_ = JoinedDepth(spec.combiner, unused);
  }

  at::Tensor operator()(const at::Tensor& x, Pass& pass) const {
    std::vector<at::Tensor> states = {x};
    std::map<size_t, at::Tensor> normalised;
    const auto seen = [&](const NasBranch& side) {
      if (!side.normalises) return states[side.input];
      at::Tensor& norm = normalised[side.input];
      if (!norm.defined()) {
        norm = nn::ZeroPadding(
            norms_.at(side.input)({}, states[side.input], pass.context()),
            pass);
      }
      return norm;
    };
    for (size_t i = 0; i < blocks_.size(); ++i) {
      std::vector<at::Tensor> sides;
      if (blocks_[i].left) {
        sides.push_back((*blocks_[i].left)(seen(spec_.blocks[i].left), pass));
      }
      if (blocks_[i].right) {
        sides.push_back((*blocks_[i].right)(seen(spec_.blocks[i].right), pass));
      }
      states.push_back(Combine(spec_.blocks[i].combiner, sides));
    }
    std::vector<at::Tensor> left;
    for (const size_t state : Unused()) left.push_back(states[state]);
    return Combine(spec_.combiner, left);
  }

  int64_t depth() const { return depth_; }
  bool CanStep() const {
    return std::all_of(blocks_.begin(), blocks_.end(), [](const Block& block) {
      return (!block.left || block.left->CanStep()) &&
             (!block.right || block.right->CanStep());
    });
  }

 private:
  struct Block {
    std::optional<Branch> left, right;
  };

  std::vector<size_t> Unused() const {
    std::vector<size_t> unused;
    for (size_t state = 0; state <= spec_.blocks.size(); ++state) {
      if (std::find(used_.begin(), used_.end(), state) == used_.end()) {
        unused.push_back(state);
      }
    }
    return unused;
  }

  CellSpec spec_;
  std::vector<Block> blocks_;
  std::map<size_t, PrePost> norms_;  // by the state
  std::vector<size_t> used_;
  int64_t depth_ = 0;
};

// Cells one after the other.
class Cells {
 public:
  Cells() = default;
  Cells(const Scope& scope, const CellSpec& spec, const NasContext& context)
      : depth_(context.config->sequence.hidden_size) {
    for (int64_t i = 0; i < spec.cells; ++i) {
      cells_.emplace_back(scope.Sub("cell_" + std::to_string(i)), spec, depth_,
                          context);
      depth_ = cells_.back().depth();
    }
  }

  at::Tensor operator()(at::Tensor x, Pass& pass) const {
    for (const Cell& cell : cells_) x = cell(x, pass);
    return x;
  }

  int64_t depth() const { return depth_; }
  bool CanStep() const {
    return std::all_of(cells_.begin(), cells_.end(),
                       [](const Cell& cell) { return cell.CanStep(); });
  }

 private:
  std::vector<Cell> cells_;
  int64_t depth_ = 0;
};

class NasSeq2Seq : public Seq2SeqModel {
 public:
  NasSeq2Seq(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Seq2SeqModel("nas_seq2_seq",
                     TransformerConfig::FromHParams(hparams).sequence, hparams,
                     std::move(info), params),
        config_(TransformerConfig::FromHParams(hparams_)),
        encoder_spec_(CellSpec::FromHParams(hparams_, "encoder")),
        decoder_spec_(CellSpec::FromHParams(hparams_, "decoder")) {
    RequireInputs(info_, "nas_seq2_seq");
    RefuseSplitModel(
        Scope(&params_, "nas_seq2_seq", DefaultInitializer(hparams_)));
    Build();
  }

  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    return decoder_.CanStep() ? Seq2SeqModel::StartDecoding(features)
                              : Model::StartDecoding(features);
  }
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    return decoder_.CanStep() ? Seq2SeqModel::DecodeStep(state, ids)
                              : Model::DecodeStep(state, ids);
  }

 protected:
  void BuildEncoder(const Scope& scope) override {
    encoder_ = Cells(scope, encoder_spec_, {&config_, /*is_decoder=*/false, 0});
    // T2T has norms for the output and for each cell's; of these the decoder
    // sees the last.
    encoder_norm_.emplace(
        BodyScope(),
        "layer_prepostprocess_" + std::to_string(encoder_spec_.cells),
        config_.preprocess.OfDepth(encoder_.depth()));
  }

  void BuildDecoder(const Scope& scope, bool) override {
    decoder_ = Cells(scope, decoder_spec_,
                     {&config_, /*is_decoder=*/true, encoder_.depth()});
    const int64_t norms = encoder_spec_.cells + 1;
    const auto norm = [&](int64_t number, int64_t depth) {
      return PrePost(BodyScope(),
                     "layer_prepostprocess_" + std::to_string(number),
                     config_.preprocess.OfDepth(depth));
    };
    decoder_norms_.push_back(norm(norms, decoder_.depth()));
    const int64_t size = config_.sequence.hidden_size;
    if (decoder_.depth() == size) return;
    resize_.emplace(
        BodyScope().Sub("standard_conv_decoder_resize_dense").Sub("conv_1x1"),
        ConvOptions{.in = decoder_.depth(),
                    .out = size,
                    .kernel_of_two_dimensions = true});
    decoder_norms_.push_back(norm(norms + decoder_spec_.cells + 1, size));
  }

  at::Tensor Encode(const at::Tensor& x, Pass& pass) const override {
    return (*encoder_norm_)({}, encoder_(x, pass), pass.context());
  }

  at::Tensor Decode(const at::Tensor& x, Pass& pass) const override {
    at::Tensor y = decoder_norms_[0]({}, decoder_(x, pass), pass.context());
    if (!resize_) return y;
    y = nn::DropOut(nn::Run(*resize_, y, pass), config_.ffn.dropout, pass);
    return decoder_norms_[1]({}, y, pass.context());
  }

 private:
  Scope BodyScope() {
    return Scope(&params_, "nas_seq2_seq/body", DefaultInitializer(hparams_));
  }

  TransformerConfig config_;
  CellSpec encoder_spec_, decoder_spec_;
  Cells encoder_, decoder_;
  std::optional<PrePost> encoder_norm_;
  std::vector<PrePost> decoder_norms_;
  std::optional<Conv1d> resize_;
};

}  // namespace

void RegisterNasSeq2Seq(ModelRegistry& models) {
  AddModel<NasSeq2Seq>(models, "nas_seq2_seq");
}

}  // namespace t2t
