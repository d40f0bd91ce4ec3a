#include "hearth/node/agent/agent_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>


namespace hearth::node {
namespace {

constexpr std::size_t name_bytes_max = 128;
// Callers of this protocol did not always tell it.
constexpr std::uint32_t untold_protocol = 1;

Result<std::string> short_text(const Json& json, std::string_view member) {
  const auto text = TRY(get<std::string>(json, member));
  if (text.size() > name_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("{}: {} bytes; at most {} are expected", member,
                                                    text.size(), name_bytes_max));
  }
  return text;
}

std::string text_if_told(const Json& json, std::string_view member) {
  return short_text(json, member).value_or(std::string());
}

double to_ms(Duration d) { return milliseconds(d); }

Result<Duration> duration_from(const Json& json, std::string_view member) {
  constexpr double ms_max = 86'400'000;
  const auto ms = TRY(get<double>(json, member));
  if (!(ms >= 0 && ms <= ms_max)) {
    return fail(Code::invalid_argument, fmt::format("{}: {} is not between 0 and a day", member, ms));
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

// JSON's numbers do not carry 64 bits everywhere.
Result<std::uint64_t> hex_number(std::string_view text, std::string_view what) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.size() > 16) {
    return fail(Code::invalid_argument, fmt::format("{}: not a number of up to 16 hex digits", what));
  }
  return value;
}

Result<cluster::HandOffId> id_from_text(std::string_view text) {
  if (text.size() != 32) return fail(Code::invalid_argument, "hand_off: expected 32 hex digits");
  cluster::HandOffId id;
  id.high = TRY(hex_number(text.substr(0, 16), "hand_off"));
  id.low = TRY(hex_number(text.substr(16), "hand_off"));
  return id;
}

std::string id_text(const cluster::HandOffId& id) { return fmt::format("{:016x}{:016x}", id.high, id.low); }

std::string differ(std::string_view field, const auto& ours, const auto& theirs) {
  return fmt::format("{}: {} here against {} there", field, ours, theirs);
}

}  // namespace

Json facts_json(const NodeFacts& facts) {
  Json out = Json::object({{"name", facts.name},
                           {"incarnation", fmt::format("{:x}", facts.incarnation)},
                           {"protocol", facts.protocol},
                           {"hearth_version", facts.hearth_version},
                           {"engine_version", facts.engine_version},
                           {"backend", facts.backend},
                           {"model_name", facts.model_name},
                           {"chunk_tokens", facts.chunk_tokens},
                           {"kv_refusal", facts.kv_refusal},
                           {"prefills_running", facts.prefills_running},
                           {"prefills_max", facts.prefills_max}});
  Json pieces = Json::array();
  for (const PrefillPiece& piece : facts.pieces) {
    pieces.push(Json::array({piece.tokens, piece.depth_tokens, piece.seconds}));
  }
  out.set("pieces_done", facts.pieces_done);
  out.set("pieces", std::move(pieces));
  if (facts.identity) out.set("identity", model::identity_json(*facts.identity));
  return out;
}

Result<PrefillPiece> piece_from_json(const Json& json) {
  if (!json.is_array() || json.as_array().size() != 3) {
    return fail(Code::invalid_argument, "pieces: expected [tokens, depth, seconds]");
  }
  PrefillPiece out;
  out.tokens = TRY(read_json<std::uint32_t>(json.as_array()[0], "pieces"));
  out.depth_tokens = TRY(read_json<std::uint32_t>(json.as_array()[1], "pieces"));
  out.seconds = TRY(read_json<double>(json.as_array()[2], "pieces"));
  return out;
}

Result<std::vector<PrefillPiece>> pieces_from_json(const Json& json) {
  const Json* list = json.find("pieces");
  if (list == nullptr || !list->is_array() || list->as_array().size() > prefill_pieces_max) {
    return fail(Code::invalid_argument,
                fmt::format("pieces: expected a list of at most {}", prefill_pieces_max));
  }
  std::vector<PrefillPiece> out;
  for (const Json& item : list->as_array()) out.push_back(TRY(piece_from_json(item)));
  return out;
}

