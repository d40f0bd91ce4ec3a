// The one list of an identity's fields, written and read; the digest and the comparison walk it.
#include <fmt/format.h>

#include "hearth/model/layout_identity.h"

namespace hearth::model {
namespace {

Json rope_json(const RopeShape& rope) {
  return Json::object({{"dimensions", rope.dimensions},
                       {"frequency_base", rope.frequency_base},
                       {"scaling", rope.scaling},
                       {"scaling_factor", rope.scaling_factor},
                       {"original_context", rope.original_context},
                       {"yarn_log_multiplier", rope.yarn_log_multiplier},
                       {"attention_factor", rope.attention_factor}});
}

Json layer_json(const StateLayer& layer) {
  return Json::object({{"k_type", layer.k_type},
                       {"k_row_bytes", layer.k_row_bytes},
                       {"v_type", layer.v_type},
                       {"v_row_bytes", layer.v_row_bytes},
                       {"v_element_bytes", layer.v_element_bytes}});
}

Json cache_json(const CacheLayout& cache) {
  Json layers = Json::array();
  for (const StateLayer& layer : cache.layers) layers.push(layer_json(layer));
  return Json::object({{"v_transposed", cache.v_transposed},
                       {"rotation_k", cache.rotation_k},
                       {"rotation_v", cache.rotation_v},
                       {"cell_extension_bytes", cache.cell_extension_bytes},
                       {"window_tokens", cache.window_tokens},
                       {"layers", std::move(layers)}});
}

Result<KvType> get_kv_type(const Json& json, std::string_view key) {
  const auto name = TRY(get<std::string>(json, key));
  return parse_kv_type(name);
}

Result<Digest256> get_digest(const Json& json, std::string_view key, std::string_view path = "") {
  const auto hex = TRY(get<std::string>(json, key, path));
  auto digest = Digest256::parse(hex);
  if (!digest) return std::unexpected(with_context(std::move(digest).error(), key));
  return *digest;
}

Result<const Json*> get_member(const Json& json, std::string_view key) {
  if (const Json* found = json.find(key)) return found;
  return fail(Code::invalid_argument, fmt::format("{} is missing", key));
}

// At most `count_max` items.
Result<const Json::Array*> get_array(const Json& json, std::string_view key, std::size_t count_max) {
  const Json* array = TRY(get_member(json, key));
  if (!array->is_array() || array->as_array().size() > count_max) {
    return fail(Code::invalid_argument,
                fmt::format("{}: expected an array of at most {} items", key, count_max));
  }
  return &array->as_array();
}

Result<RopeShape> rope_from_json(const Json& json) {
  RopeShape rope;
  rope.dimensions = TRY(get<std::uint32_t>(json, "dimensions", "rope"));
  rope.frequency_base = TRY(get<double>(json, "frequency_base", "rope"));
  rope.scaling = TRY(get<std::string>(json, "scaling", "rope"));
  rope.scaling_factor = TRY(get<double>(json, "scaling_factor", "rope"));
  rope.original_context = TRY(get<std::uint32_t>(json, "original_context", "rope"));
  rope.yarn_log_multiplier = TRY(get<double>(json, "yarn_log_multiplier", "rope"));
  rope.attention_factor = TRY(get<double>(json, "attention_factor", "rope"));
  return rope;
}

Result<StateLayer> layer_from_json(const Json& json) {
  StateLayer layer;
  layer.k_type = TRY(get<std::uint32_t>(json, "k_type", "layer"));
  layer.k_row_bytes = TRY(get<std::uint64_t>(json, "k_row_bytes", "layer"));
  layer.v_type = TRY(get<std::uint32_t>(json, "v_type", "layer"));
  layer.v_row_bytes = TRY(get<std::uint64_t>(json, "v_row_bytes", "layer"));
  layer.v_element_bytes = TRY(get<std::uint32_t>(json, "v_element_bytes", "layer"));
  return layer;
}

Result<CacheLayout> cache_from_json(const Json& json) {
  CacheLayout cache;
  cache.v_transposed = TRY(get<bool>(json, "v_transposed", "cache"));
  cache.rotation_k = TRY(get<std::uint32_t>(json, "rotation_k", "cache"));
  cache.rotation_v = TRY(get<std::uint32_t>(json, "rotation_v", "cache"));
  cache.cell_extension_bytes = TRY(get<std::uint32_t>(json, "cell_extension_bytes", "cache"));
  cache.window_tokens = TRY(get<std::uint32_t>(json, "window_tokens", "cache"));
  const auto* layers = TRY(get_array(json, "layers", layer_count_max));
  for (const Json& item : *layers) cache.layers.push_back(TRY(layer_from_json(item)));
  return cache;
}

Json recurrent_json(const RecurrentLayout& recurrent) {
  return Json::object({{"model_layers", recurrent.model_layers},
                       {"layers", recurrent.layers},
                       {"convolution_bytes", recurrent.convolution_bytes},
                       {"state_bytes", recurrent.state_bytes}});
}

Result<RecurrentLayout> recurrent_from_json(const Json& json) {
  RecurrentLayout recurrent;
  recurrent.model_layers = TRY(get<std::uint32_t>(json, "model_layers", "recurrent"));
  recurrent.layers = TRY(get<std::uint32_t>(json, "layers", "recurrent"));
  recurrent.convolution_bytes = TRY(get<std::uint64_t>(json, "convolution_bytes", "recurrent"));
  recurrent.state_bytes = TRY(get<std::uint64_t>(json, "state_bytes", "recurrent"));
  return recurrent;
}

Result<StateLayout> state_from_json(const Json& json) {
  StateLayout state;
  const auto* caches = TRY(get_array(json, "state", state_caches_max));
  for (const Json& item : *caches) state.caches.push_back(TRY(cache_from_json(item)));
  if (const Json* recurrent = json.find("recurrent")) {
    state.recurrent = TRY(recurrent_from_json(*recurrent));
  }
  if (!is_sane(state)) return fail(Code::invalid_argument, "state: outside the limits");
  return state;
}

Json adapter_json(const Adapter& adapter) {
  Json json = Json::object({{"digest", adapter.digest.hex()}, {"scale", adapter.scale}});
  if (adapter.layers) {
    json.set("layers", Json::object({{"first", adapter.layers->first}, {"last", adapter.layers->last}}));
  }
  return json;
}

Result<Adapter> adapter_from_json(const Json& json) {
  Adapter adapter;
  adapter.digest = TRY(get_digest(json, "digest", "adapter"));
  adapter.scale = TRY(get<double>(json, "scale", "adapter"));
  if (const Json* layers = json.find("layers")) {
    adapter.layers.emplace();
    adapter.layers->first = TRY(get<std::uint32_t>(*layers, "first", "adapter.layers"));
    adapter.layers->last = TRY(get<std::uint32_t>(*layers, "last", "adapter.layers"));
  }
  return adapter;
}

}  // namespace

Json adapters_json(std::span<const Adapter> adapters) {
  Json json = Json::array();
  for (const Adapter& adapter : adapters) json.push(adapter_json(adapter));
  return json;
}

Result<std::vector<Adapter>> adapters_from_json(const Json& json) {
  std::vector<Adapter> adapters;
  const auto* items = TRY(get_array(json, "adapters", adapters_max));
  for (const Json& item : *items) adapters.push_back(TRY(adapter_from_json(item)));
  return adapters;
}

Json identity_json(const LayoutIdentity& identity) {
  Json state = Json::array();
  for (const CacheLayout& cache : identity.state.caches) state.push(cache_json(cache));
  Json json = Json::object({{"revision", identity.revision},
                            {"architecture", identity.architecture},
                            {"gguf", identity.gguf.hex()},
                            {"weights", identity.weights.hex()},
                            {"tokenizer", identity.tokenizer.hex()},
                            {"layers", identity.layers},
                            {"k_type", kv_type_name(identity.k_type)},
                            {"v_type", kv_type_name(identity.v_type)},
                            {"flash_attention", identity.flash_attention},
                            {"stream_count", identity.stream_count},
                            {"rope", rope_json(identity.rope)},
                            {"adapters", adapters_json(identity.adapters)},
                            {"state", std::move(state)}});
  // Only where there is one: the digests of all other layouts stay what they were.
  if (identity.state.recurrent) json.set("recurrent", recurrent_json(*identity.state.recurrent));
  return json;
}

Result<LayoutIdentity> identity_from_json(const Json& json) {
  LayoutIdentity identity;
  identity.revision = TRY(get<std::uint32_t>(json, "revision", "identity"));
  identity.architecture = TRY(get<std::string>(json, "architecture"));
  identity.gguf = TRY(get_digest(json, "gguf"));
  identity.weights = TRY(get_digest(json, "weights"));
  identity.tokenizer = TRY(get_digest(json, "tokenizer"));
  identity.layers = TRY(get<std::uint32_t>(json, "layers", "identity"));
  identity.k_type = TRY(get_kv_type(json, "k_type"));
  identity.v_type = TRY(get_kv_type(json, "v_type"));
  identity.flash_attention = TRY(get<bool>(json, "flash_attention"));
  identity.stream_count = TRY(get<std::uint32_t>(json, "stream_count", "identity"));
  const Json* rope = TRY(get_member(json, "rope"));
  identity.rope = TRY(rope_from_json(*rope));
  identity.adapters = TRY(adapters_from_json(json));
  identity.state = TRY(state_from_json(json));
  return identity;
}

}  // namespace hearth::model
