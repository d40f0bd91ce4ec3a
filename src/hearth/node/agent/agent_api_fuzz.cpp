// What another machine says: a value that reads back to itself, or a refusal.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/node/agent/agent_api.h"

namespace {

using namespace hearth;

Json sent(const Json& message) { return parse_json(dump_json(message)).value(); }

void try_messages(const Json& json) {
  if (const auto facts = node::facts_from_json(json)) {
    CHECK(facts->pieces.size() <= node::prefill_pieces_max);
    const auto again = node::facts_from_json(sent(node::facts_json(*facts)));
    CHECK(again.has_value());
    CHECK(node::facts_json(*again) == node::facts_json(*facts));
    CHECK(!node::protocol_refusal({.machine = "a", .hearth_version = "1", .protocol = facts->protocol},
                                  {.machine = "b", .hearth_version = "2", .protocol = again->protocol}));
  }
  // Of another protocol nothing else is read.
  if (const auto call = node::call_from_json(json); call && call->protocol == node::agent_protocol_version) {
    CHECK(call->stored.size() <= kv::transfer_chunks_max);
    const auto again = node::call_from_json(sent(node::call_json(*call)));
    CHECK(again.has_value());
    CHECK(again->ticket.id == call->ticket.id && again->stored == call->stored && again->from == call->from);
  }
  if (const auto reply = node::reply_from_json(json)) {
    CHECK(reply->retry_after >= Duration::zero() && reply->first_piece >= Duration::zero());
    CHECK(node::reply_from_json(sent(node::reply_json(*reply))).has_value());
  }
  if (const auto manifest = node::manifest_from_json(json)) {
    const Json written = node::manifest_json(*manifest);
    const auto again = node::manifest_from_json(sent(written));
    CHECK(again && node::manifest_json(*again) == written);
  }
  if (const auto keys = node::keys_from_json(json, "keys")) {
    CHECK(node::keys_from_json(Json::object({{"keys", node::keys_json(*keys)}}), "keys").value() == *keys);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto use = node::ticket_use_from_text(text)) {
    const std::string written = node::ticket_use_text(*use);
    const auto again = node::ticket_use_from_text(written);
    CHECK(again && node::ticket_use_text(*again) == written);
  }
  (void)node::refusal_from_name(text);
  if (const auto json = parse_json(text)) try_messages(*json);
  return 0;
}
