#include "hearth/plan/catalog/view.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::plan {
namespace {

Json texts(const std::vector<std::string>& items) {
  Json out = Json::array();
  for (const std::string& item : items) out.push(item);
  return out;
}
template <class T>
void put(Json& out, std::string_view key, const std::optional<T>& value) {
  if (value) out.set(std::string(key), *value);
}
void put(Json& out, std::string_view key, const std::string& value) {
  if (!value.empty()) out.set(std::string(key), value);
}
template <class T>
requires std::is_arithmetic_v<T>
void put_number(Json& out, std::string_view key, T value) {
  if (value != T{}) out.set(std::string(key), value);
}
Json head(std::string_view kind, std::string_view key, std::string_view name) {
  return Json::object({{"kind", kind}, {"key", key}, {"name", name}});
}
void put_origin(Json& out, const Origin& origin) {
  out.set("source", origin.source);
  out.set("confidence", confidence_name(origin.confidence));
}

Json json_of(const Machine& m) {
  Json out = head("machine", m.key, m.name);
  put(out, "chip", m.chip);
  put(out, "backend", m.backend);
  put(out, "memory_bytes", m.memory_bytes);
  put(out, "usable_bytes", m.usable_bytes);
  put(out, "planning_bytes", m.planning_bytes);
  put(out, "memory_bandwidth_gb_s", m.memory_bandwidth_gb_s);
  put(out, "storage_read_gb_s", m.storage_read_gb_s);
  if (!m.notes.empty()) out.set("notes", texts(m.notes));
  put_origin(out, m.origin);
  return out;
}
Json json_of(const Link& l) {
  Json out = head("link", l.key, l.name);
  put(out, "transport", l.transport);
  put(out, "nominal_gbit_s", l.nominal_gbit_s);
  put(out, "effective_gb_s", l.effective_gb_s);
  put(out, "effective_low_gb_s", l.effective_low_gb_s);
  put(out, "effective_high_gb_s", l.effective_high_gb_s);
  put(out, "latency_us", l.latency_us);
  if (!l.between.empty()) out.set("between", texts(l.between));
  if (l.probed) {
    out.set("there_gb_s", l.probed->there_gb_s);
    out.set("back_gb_s", l.probed->back_gb_s);
    out.set("round_trip_ms", l.probed->round_trip_ms);
    put(out, "date", l.probed->date);
  }
  if (!l.notes.empty()) out.set("notes", texts(l.notes));
  put_origin(out, l.origin);
  return out;
}
Json json_of(const Cluster& c) {
  Json out = head("cluster", c.key, c.name);
  Json members = Json::array();
  for (const ClusterMember& m : c.members) members.push(fmt::format("{}: {}", m.name, m.machine));
  Json connections = Json::array();
  for (const ClusterConnection& x : c.connections)
    connections.push(fmt::format("{} – {}: {}", x.a, x.b, x.link));
  out.set("members", std::move(members));
  out.set("connections", std::move(connections));
  put_origin(out, c.origin);
  return out;
}
Json json_of(const Model& m) {
  Json out = head("model", m.key, m.name);
  put_number(out, "total_params", m.total_params);
  put_number(out, "active_params", m.active_params_decode);
  put_number(out, "layers", m.layers);
  put_number(out, "experts", m.experts);
  put_number(out, "experts_per_token", m.experts_per_token);
  put_number(out, "context", m.context);
  put_number(out, "kv_bytes_per_token_f16", m.kv_bytes_per_token_f16);
  put(out, "attention", m.attention);
  Json variants = Json::array();
  for (const Variant& v : m.variants) {
    variants.push(Json::object({{"name", v.name},
                                {"format", v.format},
                                {"bytes", v.bytes},
                                {"note", v.note},
                                {"source", v.origin.source}}));
  }
  out.set("variants", std::move(variants));
  if (!m.notes.empty()) out.set("notes", texts(m.notes));
  put_origin(out, m.origin);
  return out;
}
Json json_of(const Quantisation& q) {
  Json out = head("quantisation", q.key, q.key);
  out.set("bits_per_weight", q.bits_per_weight);
  out.set("other_bits_per_weight", q.other_bits_per_weight);
  put_origin(out, q.origin);
  return out;
}
Json json_of(const EngineEntry& e) {
  Json out = head("engine", e.key, e.name);
  put(out, "version", e.version);
  put(out, "as_of", e.as_of);
  out.set("backends", texts(e.backends));
  out.set("formats", texts(e.formats));
  out.set("families", texts(e.families));
  out.set("spans_backends", e.spans_backends);
  out.set("transports", texts(e.transports));
  put(out, "split_state", e.split_state);
  out.set("known_blockers", texts(e.known_blockers));
  put_origin(out, e.origin);
  return out;
}
Json json_of(const Measurement& r) {
  Json out = head("measurement", r.id, fmt::format("{} on {}", r.model, r.hardware));
  put_number(out, "nodes", r.nodes);
  put(out, "link", r.link);
  put(out, "quant", r.quant);
  put(out, "engine", r.engine);
  put(out, "engine_generation", r.engine_generation);
  put(out, "prompt_tokens", r.prompt_tokens);
  out.set("depth", r.depth);
  put_number(out, "concurrency", r.concurrency);
  put(out, "prefill_tok_s", r.prefill_tok_s);
  put(out, "decode_tok_s", r.decode_tok_s);
  if (!r.flags.empty()) out.set("flags", texts(r.flags));
  put(out, "date", r.date);
  put(out, "note", r.note);
  put_origin(out, r.origin);
  return out;
}

std::string line_of(const Machine& m) {
  return fmt::format(
      "{:<34} {:>6} {:>9} {}", m.key, m.backend.substr(0, 6),
      m.memory_bytes ? fmt::format("{:.0f} GB", static_cast<double>(*m.memory_bytes) / 1e9) : "–",
      m.name);
}
std::string line_of(const Link& l) {
  return fmt::format("{:<26} {:>10} {}", l.key,
                     l.effective_gb_s ? fmt::format("{:g} GB/s", *l.effective_gb_s) : "–", l.name);
}
std::string line_of(const Cluster& c) {
  return fmt::format("{:<16} {} machines  {}", c.key, c.members.size(), c.name);
}
std::string line_of(const Model& m) {
  std::string variants;
  for (const Variant& v : m.variants) variants += (variants.empty() ? "" : ", ") + v.name;
  return fmt::format("{:<28} {:>6.0f} B {:>3} layers  {}", m.key, m.total_params / 1e9, m.layers,
                     variants);
}
std::string line_of(const Quantisation& q) {
  return fmt::format("{:<28} {:>6.2f} bits, rest {:>5.2f}", q.key, q.bits_per_weight,
                     q.other_bits_per_weight);
}
std::string line_of(const EngineEntry& e) {
  return fmt::format("{:<14} {}  {}", e.key, e.as_of, e.version);
}
std::string line_of(const Measurement& r) {
  return fmt::format("{:<54} {:>9} {:>9}", r.id,
                     r.prefill_tok_s ? fmt::format("{:.0f}", *r.prefill_tok_s) : "–",
                     r.decode_tok_s ? fmt::format("{:.1f}", *r.decode_tok_s) : "–");
}

template <class Use>
Result<> for_kind(const Catalog& c, std::string_view kind, Use use) {
  if (kind == "machines")
    use(c.machines);
  else if (kind == "links")
    use(c.links);
  else if (kind == "clusters")
    use(c.clusters);
  else if (kind == "models")
    use(c.models);
  else if (kind == "quantisations")
    use(c.quantisations);
  else if (kind == "engines")
    use(c.engines);
  else if (kind == "measurements")
    use(c.measurements);
  else {
    return fail(Code::not_found,
                fmt::format("no kind '{}'; there are machines, links, clusters, models, "
                            "quantisations, engines, measurements",
                            kind));
  }
  return {};
}

}  // namespace