Result<NodeFacts> facts_from_json(const Json& json) {
  NodeFacts out;
  out.protocol = TRY(get<std::uint32_t>(json, "protocol"));
  if (out.protocol != agent_protocol_version) {
    out.name = text_if_told(json, "name");
    out.hearth_version = text_if_told(json, "hearth_version");
    return out;
  }
  out.name = TRY(short_text(json, "name"));
  const auto incarnation = TRY(short_text(json, "incarnation"));
  out.incarnation = TRY(hex_number(incarnation, "incarnation"));
  out.hearth_version = TRY(short_text(json, "hearth_version"));
  out.engine_version = TRY(short_text(json, "engine_version"));
  out.backend = TRY(short_text(json, "backend"));
  out.model_name = TRY(short_text(json, "model_name"));
  out.chunk_tokens = TRY(get<std::uint32_t>(json, "chunk_tokens"));
  out.kv_refusal = TRY(get_or<std::string>(json, "kv_refusal", ""));
  out.prefills_running = TRY(get<std::uint32_t>(json, "prefills_running"));
  out.prefills_max = TRY(get<std::uint32_t>(json, "prefills_max"));
  out.pieces_done = TRY(get<std::uint64_t>(json, "pieces_done"));
  out.pieces = TRY(pieces_from_json(json));
  if (const Json* identity = json.find("identity")) {
    out.identity = TRY(model::identity_from_json(*identity));
  }
  return out;
}

std::optional<std::string> protocol_refusal(const Speaker& ours, const Speaker& theirs) {
  if (ours.protocol == theirs.protocol) return std::nullopt;
  const auto machine = [](const Speaker& one) { return one.machine.empty() ? "the other machine" : one.machine; };
  const auto told = [&](const Speaker& one) {
    return fmt::format("{} on {} (Hearth {})", one.protocol, machine(one),
                       one.hearth_version.empty() ? "of an unknown version" : one.hearth_version);
  };
  return fmt::format("protocol: {} against {}; update Hearth on {}", told(ours), told(theirs),
                     machine(ours.protocol < theirs.protocol ? ours : theirs));
}

bool is_other_precision(const NodeFacts& ours, const NodeFacts& theirs) {
  if (!ours.identity || !theirs.identity || ours.identity->weights == theirs.identity->weights) return false;
  model::LayoutIdentity as_ours = *theirs.identity;
  as_ours.gguf = ours.identity->gguf;
  as_ours.weights = ours.identity->weights;
  return ours.model_name == theirs.model_name && as_ours == *ours.identity;
}

