#include "hearth/plan/cost/card.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::plan {
namespace {

constexpr double bits_per_byte = 8;
// What a GGUF keeps embedding and head in when nothing says otherwise: Q8_0.
constexpr double head_bits_default = 8.5;

// How all bytes of a file divide. Whole-model sums; layers share them evenly except that the first
// dense layers of a mixture have no routed part.
struct Division {
  double routed_bytes = 0;
  double other_bytes = 0;  // in layers
  double embedding_bytes = 0;
  double head_bytes = 0;
};

double routed_params_of(const Model& model) {
  if (model.routed_params > 0) return model.routed_params;
  if (model.active_routed_params > 0 && model.experts_per_token > 0) {
    return model.active_routed_params * model.experts / model.experts_per_token;
  }
  // Not stated: solve total = other + routed, active = other + head + routed * k / E.
  const double share = static_cast<double>(model.experts_per_token) / model.experts;
  return std::max(0.0, (model.total_params - model.active_params_decode) / (1 - share));
}

double embedding_params_of(const Model& model) {
  return static_cast<double>(model.vocab) * model.hidden;
}

// Everything from bits per weight.
Division divide_by_bits(const Model& model, Bits bits) {
  Division out;
  const double table_params = embedding_params_of(model);
  const double head_params = model.head_params > 0 ? model.head_params : table_params;
  if (model.experts > 0) {
    const double routed = routed_params_of(model);
    const double active_routed = routed * model.experts_per_token / model.experts;
    const double other = std::max(0.0, model.active_params_decode - active_routed - head_params);
    out.routed_bytes = routed * bits.bulk / bits_per_byte;
    out.other_bytes = other * bits.other / bits_per_byte;
    out.head_bytes = head_params * bits.other / bits_per_byte;
    out.embedding_bytes = table_params * bits.other / bits_per_byte;
    return out;
  }
  const double untied = std::max(0.0, model.total_params - model.active_params_decode);
  out.embedding_bytes = untied * bits.bulk / bits_per_byte;
  out.head_bytes = table_params * bits.bulk / bits_per_byte;
  out.other_bytes = model.active_params_decode * bits.bulk / bits_per_byte - out.head_bytes;
  return out;
}

Division divide_variant(const Model& model, const Variant& variant) {
  const double bytes = static_cast<double>(variant.bytes);
  if (model.experts == 0) {
    return divide_by_bits(model, {bytes * bits_per_byte / model.total_params, 0});
  }
  Division out;
  const double share = static_cast<double>(model.experts_per_token) / model.experts;
  const double table_params = embedding_params_of(model);
  const double routed = routed_params_of(model);
  if (variant.routed_bits_per_weight) {
    out.routed_bytes = routed * *variant.routed_bits_per_weight / bits_per_byte;
  } else if (variant.bytes_read_per_token) {
    // bytes = embedding + rest + routed; read = rest + routed * share.
    const double embedding = table_params * head_bits_default / bits_per_byte;
    out.routed_bytes =
        (bytes - embedding - static_cast<double>(*variant.bytes_read_per_token)) / (1 - share);
  } else {
    // The rest is usually kept at 8 bits; all of it at the mean when that would not fit.
    const double rest = std::max(0.0, model.total_params - routed);
    const double rest_bytes = rest * head_bits_default / bits_per_byte;
    const double mean_bytes = bytes * routed / model.total_params;
    out.routed_bytes = rest_bytes < bytes / 2 ? bytes - rest_bytes : mean_bytes;
  }
  out.routed_bytes = std::min(out.routed_bytes, bytes);
  const double rest = bytes - out.routed_bytes;
  const double rest_params = std::max(1.0, model.total_params - routed);
  const double head_params = model.head_params > 0 ? model.head_params : table_params;
  out.embedding_bytes = rest * std::min(1.0, table_params / rest_params);
  out.head_bytes = std::min(rest - out.embedding_bytes, rest * head_params / rest_params);
  if (variant.bytes_read_per_token) {
    const double read = static_cast<double>(*variant.bytes_read_per_token);
    const double other = read - out.routed_bytes * share;
    if (other > 0 && other < rest) {
      out.embedding_bytes = rest - other;
      out.head_bytes = std::min(other, out.embedding_bytes);
    }
  }
  out.other_bytes = rest - out.embedding_bytes - out.head_bytes;
  return out;
}

std::vector<LayerWeights> spread(const Model& model, const Division& division) {
  const std::uint32_t mixed =
      model.experts > 0 ? model.layers - std::min(model.layers, model.dense_layers) : 0;
  std::vector<LayerWeights> layers(model.layers);
  for (std::uint32_t i = 0; i < model.layers; ++i) {
    layers[i].other_bytes = static_cast<std::uint64_t>(division.other_bytes / model.layers);
    if (mixed > 0 && i >= model.layers - mixed) {
      layers[i].routed_bytes = static_cast<std::uint64_t>(division.routed_bytes / mixed);
    }
  }
  return layers;
}

// The catalogue has sums: of latent and rotated values in the KV, of both and the latent again in the
// absorbed FLOPs, of key and value of a head in the expanded ones. Those two are taken as equal.
void take_mla_width(const Model& model, ModelCard& card) {
  if (card.attention_flop_absorbed <= 0 || model.heads == 0 || model.layers == 0) return;
  const double per_head = 2.0 * model.heads * model.layers;
  const double kept = static_cast<double>(model.kv_bytes_per_token_f16) / 2 / model.layers;
  const double latent = card.attention_flop_absorbed / per_head - kept;
  const double rope = kept - latent;
  const double nope = (card.attention_flop / per_head - rope) / 2;
  if (latent <= 0 || rope < 0 || nope <= 0) return;
  card.attention_width = mla_width({static_cast<double>(model.hidden),
                                    static_cast<double>(model.heads), nope, rope, latent});
}

ModelCard card_from(const Model& model, const Division& division) {
  ModelCard card;
  card.model = model.key;
  card.architecture = model.architecture;
  card.name = model.name;
  card.layers = spread(model, division);
  card.embedding_bytes = static_cast<std::uint64_t>(division.embedding_bytes);
  card.head_bytes = static_cast<std::uint64_t>(division.head_bytes);
  card.experts = model.experts;
  card.experts_per_token = model.experts_per_token;
  card.linear_flop_per_token = 2 * model.active_params_prefill;
  card.attention_flop = model.attention_flop_per_context_token;
  card.attention_flop_absorbed = model.attention_flop_per_context_token_absorbed;
  card.kv_up_flop = model.kv_up_projection_flop_per_context_token;
  card.kv_bytes_per_token_f16 = model.kv_bytes_per_token_f16;
  if (model.sliding_window > 0 && model.sliding_attention_layers > 0 &&
      model.full_attention_layers > 0) {
    const double ratio =
        static_cast<double>(model.sliding_attention_layers) / model.full_attention_layers;
    card.sliding_window = model.sliding_window;
    card.sliding_attention_flop = card.attention_flop * ratio;
    card.kv_bytes_per_token_f16 = model.kv_bytes_per_token_f16_full_layers;
    card.kv_bytes_per_token_sliding_f16 =
        model.kv_bytes_per_token_f16 - model.kv_bytes_per_token_f16_full_layers;
  }
  card.kv_bytes_per_token_q8_0 = model.kv_bytes_per_token_q8_0
                                     ? model.kv_bytes_per_token_q8_0
                                     : card.kv_bytes_per_token_f16 * 17 / 32;  // 34 B per 32 values
  card.recurrent_state_bytes = model.recurrent_state_bytes;
  card.context_max = model.context;
  card.hidden = model.hidden;
  card.heads = model.heads;
  card.vocab = model.vocab;
  const bool has_dense_layers = model.experts == 0 || model.dense_layers > 0;
  card.feed_forward_width = std::max(has_dense_layers ? model.dense_ffn : 0,
                                     model.moe_ffn * model.experts_per_token);
  take_mla_width(model, card);
  return card;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

}  // namespace

double mla_width(const MlaWidths& w) {
  const double query = w.heads * (w.nope + w.rope);
  const double rotated = (w.heads + 1) * w.rope;  // of all queries and the key, before and after
  const double absorbed = w.heads * w.latent;
  const double whole_query = w.heads * (w.latent + w.rope);
  const double kept = w.latent + w.rope;  // before the norm, and as it goes into the cache
  return w.hidden + query + 2 * rotated + absorbed + whole_query + 2 * kept + w.latent;
}

const Variant* find_variant(const Model& model, std::string_view name) {
  const std::string wanted = lower(name);
  const Variant* part = nullptr;
  std::size_t parts = 0;
  for (const Variant& variant : model.variants) {
    const std::string candidate = lower(variant.name);
    if (candidate == wanted) return &variant;
    if (candidate.find(wanted) == std::string::npos) continue;
    // A GGUF is what we run: it wins over other formats with the same part in its name.
    if (parts == 0 || (part->format != "gguf" && variant.format == "gguf")) {
      part = &variant;
      parts = 1;
    } else if (variant.format == part->format) {
      ++parts;
    }
  }
  return parts == 1 ? part : nullptr;
}

Result<ModelCard> card_of(const Catalog& catalog, std::string_view model_key,
                          std::string_view variant_name) {
  const Model* model = catalog.model(model_key);
  if (!model) {
    std::string known;
    for (const Model& m : catalog.models) known += (known.empty() ? "" : ", ") + m.key;
    return fail(Code::not_found,
                fmt::format("no model '{}' in the catalogue; there are {}. Give a GGUF file or URL "
                            "instead, or add it: hearth catalog add model …",
                            model_key, known));
  }
  const Variant* variant = find_variant(*model, variant_name);
  if (!variant) {
    std::string known;
    for (const Variant& v : model->variants) {
      known += fmt::format("{}{} ({:.0f} GB)", known.empty() ? "" : ", ", v.name,
                           static_cast<double>(v.bytes) / 1e9);
    }
    return fail(Code::not_found,
                fmt::format("model '{}' has no single variant like '{}'; there are: {}", model_key,
                            variant_name, known.empty() ? "none" : known));
  }
  if (model->kv_bytes_per_token_f16 == 0) {
    return fail(Code::unsupported,
                fmt::format("model '{}': its KV size is not in the catalogue; add "
                            "kv_bytes_per_token_f16",
                            model_key));
  }
  ModelCard card = card_from(*model, divide_variant(*model, *variant));
  card.variant = variant->name;
  card.format = variant->format;
  card.note = variant->note;
  card.calculated_from = "catalogue: " + variant->origin.source;
  return card;
}

ModelCard card_of_bits(const Model& model, std::string_view quant, Bits bits) {
  ModelCard card = card_from(model, divide_by_bits(model, bits));
  card.variant = std::string(quant);
  card.calculated_from = "bits per weight of the format";
  return card;
}

}  // namespace hearth::plan
