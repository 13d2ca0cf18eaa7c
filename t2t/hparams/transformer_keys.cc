#include "t2t/hparams/keys.h"

// Keys of the Transformer and of what is made of its layers.

namespace t2t {
namespace {

using enum HParamKey::Type;
constexpr auto kNone = std::nullopt;

constexpr HParamKey kKeys[] = {
    // Layers of the Transformer.
    {"num_encoder_layers", kInt, kNone,
     "Layers of the encoder; 0: num_hidden_layers.", InRange(kLayersOr0)},
    {"num_decoder_layers", kInt, kNone,
     "Layers of the decoder; 0: num_hidden_layers. Fewer decode faster.",
     InRange(kLayersOr0)},
    {"filter_size", kInt, kNone,
     "Width of the feed-forward layer's inside; about four times hidden_size.",
     InRange(kSize)},
    {"num_heads", kInt, kNone,
     "Heads of attention; a divisor of hidden_size. Some 64 to 128 of "
     "hidden_size a head is usual.",
     InRange(Range::Between(1, 65536))},
    {"attention_key_channels", kInt, kNone,
     "Width of all heads' keys together; 0: hidden_size.", InRange(kSizeOr0)},
    {"attention_value_channels", kInt, kNone,
     "Width of all heads' values together; 0: hidden_size.", InRange(kSizeOr0)},
    {"ffn_layer", kText, kNone,
     "The feed-forward layer: dense_relu_dense, conv_hidden_relu, "
     "conv_relu_conv, conv_hidden_relu_with_sepconv, parameter_attention, sru, "
     "local_moe (experts) or none.",
     Among("dense_relu_dense conv_hidden_relu conv_relu_conv "
           "conv_hidden_relu_with_sepconv parameter_attention sru local_moe "
           "local_moe_tpu none")},
    {"conv_first_kernel", kInt, kNone,
     "Width of the first convolution of conv_relu_conv.", InRange(kAtLeast1)},
    {"parameter_attention_key_channels", kInt, kNone,
     "Width of the keys of ffn_layer=parameter_attention; 0: hidden_size.",
     InRange(kSizeOr0)},
    {"parameter_attention_value_channels", kInt, kNone,
     "Width of the values of ffn_layer=parameter_attention; 0: hidden_size.",
     InRange(kSizeOr0)},
    {"self_attention_type", kText, kNone,
     "What self-attention looks at: dot_product, dot_product_relative (learnt "
     "distances), local_mask_right, masked_dilated_1d and so on. Local kinds "
     "are for long sequences.",
     Among("dot_product dot_product_relative dot_product_relative_v2 "
           "dot_product_unmasked_relative_v2 local_mask_right "
           "local_relative_mask_right local_within_block_mask_right "
           "local_unmasked masked_dilated_1d unmasked_dilated_1d")},
    {"causal_decoder_self_attention", kBool, kNone,
     "The decoder sees what came before alone; false: all of it, for models "
     "that do not decode one by one."},
    {"unidirectional_encoder", kBool, kNone,
     "The encoder, too, sees what came before alone."},
    {"proximity_bias", kBool, kNone,
     "Attention prefers near positions by a fixed amount."},
    {"attention_variables_3d", kBool, kNone,
     "Attention's weights have a dimension for heads, which changes initial "
     "values and Adafactor's factors."},
    {"hard_attention_k", kInt, kNone,
     "Attention keeps the k largest weights alone; 0: all.",
     InRange(kAtLeast0)},
    {"gumbel_noise_weight", kNumber, kNone,
     "Noise on attention's logits in training; 0: none.", InRange(kAtLeast0)},
    {"pos", kText, kNone,
     "How positions are told: timing (sinusoids), timing_from_features, emb "
     "(learnt, up to max_length) or none (T2T's None, for relative attention).",
     Among("- timing timing_from_features emb none")},
    {"position_features", kText, kNone,
     "Features that timing_from_features takes positions from, with commas "
     "between."},
    {"use_target_space_embedding", kBool, kNone,
     "Adds an embedding of the targets' language to the encoder's output."},
    {"use_pad_remover", kBool, kNone,
     "The feed-forward layer leaves padding out; padding is always left out "
     "here."},
    {"nbr_decoder_problems", kInt, kNone,
     "Outputs that share the decoder, for several problems.",
     InRange(kAtLeast1)},
    {"overload_eval_metric_name", kText, kNone,
     "What the evaluation's metrics are named after, in place of the problem."},
    {"attention_dropout", kNumber, kNone,
     "Share of attention's weights dropped in training.", InRange(kDropout)},
    {"attention_dropout_broadcast_dims", kText, kNone,
     "Dimensions along which attention's dropout is the same, with commas "
     "between; \"0,1\" are the batch and the heads. Saves memory.",
     IntsIn(Range::Between(-4, 3))},
    {"relu_dropout", kNumber, kNone,
     "Share dropped inside the feed-forward layer.", InRange(kDropout)},
    {"relu_dropout_broadcast_dims", kText, kNone,
     "Dimensions along which relu_dropout is the same; \"1\" is the length.",
     IntsIn(Range::Between(-4, 3))},
    {"expected_attention_loss_type", kText, kNone,
     "How attention is held to an alignment that the data gives: kl_divergence "
     "or mse."},
    {"expected_attention_loss_multiplier", kNumber, kNone,
     "Weight of the loss that holds attention to an alignment."},
    // Memory of chunks.
    {"memory_type", kText, kNone,
     "What a language model remembers of earlier chunks: transformer_xl "
     "(vectors as they were) or neural_memory.",
     Among("transformer_xl neural_memory")},
    {"num_memory_items", kInt, kNone, "Positions remembered.",
     InRange(kAtLeast0)},
    {"recurrent_memory_batch_size", kInt, kNone,
     "Sequences remembered; 0: as many as a batch has.", InRange(kAtLeast0)},
    {"unconditional", kBool, kNone,
     "The targets are all there is: nothing conditions them."},
    // Experts and vector quantisation in the Transformer.
    {"moe_overhead_train", kNumber, kNone,
     "Room that experts have above an even share in training; tokens beyond it "
     "are lost.",
     InRange(Range::Above(0))},
    {"moe_overhead_eval", kNumber, kNone, "moe_overhead_train in evaluation.",
     InRange(Range::Above(0))},
    {"gating_type", kText, kNone,
     "What chooses experts: topk (largest gates) or vq (nearest code).",
     Among("topk vq")},
    {"use_scales", kInt, kNone, "Codes have scales, for gating_type=vq."},
    {"residual_centroids", kInt, kNone,
     "Codes are added to what they stand for, for gating_type=vq."},
    // The Universal Transformer.
    {"recurrence_type", kText, kNone,
     "How steps of the one layer follow each other: basic, act (stops by "
     "itself), gru, lstm, highway, skip or dwa."},
    {"num_rec_steps", kInt, kNone,
     "Steps of the layer. More for tasks that need more steps of thought."},
    {"num_inrecurrence_layers", kInt, kNone, "Layers within each step."},
    {"num_mixedin_layers", kInt, kNone,
     "Plain layers before or after the steps, with mix_with_transformer."},
    {"mix_with_transformer", kText, kNone,
     "Where plain layers stand: before_ut, after_ut, both with a comma "
     "between, or none (T2T's None).",
     Among("none before_ut after_ut before_ut,after_ut after_ut,before_ut")},
    {"gates_inputs", kText, kNone,
     "What a highway's gates see, of the letters s (the step's input), t (its "
     "result) and i (the first step's input); ours in the sets: T2T's code "
     "asks "
     "for it, its sets have it not."},
    {"transformer_ffn_type", kText, kNone,
     "The step's feed-forward layer: fc or sepconv."},
    {"gate_ffn_layer", kText, kNone,
     "The layer that gates are made by: dense or dense_relu_dense "
     "(dense_dropconnect fails in T2T)."},
    {"transform_bias_init", kNumber, kNone,
     "First bias of a highway's transform gate; lower: begins as the "
     "identity."},
    {"couple_carry_transform_gates", kBool, kNone,
     "A highway carries what it does not transform."},
    {"lstm_forget_bias", kNumber, kNone, "First bias of a forget gate."},
    {"use_memory_as_final_state", kBool, kNone,
     "With recurrence lstm: the memory is the result."},
    {"depth_embedding", kBool, kNone,
     "With recurrence dwa: steps have embeddings."},
    {"dwa_elements", kBool, kNone,
     "With recurrence dwa: each element has its own weights over the steps."},
    {"add_ffn_unit_to_the_transition_function", kBool, kNone,
     "Recurrent gates also get a feed-forward layer."},
    {"add_position_timing_signal", kBool, kNone,
     "Each step adds the positions again."},
    {"add_step_timing_signal", kBool, kNone,
     "Each step adds which step it is."},
    {"step_timing_signal_type", kText, kNone,
     "How the step is told: learned or sinusoid."},
    {"add_or_concat_timing_signal", kText, kNone,
     "Whether positions and steps are added or appended (concat)."},
    {"position_start_index", kText, kNone,
     "Where positions begin: random, step (shifted each step) or none at 0 "
     "(T2T's None)."},
    {"add_sru", kBool, kNone, "A simple recurrent unit before the layer."},
    {"dropconnect_dropout", kNumber, kNone,
     "Share of weights dropped with gate_ffn_layer=dense_dropconnect."},
    {"act_type", kText, kNone,
     "How ACT stops: basic (each position by itself), global, random or "
     "accumulated."},
    {"act_max_steps", kInt, kNone, "ACT takes no more steps."},
    {"act_epsilon", kNumber, kNone,
     "A position stops once its sum of halting probabilities is within it of "
     "1."},
    {"act_halting_bias_init", kNumber, kNone,
     "First bias of the halting probability; higher: stops sooner."},
    {"act_loss_weight", kNumber, kNone,
     "Weight of the loss for steps taken. Higher: fewer steps."},
    // The Evolved Transformer and its search.
    {"num_trainable_top_decoder_layers", kInt, kNone,
     "Only so many of the decoder's last layers are trained; -1: all."},
    {"print_vars", kBool, kNone, "Prints the variables of the graph."},
    {"encoder_num_cells", kInt, kNone, "Cells of the encoder."},
    {"encoder_left_inputs", kInts, kNone,
     "Of each block's left branch: which earlier output it reads."},
    {"encoder_left_layers", kTexts, kNone,
     "Of each block's left branch: its layer."},
    {"encoder_left_activations", kTexts, kNone,
     "Of each block's left branch: its activation."},
    {"encoder_left_norms", kTexts, kNone,
     "Of each block's left branch: its normalisation."},
    {"encoder_left_output_dims", kInts, kNone,
     "Of each block's left branch: its width."},
    {"encoder_right_inputs", kInts, kNone,
     "Of each block's right branch: which earlier output it reads."},
    {"encoder_right_layers", kTexts, kNone,
     "Of each block's right branch: its layer, or dead_branch."},
    {"encoder_right_activations", kTexts, kNone,
     "Of each block's right branch: its activation."},
    {"encoder_right_norms", kTexts, kNone,
     "Of each block's right branch: its normalisation."},
    {"encoder_right_output_dims", kInts, kNone,
     "Of each block's right branch: its width."},
    {"encoder_combiner_functions", kTexts, kNone,
     "How each block joins its branches: add, multiply or concat."},
    {"encoder_final_combiner_function", kText, kNone,
     "How outputs that nothing reads are joined."},
    {"decoder_num_cells", kInt, kNone, "Cells of the decoder."},
    {"decoder_left_inputs", kInts, kNone,
     "As encoder_left_inputs, of the decoder."},
    {"decoder_left_layers", kTexts, kNone,
     "As encoder_left_layers; attend_to_encoder reads the encoder."},
    {"decoder_left_activations", kTexts, kNone,
     "As encoder_left_activations, of the decoder."},
    {"decoder_left_norms", kTexts, kNone,
     "As encoder_left_norms, of the decoder."},
    {"decoder_left_output_dims", kInts, kNone,
     "As encoder_left_output_dims, of the decoder."},
    {"decoder_right_inputs", kInts, kNone,
     "As encoder_right_inputs, of the decoder."},
    {"decoder_right_layers", kTexts, kNone,
     "As encoder_right_layers, of the decoder."},
    {"decoder_right_activations", kTexts, kNone,
     "As encoder_right_activations, of the decoder."},
    {"decoder_right_norms", kTexts, kNone,
     "As encoder_right_norms, of the decoder."},
    {"decoder_right_output_dims", kInts, kNone,
     "As encoder_right_output_dims, of the decoder."},
    {"decoder_combiner_functions", kTexts, kNone,
     "As encoder_combiner_functions, of the decoder."},
    {"decoder_final_combiner_function", kText, kNone,
     "As encoder_final_combiner_function, of the decoder."},
    // Blockwise decoding, auxiliary losses.
    {"block_size", kInt, kNone,
     "Tokens that are predicted at once (in attention over blocks: their "
     "size)."},
    {"shift_values", kText, kNone,
     "By how many positions the targets of the auxiliary losses are shifted, "
     "with commas between."},
    // transformer_moe.
    {"layer_types", kText, kNone,
     "Layers' kinds as letters: / between layers, # between encoder and "
     "decoder, - before the feed-forward layer's kind."},
    {"default_att", kText, kNone,
     "Kind of attention where layer_types names none: a is full attention."},
    {"default_ff", kText, kNone,
     "Kind of feed-forward layer where layer_types names none: fc, sep "
     "(separable convolution) or sepm."},
    {"attention_loc_block_length", kInt, kNone,
     "Length of the blocks of local attention."},
    {"attention_loc_block_width", kInt, kNone,
     "Positions that a block of local attention sees beside itself."},
    {"attention_red_factor", kInt, kNone,
     "How many positions are made one, in attention over compressed memory."},
    {"attention_red_type", kText, kNone,
     "How positions are made one, in attention over compressed memory: conv."},
    {"attention_red_nonlinearity", kText, kNone,
     "What follows when positions are made one: none or silu."},
};

}  // namespace

std::span<const HParamKey> TransformerKeys() { return kKeys; }

}  // namespace t2t