Result<std::string> list_text(const Catalog& catalog, std::string_view kind) {
  std::string out;
  TRY(for_kind(catalog, kind, [&](const auto& entries) {
    for (const auto& entry : entries) out += line_of(entry) + "\n";
  }));
  return out;
}

Result<Json> list_json(const Catalog& catalog, std::string_view kind) {
  Json out = Json::array();
  TRY(for_kind(catalog, kind, [&](const auto& entries) {
    for (const auto& entry : entries) out.push(json_of(entry));
  }));
  return out;
}

Result<Json> shown_json(const Catalog& c, std::string_view key) {
  if (const Machine* m = c.machine(key)) return json_of(*m);
  if (const Link* l = c.link(key)) return json_of(*l);
  if (const Model* m = c.model(key)) return json_of(*m);
  if (const EngineEntry* e = c.engine(key)) return json_of(*e);
  if (const Cluster* x = c.cluster(key)) return json_of(*x);
  const auto row = std::ranges::find(c.measurements, key, &Measurement::id);
  if (row != c.measurements.end()) return json_of(*row);
  if (const Quantisation* q = c.quantisation(key)) return json_of(*q);
  if (auto all = list_json(c, key)) return all;
  return fail(
      Code::not_found,
      fmt::format("nothing called '{}' in the catalogue; list it: hearth catalog ls machines "
                  "(or links, models, engines, measurements)",
                  key));
}

std::string shown_text(const Json& entry) {
  std::string out;
  if (entry.is_array()) {
    for (const Json& one : entry.as_array()) out += (out.empty() ? "" : "\n") + shown_text(one);
    return out;
  }
  for (const auto& [key, value] : entry.as_object()) {
    if (!value.is_array()) {
      out +=
          fmt::format("{:<26} {}\n", key, value.is_string() ? value.as_string() : dump_json(value));
      continue;
    }
    out += key + "\n";
    for (const Json& item : value.as_array()) {
      std::string line = item.is_string() ? item.as_string() : "";
      if (item.is_object()) {
        for (const auto& [name, part] : item.as_object()) {
          const std::string text = part.is_string() ? part.as_string() : dump_json(part);
          if (!text.empty()) line += fmt::format("{}{}: {}", line.empty() ? "" : ", ", name, text);
        }
      }
      out += "  " + line + "\n";
    }
  }
  return out;
}

}  // namespace hearth::plan
