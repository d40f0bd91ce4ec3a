#include "hearth/node/agent/agent_api.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/node/worker/worker_events.h"

namespace hearth::node {
namespace {

constexpr std::size_t name_bytes_max = 128;

Result<std::string> short_text(const Json& json, std::string_view member) {
  const auto text = TRY(get<std::string>(json, member));
  if (text.size() > name_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("{}: {} bytes; at most {} are expected", member,
                                                    text.size(), name_bytes_max));
  }
  return text;
}

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

std::string differ(std::string_view field, const auto& ours, const auto& theirs) {
  return fmt::format("{}: {} here against {} there", field, ours, theirs);
}

}  // namespace

Json facts_json(const NodeFacts& facts) {
  Json out = Json::object({{"name", facts.name},
                           {"incarnation", facts.incarnation},
                           {"protocol", facts.protocol},
                           {"hearth_version", facts.hearth_version},
                           {"engine_version", facts.engine_version},
                           {"backend", facts.backend},
                           {"model_name", facts.model_name},
                           {"chunk_tokens", facts.chunk_tokens},
                           {"kv_refusal", facts.kv_refusal},
                           {"prefills_running", facts.prefills_running},
                           {"prefills_max", facts.prefills_max}});
  if (facts.identity) out.set("identity", model::identity_json(*facts.identity));
  return out;
}

Result<NodeFacts> facts_from_json(const Json& json) {
  NodeFacts out;
  out.protocol = TRY(get<std::uint32_t>(json, "protocol"));
  out.name = TRY(short_text(json, "name"));
  out.incarnation = TRY(short_text(json, "incarnation"));
  out.hearth_version = TRY(short_text(json, "hearth_version"));
  out.engine_version = TRY(short_text(json, "engine_version"));
  out.backend = TRY(short_text(json, "backend"));
  out.model_name = TRY(short_text(json, "model_name"));
  out.chunk_tokens = TRY(get<std::uint32_t>(json, "chunk_tokens"));
  out.kv_refusal = TRY(get_or<std::string>(json, "kv_refusal", ""));
  out.prefills_running = TRY(get<std::uint32_t>(json, "prefills_running"));
  out.prefills_max = TRY(get<std::uint32_t>(json, "prefills_max"));
  if (const Json* identity = json.find("identity")) {
    out.identity = TRY(model::identity_from_json(*identity));
  }
  return out;
}

std::optional<std::string> pairing_refusal(const NodeFacts& ours, const NodeFacts& theirs) {
  if (ours.protocol != theirs.protocol) {
    return differ("protocol", fmt::format("{} (Hearth {})", ours.protocol, ours.hearth_version),
                  fmt::format("{} (Hearth {})", theirs.protocol, theirs.hearth_version));
  }
  if (!ours.identity) return "KV transfer is off here: " + ours.kv_refusal;
  if (!theirs.identity) return "KV transfer is off there: " + theirs.kv_refusal;
  if (auto difference = model::describe_difference(*ours.identity, *theirs.identity)) {
    return difference;
  }
  if (ours.chunk_tokens != theirs.chunk_tokens) {
    return differ("chunk_tokens", ours.chunk_tokens, theirs.chunk_tokens);
  }
  return std::nullopt;
}

Json keys_json(std::span<const model::ChunkKey> keys) {
  Json out = Json::array();
  for (const model::ChunkKey& key : keys) out.push(key.hex());
  return out;
}

Result<std::vector<model::ChunkKey>> keys_from_json(const Json& object, std::string_view member) {
  const Json* list = object.find(member);
  if (list == nullptr || !list->is_array() || list->as_array().size() > kv::transfer_chunks_max) {
    return fail(Code::invalid_argument,
                fmt::format("{}: expected a list of at most {} keys", member, kv::transfer_chunks_max));
  }
  std::vector<model::ChunkKey> out;
  out.reserve(list->as_array().size());
  for (const Json& item : list->as_array()) {
    const auto hex = TRY(read_json<std::string>(item, member));
    out.push_back(TRY(model::ChunkKey::parse(hex)));
  }
  return out;
}

Json call_json(const PrefillCall& call) {
  return Json::object({{"hand_off", call.hand_off},
                       {"deliver_to", call.deliver_to},
                       {"layout", call.layout.hex()},
                       {"chunk_tokens", call.chunk_tokens},
                       {"stored", keys_json(call.stored)},
                       {"from", call.from}});
}

Result<PrefillCall> call_from_json(const Json& json) {
  PrefillCall out;
  out.hand_off = TRY(short_text(json, "hand_off"));
  out.deliver_to = TRY(short_text(json, "deliver_to"));
  const auto layout = TRY(get<std::string>(json, "layout"));
  out.layout = TRY(model::LayoutDigest::parse(layout));
  out.chunk_tokens = TRY(get<std::uint32_t>(json, "chunk_tokens"));
  out.stored = TRY(keys_from_json(json, "stored"));
  out.from = TRY(get<std::uint32_t>(json, "from"));
  if (out.stored.empty() != (out.from == 0)) {
    return fail(Code::invalid_argument,
                fmt::format("from is {} and {} stored chunks are named; expected both or neither",
                            out.from, out.stored.size()));
  }
  return out;
}

Json event_json(const PrefillEvent& event) {
  return std::visit(
      Overloaded{
          [](const PrefillAccepted& e) {
            return Json::object({{"event", "accepted"}, {"incarnation", e.incarnation}});
          },
          [](const PrefillAlive& e) {
            return Json::object({{"event", "alive"}, {"computed_tokens", e.computed_tokens}});
          },
          [](const PrefillReached& e) {
            return Json::object({{"event", "reached"}, {"tokens", e.tokens}});
          },
          [](const PrefillDelivered& e) {
            return Json::object({{"event", "delivered"}, {"puts", e.puts}, {"resent", e.resent},
                                 {"bytes", e.bytes}});
          },
          [](const Error& e) {
            Json out = error_json(e);
            out.set("event", "error");
            return out;
          }},
      event);
}

Result<PrefillEvent> prefill_event_from_json(const Json& json) {
  const auto event = TRY(get<std::string>(json, "event"));
  if (event == "accepted") {
    PrefillAccepted out;
    out.incarnation = TRY(short_text(json, "incarnation"));
    return out;
  }
  if (event == "alive") {
    PrefillAlive out;
    out.computed_tokens = TRY(get<std::uint64_t>(json, "computed_tokens"));
    return out;
  }
  if (event == "reached") {
    PrefillReached out;
    out.tokens = TRY(get<std::uint32_t>(json, "tokens"));
    return out;
  }
  if (event == "delivered") {
    PrefillDelivered out;
    out.puts = TRY(get<std::uint32_t>(json, "puts"));
    out.resent = TRY(get<std::uint32_t>(json, "resent"));
    out.bytes = TRY(get<std::uint64_t>(json, "bytes"));
    return out;
  }
  if (event == "error") return error_from_json(json);
  return fail(Code::invalid_argument, fmt::format("event: '{}' is not known", event.substr(0, 40)));
}

std::optional<kv::Refusal> refusal_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kv::refusal_count; ++i) {
    const auto refusal = static_cast<kv::Refusal>(i);
    if (kv::refusal_name(refusal) == name) return refusal;
  }
  return std::nullopt;
}

}  // namespace hearth::node
