#include "t2t/hparams/keys.h"

// Keys of LSTMs and of convolutions over sequences.

namespace t2t {
namespace {

using enum HParamKey::Type;
constexpr auto kNone = std::nullopt;

constexpr HParamKey kKeys[] = {
    // LSTMs.
    {"attention_mechanism", kText, kNone,
     "Attention of an LSTM: bahdanau (additive) or luong (multiplicative).",
     Among("bahdanau luong")},
    {"attention_layer_size", kInt, kNone, "Width of what attention gives.",
     InRange(kSize)},
    {"attention_masks_padding", kBool, kNone,
     "Attention does not see the padding after an input. Ours: T2T's sees it."},
    {"output_attention", kBool, kNone,
     "What attention gives is the output; false: the cell's."},
    // Neural stacks.
    {"controller_layer_sizes", kInts, kNone,
     "Widths of the controller's layers."},
    {"embedding_size", kInt, kNone, "Width of the stack's entries."},
    {"memory_size", kInt, kNone, "Entries of the stack."},
    // Convolutions over sequences.
    {"num_block_repeat", kInt, kNone,
     "Repetitions of ByteNet's block of dilations."},
    {"kernel_scheme", kText, kNone, "SliceNet's kernels, with dots between."},
    {"dilation_scheme", kText, kNone,
     "SliceNet's dilations, with dots between."},
    {"large_kernel_size", kInt, kNone, "SliceNet's largest kernel."},
    {"separability", kInt, kNone,
     "How separable SliceNet's convolutions are; negative: as many steps "
     "before the last ones."},
    {"sim_loss_mult", kNumber, kNone,
     "Weight of the loss that makes inputs and targets alike."},
    {"audio_compression", kInt, kNone, "Halvings of audio inputs."},
    {"num_filters", kInt, kNone, "Filters of each kernel size."},
    {"filter_sizes", kInts, kNone,
     "Kernel sizes of a text's convolutions; channels of each block of a "
     "ResNet."},
    {"output_dropout", kNumber, kNone, "Share dropped before the output."},
    {"force_max_length", kBool, kNone, "Sequences are padded to max_length."},
    {"num_conv_layers", kInt, kNone, "Convolutions that pool."},
    {"num_dconv_layers", kInt, kNone, "Dilated convolutions after them."},
    {"pooling_windows", kInts, kNone, "Pooling after each convolution."},
    {"stride", kInt, kNone, "Positions that the first convolution moves by."},
};

}  // namespace

std::span<const HParamKey> SequenceKeys() { return kKeys; }

}  // namespace t2t
