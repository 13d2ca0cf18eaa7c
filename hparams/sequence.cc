// Models of sequences that are neither recurrent nor Transformers.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

// Kalchbrenner et al. 2016, arXiv:1610.10099.
constexpr HParamsRow kByteNet[] = {
    {"bytenet_base",
     "basic_1",
     {{"batch_size", 2048},
      {"hidden_size", 768},
      {"num_block_repeat", 4},
      {"symbol_dropout", 0.2},
      {"initializer_gain", 1.0},
      {"weight_decay", 3.0},
      {"learning_rate_decay_scheme", "exp"},
      {"learning_rate", 0.05},
      {"learning_rate_warmup_steps", 3000}}},
};

// Kaiser, Gomez and Chollet 2017, arXiv:1706.03059.
constexpr HParamsRow kSliceNet[] = {
    {"slicenet_1",
     "basic_1",
     {{"batch_size", 1024},
      {"hidden_size", 768},
      {"num_heads", 8},
      {"attention_key_channels", 0},
      {"attention_value_channels", 0},
      {"kernel_scheme", "3.7.15.31"},
      {"attention_type", "transformer"},
      {"audio_compression", 8},
      {"dilation_scheme", "1.1.1.1"},
      {"large_kernel_size", 15},
      {"separability", -2},
      {"sim_loss_mult", 0.0},
      {"dropout", 0.5},
      {"attention_dropout", 0.2},
      {"symbol_dropout", 0.2},
      {"initializer_gain", 1.0},
      {"shared_embedding_and_softmax_weights", true},
      {"weight_decay", 3.0},
      {"learning_rate_decay_scheme", "exp"},
      {"learning_rate", 0.05},
      {"learning_rate_warmup_steps", 3000}}},
    {"slicenet_1noam",
     "slicenet_1",
     {{"initializer", "uniform_unit_scaling"},
      {"optimizer_adam_beta1", 0.9},
      {"optimizer_adam_beta2", 0.98},
      {"optimizer_adam_epsilon", 1e-9},
      {"learning_rate_decay_scheme", "noam"},
      {"learning_rate", 1.0},
      {"learning_rate_warmup_steps", 4000}}},
    {"slicenet_1tiny",
     "slicenet_1",
     {{"batch_size", 512},
      {"num_hidden_layers", 2},
      {"hidden_size", 128},
      {"separability", 0},
      {"learning_rate_warmup_steps", 200}}},
};

// Kim 2014, arXiv:1408.5882.
constexpr HParamsRow kTextCnn[] = {
    {"text_cnn_base",
     "basic_1",
     {{"max_length", 256},
      {"num_hidden_layers", 6},
      {"filter_sizes", Ints("2,3,4,5")},
      {"num_filters", 128},
      {"output_dropout", 0.4},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"shared_embedding_and_softmax_weights", true},
      {"symbol_modality_num_shards", 16},
      {"weight_decay", 0.0},
      {"clip_grad_norm", 0.0},
      {"optimizer_adam_beta1", 0.9},
      {"optimizer_adam_beta2", 0.98},
      {"optimizer_adam_epsilon", 1e-9},
      {"learning_rate_decay_scheme", "noam"},
      {"learning_rate_warmup_steps", 4000}}},
};

// Kaiser and Sutskever 2015, arXiv:1511.08228.
constexpr HParamsRow kNeuralGpu[] = {
    {"neural_gpu",
     "basic_1",
     {{"batch_size", 1024},
      {"num_hidden_layers", 1},
      {"hidden_size", 256},
      {"daisy_chain_variables", false},
      {"dropout", 0.1},
      {"initializer_gain", 1.0},
      {"label_smoothing", 0.0},
      {"weight_decay", 0.0},
      {"clip_grad_norm", 10.0},
      {"learning_rate_decay_scheme", "exp"},
      {"learning_rate", 0.02},
      {"learning_rate_warmup_steps", 3000}}},
};

// A recurrent controller with a stack, queue or deque: Grefenstette et al.
// 2015, arXiv:1506.02516.
constexpr HParamsRow kNeuralStack[] = {
    {"neural_deque",
     "basic_1",
     {{"batch_size", 10},
      {"controller_layer_sizes", Ints("256,512")},
      {"daisy_chain_variables", false},
      {"embedding_size", 64},
      {"memory_size", 256},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"weight_decay", 0.0},
      {"clip_grad_norm", 1.0},
      {"optimizer", "RMSProp"},
      {"learning_rate", 0.0001}}},
    {"neural_stack",
     "basic_1",
     {{"batch_size", 10},
      {"controller_layer_sizes", Ints("256,512")},
      {"daisy_chain_variables", false},
      {"embedding_size", 64},
      {"memory_size", 128},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"weight_decay", 0.0},
      {"clip_grad_norm", 1.0},
      {"optimizer", "RMSProp"},
      {"learning_rate", 0.0001}}},
};

// Freivalds, Ozolins and Sostaks 2019, arXiv:1907.07897.
constexpr HParamsRow kShuffle[] = {
    {"shuffle_network_baseline",
     "basic_1",
     {{"max_length", 256},
      {"num_hidden_layers", 2},
      {"hidden_size", 384},
      {"force_max_length", false},
      {"dropout", 0.1},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"label_smoothing", 0.0},
      {"weight_decay", 0.0},
      {"clip_grad_norm", 0.0},
      {"optimizer_adam_beta1", 0.9},
      {"optimizer_adam_beta2", 0.999},
      {"optimizer_adam_epsilon", 1e-5},
      {"learning_rate_decay_scheme", "noam"}}},
};

// Kelley et al. 2018, "Basenji": gene expression from DNA.
constexpr HParamsRow kGenes[] = {
    {"gene_expression_conv_base",
     "basic_1",
     {{"batch_size", 655360},
      {"hidden_size", 256},
      {"kernel_width", 20},
      {"num_conv_layers", 4},
      {"num_dconv_layers", 7},
      {"pooling_windows", Ints("2,2,2,4")},
      {"stride", 1},
      {"dropout", 0.1}}},
};

// What a tuner may try.
constexpr HParamsRangeRow kRanges[] = {
    {"slicenet1",
     {{"clip_grad_norm", Between(1.0, 10.0, kLog)},
      {"learning_rate", Between(0.02, 1.0, kLog)},
      {"optimizer_adam_beta2", Between(0.995, 0.998)},
      {"weight_decay", Between(1.0, 5.0)}}},
};

}  // namespace

void RegisterSequenceHParams(HParamsTable* table) {
  table->Add("byte_net", kByteNet);
  table->Add("slice_net", kSliceNet);
  table->Add("text_cnn", kTextCnn);
  table->Add("neural_gpu", kNeuralGpu);
  table->Add("neural_stack", kNeuralStack);
  table->Add("shuffle_network", kShuffle);
  table->Add("gene_expression_conv", kGenes);
  table->AddRanges(kRanges);
}

}  // namespace t2t
