#include "hearth/model/describe.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace hearth::model {
namespace {

std::string_view type_name(std::uint32_t number) {
  const GgmlType* type = find_ggml_type(number);
  return type ? type->name : "?";
}

Json kv_json(const ModelShape& shape, KvType type) {
  const auto bytes = kv_bytes_per_token(shape, type);
  return bytes ? Json(*bytes) : Json();
}

Json shards_json(const ModelFiles& files) {
  Json out = Json::array();
  for (const ModelShard& shard : files.shards) {
    out.push(Json::object({{"file", shard.path.filename().string()}, {"bytes", shard.bytes}}));
  }
  return out;
}

Json mla_json(const ModelShape& shape) {
  if (!shape.mla) return {};
  return Json::object({{"kv_lora_rank", shape.mla->kv_lora_rank},
                       {"q_lora_rank", shape.mla->q_lora_rank},
                       {"rope_values", shape.mla->rope_values},
                       {"nope_values", shape.mla->nope_values},
                       {"v_values", shape.mla->v_values}});
}

Json experts_json(const ModelShape& shape) {
  if (!shape.experts) return {};
  return Json::object({{"count", shape.experts->count},
                       {"used", shape.experts->used},
                       {"shared", shape.experts->shared},
                       {"leading_dense_layers", shape.experts->leading_dense_layers},
                       {"feed_forward", shape.experts->feed_forward}});
}

Json types_json(const ModelShape& shape) {
  Json out = Json::array();
  for (const TensorTypeTotal& total : shape.tensor_types) {
    out.push(Json::object({{"type", type_name(total.type)},
                           {"tensors", total.tensors},
                           {"bytes", total.bytes}}));
  }
  return out;
}

std::string scaled(double value, std::string_view unit) {
  constexpr std::array<std::string_view, 5> prefixes{"", "k", "M", "G", "T"};
  std::size_t step = 0;
  while (value >= 1000.0 && step + 1 < prefixes.size()) {
    value /= 1000.0;
    ++step;
  }
  if (step == 0) return fmt::format("{:.0f} {}", value, unit);
  return fmt::format("{:.{}f} {}{}", value, value < 10 ? 3 : value < 100 ? 2 : 1, prefixes[step], unit);
}

std::string bytes_text(std::uint64_t bytes) { return scaled(static_cast<double>(bytes), "B"); }

std::string kv_text(const ModelShape& shape) {
  std::string out;
  for (const KvType type : {KvType::f16, KvType::q8_0}) {
    const auto bytes = kv_bytes_per_token(shape, type);
    if (!out.empty()) out += ", ";
    out += bytes ? fmt::format("{} B ({})", *bytes, kv_type_name(type))
                 : fmt::format("not possible ({})", kv_type_name(type));
  }
  return out;
}

class Table {
 public:
  void row(std::string_view label, std::string_view text) {
    fmt::format_to(std::back_inserter(text_), "{:<18}{}\n", label, text);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void attention_rows(Table& table, const ModelShape& shape) {
  table.row("attention", fmt::format("{}, {} heads, {} for K and V", kv_kind_name(shape.kv_kind),
                                     shape.heads, shape.kv_heads));
  if (shape.mla) {
    table.row("mla", fmt::format("latent {} + {} rotated, queries {}", shape.mla->kv_lora_rank,
                                 shape.mla->rope_values, shape.mla->q_lora_rank));
  }
  if (shape.experts) {
    table.row("experts", fmt::format("{} of {} per token, {} shared, {} dense layers first",
                                     shape.experts->used, shape.experts->count,
                                     shape.experts->shared, shape.experts->leading_dense_layers));
  }
}

}  // namespace

Json model_json(const ModelFiles& files, const ModelShape& shape) {
  Json kv = Json::object({{"f16", kv_json(shape, KvType::f16)},
                          {"q8_0", kv_json(shape, KvType::q8_0)}});
  return Json::object({{"architecture", shape.architecture},
                       {"name", shape.name},
                       {"parameters_total", shape.parameters_total},
                       {"parameters_active", shape.parameters_active},
                       {"layers", shape.layers},
                       {"kv_bytes_per_token", std::move(kv)},
                       {"bytes_per_decoded_token", shape.bytes_per_decoded_token},
                       {"shards", shards_json(files)},
                       {"weights_bytes", shape.weights_bytes},
                       {"context_length", shape.context_length},
                       {"embedding", shape.embedding},
                       {"vocabulary", shape.vocabulary},
                       {"kv_kind", kv_kind_name(shape.kv_kind)},
                       {"recurrent_state_bytes", shape.recurrent_state_bytes},
                       {"mla", mla_json(shape)},
                       {"experts", experts_json(shape)},
                       {"tensor_types", types_json(shape)}});
}

std::string model_text(const ModelFiles& files, const ModelShape& shape) {
  Table table;
  table.row("name", shape.name);
  table.row("architecture", shape.architecture);
  table.row("parameters", fmt::format("{} in all, {} per token",
                                      scaled(static_cast<double>(shape.parameters_total), ""),
                                      scaled(static_cast<double>(shape.parameters_active), "")));
  table.row("layers", fmt::format("{} of width {}", shape.layers, shape.embedding));
  attention_rows(table, shape);
  table.row("vocabulary", std::to_string(shape.vocabulary));
  table.row("context", fmt::format("{} tokens", shape.context_length));
  table.row("kv per token", kv_text(shape));
  table.row("weights", fmt::format("{}, {} read per decoded token", bytes_text(shape.weights_bytes),
                                   bytes_text(shape.bytes_per_decoded_token)));
  for (const TensorTypeTotal& total : shape.tensor_types) {
    table.row("", fmt::format("{:<8}{:>6} tensors {:>12}", type_name(total.type), total.tensors,
                              bytes_text(total.bytes)));
  }
  for (const ModelShard& shard : files.shards) {
    table.row(&shard == &files.shards.front() ? "files" : "",
              fmt::format("{} ({})", shard.path.filename().string(), bytes_text(shard.bytes)));
  }
  return table.take();
}

}  // namespace hearth::model
