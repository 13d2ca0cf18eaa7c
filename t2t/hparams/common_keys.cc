#include "t2t/hparams/keys.h"

// The keys that every model has, with their initial values.

namespace t2t {
namespace {

using enum HParamKey::Type;
constexpr auto kNone = std::nullopt;

constexpr HParamKey kKeys[] = {
    // What a batch is.
    {"batch_size", kInt, 4096,
     "Size of a batch: tokens (padding included) for text, examples where "
     "use_fixed_batch_size is set or inputs are no text. Lower it where memory "
     "runs out; a larger one allows a higher learning rate.",
     InRange(kAtLeast1)},
    {"use_fixed_batch_size", kBool, false,
     "batch_size counts examples and not tokens."},
    {"batch_shuffle_size", kInt, 512,
     "Batches that T2T shuffles among each other before training; more hides "
     "an order in the data.",
     InRange(kAtLeast0)},
    {"min_length", kInt, 0, "Shorter training examples are dropped; 0: none.",
     InRange(kAtLeast0)},
    {"max_length", kInt, 0,
     "Longer training examples are dropped; 0: batch_size. Raise it for "
     "documents, lower it where one long sentence takes all memory.",
     InRange(kAtLeast0)},
    {"max_input_seq_length", kInt, 0,
     "Inputs are cut to this length; 0: not cut. For text classification and "
     "speech.",
     InRange(kAtLeast0)},
    {"max_target_seq_length", kInt, 0,
     "Targets are cut to this length; 0: not cut.", InRange(kAtLeast0)},
    {"min_length_bucket", kInt, 8,
     "Examples up to this length share one bucket, in which all batches are "
     "padded alike.",
     InRange(kAtLeast1)},
    {"length_bucket_step", kNumber, 1.1,
     "Each bucket's length is this times the one before. Nearer to 1: less "
     "padding, more buckets.",
     InRange(Range::Above(1))},
    {"eval_drop_long_sequences", kBool, false,
     "Evaluation drops examples longer than max_length, too."},
    {"split_to_length", kInt, 0,
     "Cuts examples into pieces of this length, for language models; 0: not.",
     InRange(kAtLeast0)},
    {"split_targets_chunk_length", kInt, 0,
     "A model with a memory reads targets in chunks of this length; 0: whole.",
     InRange(kAtLeast0)},
    {"split_targets_max_chunks", kInt, 100,
     "Longer targets are cut to so many chunks.", InRange(kAtLeast1)},
    {"split_targets_strided_training", kBool, false,
     "On TPUs, chunks of different examples come by turns; without effect "
     "here."},
    {"pack_dataset", kBool, false,
     "Training examples are packed together up to max_length, with segments "
     "that do not see each other. Use it where lengths differ much."},
    {"use_custom_ops", kBool, true,
     "T2T packs with its C++ operator; packing here is always native."},
    {"pad_batch", kBool, false,
     "The last batch is padded to a multiple of the number of devices."},
    // The shape of a model.
    {"num_hidden_layers", kInt, 4,
     "Layers of the encoder and of the decoder, where num_encoder_layers and "
     "num_decoder_layers are 0. More: better with enough data, and slower.",
     InRange(kLayers)},
    {"hidden_size", kInt, 64,
     "Width of the vectors between layers. The first thing to change for a "
     "smaller or larger model; a multiple of num_heads.",
     InRange(kSize)},
    {"kernel_height", kInt, 3,
     "Height of convolutions (along the length, for text).",
     InRange(kAtLeast1)},
    {"kernel_width", kInt, 1, "Width of convolutions; 1 for text.",
     InRange(kAtLeast1)},
    {"compress_steps", kInt, 0,
     "Halvings of the input by strided convolutions at the start.",
     InRange(kAtLeast0)},
    {"shared_embedding_and_softmax_weights", kBool, false,
     "Embeddings of inputs, of targets and the output layer are one matrix. "
     "Needs one vocabulary for both sides; saves memory."},
    {"shared_embedding", kBool, false,
     "Embeddings of inputs and targets are one matrix; the output layer has "
     "its own."},
    {"symbol_modality_num_shards", kInt, 1,
     "Pieces that T2T cuts an embedding into; initial values depend on it.",
     InRange(kAtLeast1)},
    {"vocab_divisor", kInt, 1,
     "Vocabularies are rounded up to a multiple of it: 128 suits GPUs' matrix "
     "units.",
     InRange(kAtLeast1)},
    {"factored_logits", kBool, false,
     "The output layer's logits are kept as a product until the loss."},
    {"multiply_embedding_mode", kText, "sqrt_depth",
     "sqrt_depth multiplies embeddings with the root of hidden_size; none does "
     "not.",
     Among("- sqrt_depth none")},
    {"symbol_dropout", kNumber, 0.0,
     "Share of input tokens that training replaces by padding.",
     InRange(kDropout)},
    {"max_relative_position", kInt, 0,
     "Distances beyond it count as this one, for relative attention; 0: none "
     "are learnt.",
     InRange(kAtLeast0)},
    {"heads_share_relative_embedding", kBool, false,
     "All heads share the embeddings of relative positions."},
    {"add_relative_to_values", kBool, false,
     "Relative positions are added to the values of attention, too."},
    {"num_area_layers", kInt, 0,
     "In so many of the first layers attention is over areas; 0: none.",
     InRange(kAtLeast0)},
    {"max_area_width", kInt, 1,
     "Positions beside each other that attention may take as one; 1: none.",
     InRange(kAtLeast1)},
    {"max_area_height", kInt, 1,
     "Positions above each other, in images, that attention may take as one; "
     "1: none.",
     InRange(kAtLeast1)},
    {"memory_height", kInt, 1,
     "Height of the memory that areas are cut from; 1 for text.",
     InRange(kAtLeast1)},
    {"area_key_mode", kText, "none",
     "How an area's key is made of its positions': mean, max, sample, concat, "
     "max_concat, sum, sample_concat or sample_sum; none where no layer has "
     "areas.",
     Among("none mean max sample concat max_concat sum sample_concat "
           "sample_sum")},
    {"area_value_mode", kText, "none",
     "How an area's value is made of its positions': mean, max or sum; none "
     "where no layer has areas.",
     Among("none mean max sum")},
    // Experts.
    {"moe_num_experts", kIntOrInts, 64,
     "Experts of a layer, or with two levels the groups and the experts in "
     "each. More: more parameters at the same cost a token.",
     InRange(kAtLeast1)},
    {"moe_hidden_sizes", kText, "2048",
     "Widths of an expert's hidden layers, with commas between."},
    {"moe_k", kInt, 2, "Experts that each token goes to.", InRange(kAtLeast1)},
    {"moe_loss_coef", kNumber, 0.01,
     "Weight of the loss that spreads tokens evenly over experts. Raise it "
     "where few experts get all.",
     InRange(kAtLeast0)},
    // Before and after each layer.
    {"layer_preprocess_sequence", kText, "none",
     "What comes before each layer, in letters: n normalises, d drops out, a "
     "adds the layer's input, z adds it scaled from 0; none. \"n\" trains deep "
     "models more stably.",
     LettersOf("n d")},
    {"layer_postprocess_sequence", kText, "dan",
     "What comes after each layer, in the same letters; \"dan\" is the first "
     "paper's.",
     LettersOf("n d a z")},
    {"layer_prepostprocess_dropout", kNumber, 0.1,
     "Share that the d of layer_preprocess_sequence and "
     "layer_postprocess_sequence drops. Raise it (0.3) for small data or large "
     "models.",
     InRange(kDropout)},
    {"layer_prepostprocess_dropout_broadcast_dims", kText, "",
     "Dimensions along which that dropout is the same, with commas between: "
     "\"1\" is the length. Saves memory.",
     IntsIn(Range::Between(-4, 3))},
    {"norm_type", kText, "layer",
     "layer, batch, noam (without parameters), l2, group or none.",
     Among("layer batch l2 noam none")},
    {"norm_epsilon", kNumber, 1e-6,
     "Added to the variance before its root. Raise it for half precision.",
     InRange(kAtLeast0)},
    {"dropout", kNumber, 0.2,
     "Share of values dropped in models that are not Transformers. Raise it "
     "where training is better than evaluation.",
     InRange(kDropout)},
    // Initial values.
    {"initializer", kText, "orthogonal",
     "How weights begin: uniform_unit_scaling, normal_unit_scaling, uniform, "
     "orthogonal or xavier.",
     Among("- orthogonal uniform normal_unit_scaling uniform_unit_scaling "
           "xavier")},
    {"initializer_gain", kNumber, 1.5, "Factor on the initial weights.",
     InRange(kAtLeast0)},
    // The loss.
    {"label_smoothing", kNumber, 0.1,
     "Share of probability spread over the wrong tokens. 0.1 raises BLEU; 0 "
     "for perplexity.",
     InRange(Range::FromZeroBelow(1))},
    {"weight_decay", kNumber, 1e-6,
     "Weight of the squared weights in the loss (with adam_w: taken from the "
     "weights in each step). Raise it against overfitting.",
     InRange(kAtLeast0)},
    {"weight_noise", kNumber, 0.0,
     "Noise added to weights in each step, times the learning rate; 0: none.",
     InRange(kAtLeast0)},
    {"scheduled_sampling_prob", kNumber, 0.0,
     "How often a predicted token takes the place of the true one in training; "
     "0: never.",
     InRange(kShare)},
    {"scheduled_sampling_method", kText, "parallel",
     "parallel (whole passes) or sequential.", Among("parallel sequential")},
    {"scheduled_sampling_warmup_steps", kInt, 50000,
     "Steps until scheduled_sampling_prob is reached.", InRange(kAtLeast1)},
    {"scheduled_sampling_warmup_schedule", kText, "exp",
     "How the probability of predicted tokens rises: exp, linear or sigmoid.",
     Among("exp linear sigmoid")},
    {"scheduled_sampling_gold_mixin_prob", kNumber, 0.5,
     "Share of true tokens kept where predicted ones are mixed in.",
     InRange(kShare)},
    {"scheduled_sampling_num_passes", kInt, 1,
     "Passes of the decoder over its own predictions.", InRange(kAtLeast1)},
    // The optimizer.
    {"optimizer", kText, "adam",
     "adam (T2T's lazy one), true_adam, adam_w, adafactor, multistep_adam, "
     "momentum, sgd, adagrad and so on. adafactor needs least memory.",
     Among("adam true_adam multistep_adam adam_w adamw momentum sgd adafactor "
           "yellow_fin adagrad rms_prop adadelta ftrl Adam TrueAdam "
           "MultistepAdam AdamW Momentum SGD Adafactor YellowFin Adagrad "
           "RMSProp Adadelta Ftrl")},
    {"optimizer_adam_beta1", kNumber, 0.85,
     "Decay of Adam's mean of gradients.", InRange(kDropout)},
    {"optimizer_adam_beta2", kNumber, 0.997,
     "Decay of Adam's mean of squares. Nearer to 1: steadier, slower to adapt.",
     InRange(kDropout)},
    {"optimizer_adam_epsilon", kNumber, 1e-6,
     "Added to Adam's root before dividing. Raise it where updates explode.",
     InRange(kAtLeast0)},
    {"optimizer_momentum_momentum", kNumber, 0.9, "Momentum's decay.",
     InRange(kShare)},
    {"optimizer_momentum_nesterov", kBool, false,
     "Momentum looks one step ahead (Nesterov)."},
    {"optimizer_adafactor_beta1", kNumber, 0.0,
     "Decay of Adafactor's mean of gradients; 0: none is kept, which saves "
     "memory.",
     InRange(kDropout)},
    {"optimizer_adafactor_beta2", kNumber, 0.999,
     "Decay of Adafactor's mean of squares, with decay type adam.",
     InRange(kDropout)},
    {"optimizer_adafactor_factored", kBool, true,
     "Keeps squares by rows and columns alone. false: more memory, exact."},
    {"optimizer_adafactor_decay_type", kText, "pow",
     "pow (decay grows with the steps) or adam (constant).", Among("pow adam")},
    {"optimizer_adafactor_memory_exponent", kNumber, 0.8,
     "Exponent of decay type pow.", InRange(kAtLeast0)},
    {"optimizer_adafactor_clipping_threshold", kNumber, 1.0,
     "Updates whose root mean square is larger are scaled down to it; 0: never "
     "(T2T's None).",
     InRange(kAtLeast0)},
    {"optimizer_adafactor_multiply_by_parameter_scale", kBool, true,
     "Updates are relative to each parameter's size."},
    {"optimizer_multistep_accumulate_steps", kInt, 0,
     "Batches whose gradients multistep_adam adds up before a step; 0: one. "
     "Gives large batches on little memory.",
     InRange(kAtLeast0)},
    {"optimizer_zero_grads", kBool, false,
     "Parameters without a gradient get one of zeros, so that they have "
     "optimizer state."},
    {"mixed_precision_optimizer_loss_scaler", kText, "exponential",
     "How the loss is scaled for float16: exponential follows the gradients; "
     "empty: not."},
    {"mixed_precision_optimizer_init_loss_scale", kInt, 32768,
     "The first factor on the loss for float16.", InRange(Range::Above(0))},
    {"clip_grad_norm", kNumber, 2.0,
     "Gradients are scaled down to this norm; 0: never (T2T's None). Use 1 "
     "where the loss jumps.",
     InRange(kAtLeast0)},
    {"grad_noise_scale", kNumber, 0.0,
     "Size of noise added to gradients, falling with the steps; 0: none.",
     InRange(kAtLeast0)},
    // The learning rate.
    {"learning_rate_schedule", kText, "legacy",
     "Factors with \"*\" between: constant, linear_warmup, rsqrt_decay, "
     "rsqrt_hidden_size, linear_decay, cosdecay, single_cycle_cos_decay, "
     "exp_decay and so on; legacy takes learning_rate_decay_scheme and "
     "learning_rate.",
     ProductOf("constant linear_warmup linear_decay cosdecay "
               "single_cycle_cos_decay multi_cycle_cos_decay rsqrt_decay "
               "rsqrt_normalized_decay exp_decay rsqrt_hidden_size legacy")},
    {"learning_rate_constant", kNumber, 1.0,
     "Factor \"constant\" of the schedule. With new schedules this, not "
     "learning_rate, is what to change.",
     InRange(kAtLeast0)},
    {"learning_rate", kNumber, 0.1, "The rate of the legacy schedule alone.",
     InRange(kAtLeast0)},
    {"learning_rate_warmup_steps", kInt, 100,
     "Steps over which the rate rises. More where training diverges at the "
     "start.",
     InRange(kAtLeast0)},
    {"learning_rate_decay_scheme", kText, "none",
     "Decay of the legacy schedule: none, noam, exp, cosine, cyclelinear10x, "
     "sqrt or piecewise.",
     Among("- none noam exp piecewise cosine cyclelinear10x sqrt")},
    {"learning_rate_decay_steps", kInt, 5000,
     "Steps of a decay, or of its period.", InRange(kAtLeast0)},
    {"learning_rate_decay_rate", kNumber, 1.0,
     "Factor of exponential decay, each learning_rate_decay_steps.",
     InRange(kAtLeast0)},
    {"learning_rate_boundaries", kInts, kNone,
     "Steps at which decay scheme piecewise changes the rate."},
    {"learning_rate_multiples", kNumbers, kNone,
     "Factors on the rate after each of learning_rate_boundaries."},
    {"learning_rate_decay_staircase", kBool, false,
     "Exponential decay falls in steps."},
    {"learning_rate_minimum", kNumber, 0.0,
     "The rate does not fall below it; 0: no limit (T2T's None).",
     InRange(kAtLeast0)},
    {"learning_rate_cosine_cycle_steps", kInt, 250000,
     "Period of cosine decay.", InRange(kAtLeast0)},
    // Precision and devices.
    {"activation_dtype", kText, "float32",
     "float32, bfloat16 (fast on new GPUs and CPUs) or float16 of activations.",
     Among("float32 bfloat16 float16")},
    {"weight_dtype", kText, "float32",
     "Type of the weights; bfloat16 halves their memory on TPUs in T2T.",
     Among("float32 bfloat16 float16")},
    {"gpu_automatic_mixed_precision", kBool, false,
     "Lets TensorFlow choose types; activation_dtype does it here."},
    {"no_data_parallelism", kBool, false,
     "T2T's model uses its devices itself."},
    {"daisy_chain_variables", kBool, true,
     "T2T copies variables from device to device; without effect here."},
    {"tpu_enable_host_call", kBool, false,
     "Summaries from TPUs; without effect here."},
    {"mlperf_mode", kBool, false,
     "MLPerf's rules for the optimizer, logs and stopping."},
    // Decoding and sampling.
    {"sampling_method", kText, "argmax",
     "What a language model's infer takes: argmax or random.",
     Among("argmax random")},
    {"sampling_temp", kNumber, 1.0, "Temperature of sampling; lower is safer.",
     InRange(kAtLeast0)},
    {"sampling_keep_top_k", kInt, -1,
     "Only the best k tokens are sampled; -1: all.", InRange(kMinus1)},
    {"prepend_mode", kText, "none",
     "Inputs and targets as one sequence: prepend_inputs_masked_attention, "
     "prepend_inputs_full_attention (inputs see each other) or none.",
     Among(
         "none prepend_inputs_masked_attention prepend_inputs_full_attention")},
    {"force_full_predict", kBool, false,
     "Prediction computes all positions, not the last alone."},
    {"eval_run_autoregressive", kBool, false,
     "Evaluation decodes in place of reading the true targets."},
    // Several problems at once.
    {"multiproblem_mixing_schedule", kText, "constant",
     "How training goes over from the first problem to the others: constant, "
     "exponential, pretrain."},
    {"multiproblem_schedule_max_examples", kNumber, 10000000.0,
     "Examples until training has gone over to the other problems.",
     InRange(kAtLeast0)},
    {"multiproblem_schedule_threshold", kNumber, 0.5,
     "Share of the other problems at the end.", InRange(kShare)},
    {"multiproblem_per_task_threshold", kText, "",
     "Share of each of the other problems, with commas between; empty: all "
     "alike."},
    {"multiproblem_reweight_label_loss", kBool, false,
     "The loss of labels gets its own weight."},
    {"multiproblem_label_weight", kNumber, 0.5,
     "Weight of the labels' loss; the rest goes to the inputs.",
     InRange(kShare)},
    {"multiproblem_target_eval_only", kBool, false,
     "Evaluation looks at the targets alone."},
    {"multiproblem_vocab_size", kInt, -1,
     "Size of the common vocabulary; -1: the first problem's.",
     InRange(kMinus1)},
    {"multiproblem_max_input_length", kInt, -1,
     "Inputs are cut to this length; -1: not.", InRange(kMinus1)},
    {"multiproblem_max_target_length", kInt, -1,
     "Targets are cut to this length; -1: not.", InRange(kMinus1)},
    {"multiproblem_fixed_train_length", kInt, -1,
     "Training examples are padded to this length; -1: not.", InRange(kMinus1)},
    // Video.
    {"video_num_input_frames", kInt, 1, "Frames that a prediction sees.",
     InRange(kAtLeast0)},
    {"video_num_target_frames", kInt, 1, "Frames that are predicted.",
     InRange(kAtLeast0)},
    // Where a run starts, and what it writes.
    {"pretrained_model_dir", kText, "",
     "A folder whose checkpoint's variables a new run takes."},
    {"warm_start_from_second", kText, "",
     "A second checkpoint whose variables a new run takes."},
    {"summarize_grads", kBool, false, "Writes histograms of gradients."},
    {"summarize_vars", kBool, false, "Writes histograms of variables."},
};

}  // namespace

std::span<const HParamKey> CommonKeys() { return kKeys; }

}  // namespace t2t
