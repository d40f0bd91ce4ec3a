#include "hearth/plan/cost/shape_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::plan {
namespace {

constexpr double same_model_tolerance = 0.02;  // of parameters and layers

// Two FLOPs per value of a query and of an output, for each new and context token.
constexpr double flop_per_value = 2;

std::string known_architecture(const model::ModelShape& shape, const Catalog& catalog) {
  for (const Model& model : catalog.models) {
    const double parameters = static_cast<double>(shape.parameters_total);
    if (model.gguf_arch == shape.architecture && model.layers == shape.layers &&
        std::abs(parameters / model.total_params - 1) < same_model_tolerance) {
      return model.architecture;
    }
  }
  return "file:" + shape.architecture + ":" + shape.name;
}

void take_weights(const model::ModelShape& shape, ModelCard& card) {
  for (const model::LayerWeights& layer : shape.weights.layers) {
    card.layers.push_back(
        {.routed_bytes = layer.expert_bytes, .other_bytes = layer.bytes - layer.expert_bytes});
  }
  card.embedding_bytes = shape.weights.embedding + shape.weights.other;
  card.head_bytes = shape.weights.output;
  if (shape.weights.tied_embedding) {  // one table, read whole for each token
    card.head_bytes += shape.weights.embedding;
    card.embedding_bytes -= shape.weights.embedding;
  }
  if (shape.experts) {
    card.experts = shape.experts->count;
    card.experts_per_token = shape.experts->used;
  }
}

void take_attention(const model::ModelShape& shape, ModelCard& card) {
  const double heads = shape.heads;
  double full = 0, windowed = 0;
  for (const model::LayerKv& layer : shape.layer_kv) {
    if (layer.k_values == 0) continue;
    (layer.window_tokens > 0 ? windowed : full) += 1;
    if (layer.window_tokens > 0)
      card.sliding_window = std::max(card.sliding_window, layer.window_tokens);
  }
  if (shape.mla) {
    const model::MlaShape& m = *shape.mla;
    card.attention_flop =
        flop_per_value * heads * (m.nope_values + m.rope_values + m.v_values) * full;
    card.attention_flop_absorbed =
        flop_per_value * heads * (2.0 * m.kv_lora_rank + m.rope_values) * full;
    card.kv_up_flop = flop_per_value * m.kv_lora_rank * heads * (m.nope_values + m.v_values) * full;
    card.attention_width = mla_width({double(shape.embedding), heads, double(m.nope_values),
                                      double(m.rope_values), double(m.kv_lora_rank)});
    return;
  }
  const double per_layer = flop_per_value * heads * (shape.head_k + shape.head_v);
  card.attention_flop = per_layer * full;
  card.sliding_attention_flop = per_layer * windowed;
}

Result<> take_kv(const model::ModelShape& shape, ModelCard& card) {
  const auto f16 = TRY(model::kv_rows(shape, model::KvType::f16));
  for (std::size_t i = 0; i < f16.size(); ++i) {
    const std::uint64_t bytes = f16[i].k + f16[i].v + f16[i].indexer;
    (shape.layer_kv[i].window_tokens > 0 ? card.kv_bytes_per_token_sliding_f16
                                         : card.kv_bytes_per_token_f16) += bytes;
  }
  card.kv_bytes_per_token_q8_0 = card.kv_bytes_per_token_f16 * 17 / 32;  // 34 B per 32 values
  if (const auto q8 = model::kv_rows(shape, model::KvType::q8_0)) {
    card.kv_bytes_per_token_q8_0 = 0;
    for (std::size_t i = 0; i < q8->size(); ++i) {
      if (shape.layer_kv[i].window_tokens == 0)
        card.kv_bytes_per_token_q8_0 += (*q8)[i].k + (*q8)[i].v + (*q8)[i].indexer;
    }
  }
  card.recurrent_state_bytes = shape.recurrent_state_bytes;
  return {};
}

}  // namespace

Result<ModelCard> card_of_shape(const model::ModelShape& shape, const Catalog& catalog,
                                std::string_view variant) {
  if (shape.kv_kind == model::KvKind::unknown) {
    return fail(Code::unsupported, fmt::format("{}: how architecture '{}' stores its KV is not "
                                               "established, so its memory cannot be planned",
                                               variant, shape.architecture));
  }
  ModelCard card;
  card.model = shape.name.empty() ? std::string(variant) : shape.name;
  card.name = card.model;
  card.architecture = known_architecture(shape, catalog);
  card.variant = std::string(variant);
  card.format = "gguf";
  take_weights(shape, card);
  take_attention(shape, card);
  TRY(take_kv(shape, card));
  const double head_params = static_cast<double>(shape.vocabulary) * shape.embedding;
  card.linear_flop_per_token =
      flop_per_value * std::max(0.0, static_cast<double>(shape.parameters_active) - head_params);
  card.context_max = shape.context_length;
  card.hidden = shape.embedding;
  card.heads = shape.heads;
  card.vocab = shape.vocabulary;
  const bool has_dense_layers =
      !shape.experts || std::ranges::any_of(card.layers, [](const LayerWeights& layer) {
        return layer.routed_bytes == 0;
      });
  card.feed_forward_width = has_dense_layers ? shape.feed_forward : 0;
  if (shape.experts) {
    card.feed_forward_width =
        std::max(card.feed_forward_width, shape.experts->used * shape.experts->feed_forward);
  }
  card.calculated_from = "the file's tensor table";
  return card;
}

}  // namespace hearth::plan