std::optional<std::string> pairing_refusal(const NodeFacts& ours, const NodeFacts& theirs,
                                           bool allows_other_precision) {
  if (auto refusal = protocol_refusal({ours.name, ours.hearth_version, ours.protocol},
                                      {theirs.name, theirs.hearth_version, theirs.protocol})) {
    return refusal;
  }
  if (!ours.identity) return "KV transfer is off here: " + ours.kv_refusal;
  if (!theirs.identity) return "KV transfer is off there: " + theirs.kv_refusal;
  const bool is_other = is_other_precision(ours, theirs);
  if (is_other && !allows_other_precision) {
    return fmt::format("{}; it may have another quantisation of {}: allow that by its name "
                       "(cluster.other_precision) if you mean it",
                       *model::describe_difference(*ours.identity, *theirs.identity), ours.model_name);
  }
  if (!is_other) {
    if (auto difference = model::describe_difference(*ours.identity, *theirs.identity)) {
      return difference;
    }
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
  return Json::object({{"protocol", call.protocol},
                       {"hearth_version", call.hearth_version},
                       {"hand_off", id_text(call.ticket.id)},
                       {"issuer", call.ticket.issuer},
                       {"issuer_incarnation", fmt::format("{:x}", call.ticket.issuer_incarnation)},
                       {"attempt", call.ticket.attempt},
                       {"layout", call.ticket.layout.hex()},
                       {"tokens", call.ticket.token_count},
                       {"lease_ms", to_ms(call.ticket.lease)},
                       {"deliver_to", call.deliver_to},
                       {"chunk_tokens", call.chunk_tokens},
                       {"stored", keys_json(call.stored)},
                       {"from", call.from},
                       {"fetch_stored", call.fetch_stored}});
}

Result<PrefillCall> call_from_json(const Json& json) {
  PrefillCall out;
  out.protocol = TRY(get_or<std::uint32_t>(json, "protocol", untold_protocol));
  out.hearth_version = text_if_told(json, "hearth_version");
  if (out.protocol != agent_protocol_version) return out;
  const auto id = TRY(short_text(json, "hand_off"));
  out.ticket.id = TRY(id_from_text(id));
  out.ticket.issuer = TRY(short_text(json, "issuer"));
  const auto incarnation = TRY(short_text(json, "issuer_incarnation"));
  out.ticket.issuer_incarnation = TRY(hex_number(incarnation, "issuer_incarnation"));
  out.ticket.attempt = TRY(get<std::uint32_t>(json, "attempt"));
  const auto layout = TRY(get<std::string>(json, "layout"));
  out.ticket.layout = TRY(model::LayoutDigest::parse(layout));
  out.ticket.token_count = TRY(get<std::uint32_t>(json, "tokens"));
  out.ticket.lease = TRY(duration_from(json, "lease_ms"));
  out.deliver_to = TRY(short_text(json, "deliver_to"));
  out.chunk_tokens = TRY(get<std::uint32_t>(json, "chunk_tokens"));
  out.stored = TRY(keys_from_json(json, "stored"));
  out.from = TRY(get<std::uint32_t>(json, "from"));
  out.fetch_stored = TRY(get<bool>(json, "fetch_stored"));
  if (out.stored.empty() != (out.from == 0)) {
    return fail(Code::invalid_argument,
                fmt::format("from is {} and {} stored chunks are named; expected both or neither",
                            out.from, out.stored.size()));
  }
  return out;
}

Json reply_json(const PrefillReply& reply) {
  return Json::object({{"busy", reply.is_busy},
                       {"retry_after_ms", to_ms(reply.retry_after)},
                       {"incarnation", fmt::format("{:x}", reply.incarnation)},
                       {"first_piece_ms", to_ms(reply.first_piece)}});
}

Result<PrefillReply> reply_from_json(const Json& json) {
  PrefillReply out;
  out.is_busy = TRY(get<bool>(json, "busy"));
  out.retry_after = TRY(duration_from(json, "retry_after_ms"));
  const auto incarnation = TRY(short_text(json, "incarnation"));
  out.incarnation = TRY(hex_number(incarnation, "incarnation"));
  out.first_piece = TRY(duration_from(json, "first_piece_ms"));
  return out;
}

Json manifest_json(const cluster::ClosingManifest& manifest) {
  return Json::object({{"tokens", manifest.token_count},
                       {"chunks", manifest.chunk_count},
                       {"last_key", manifest.last_key.hex()}});
}

Result<cluster::ClosingManifest> manifest_from_json(const Json& json) {
  cluster::ClosingManifest out;
  out.token_count = TRY(get<std::uint32_t>(json, "tokens"));
  out.chunk_count = TRY(get<std::uint32_t>(json, "chunks"));
  const auto key = TRY(get<std::string>(json, "last_key"));
  out.last_key = TRY(model::ChunkKey::parse(key));
  return out;
}

std::string ticket_use_text(const cluster::TicketUse& use) {
  return fmt::format("{}.{:x}.{:x}.{:x}", id_text(use.id), use.issuer_incarnation, use.attempt,
                     use.sender_incarnation);
}

Result<cluster::TicketUse> ticket_use_from_text(std::string_view text) {
  std::array<std::string_view, 4> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t dot = text.find('.');
    if ((dot == text.npos) != (i + 1 == parts.size())) {
      return fail(Code::invalid_argument, fmt::format("{}: expected four parts between dots", ticket_header));
    }
    parts[i] = text.substr(0, dot);
    if (dot != text.npos) text.remove_prefix(dot + 1);
  }
  cluster::TicketUse out;
  out.id = TRY(id_from_text(parts[0]));
  out.issuer_incarnation = TRY(hex_number(parts[1], ticket_header));
  const auto attempt = TRY(hex_number(parts[2], ticket_header));
  out.attempt = static_cast<std::uint32_t>(std::min<std::uint64_t>(attempt, UINT32_MAX));
  out.sender_incarnation = TRY(hex_number(parts[3], ticket_header));
  return out;
}

std::optional<kv::Refusal> refusal_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kv::refusal_count; ++i) {
    const auto refusal = static_cast<kv::Refusal>(i);
    if (kv::refusal_name(refusal) == name) return refusal;
  }
  return std::nullopt;
}

}  // namespace hearth::node
