#pragma once
// The interface between machines, as both ends see it: paths, and values to and from JSON. It is
// served over mutual TLS to members of the cluster only (docs/cluster_security.md).
//
//   GET  /v1/node                              who this is and what it holds (NodeFacts)
//   POST /v1/prefills                          prompt (prompt_body.h), order -> events, a line each,
//                                              as long as it runs; dropping the reply cancels it
//   POST /v1/hand-offs/{id}/missing            {keys} -> {missing}
//   PUT  /v1/hand-offs/{id}/chunks/{key}       body: one chunk (docs/chunk_format.md) -> {refusal},
//                                              empty when it is here now
//   GET  /v1/chunks/{key}                      one chunk
//
// Who wants KV announces the chain of chunks (a hand-off), orders the prefill at a peer, and takes
// the chunks that the peer puts. Only durations and counts cross machines, never a clock reading.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/kv/chunk_receiver.h"
#include "hearth/model/layout_identity.h"
#include "hearth/node/worker/prompt_body.h"

namespace hearth::node {

// Raised when an older peer would misunderstand. Told in NodeFacts, compared at pairing.
inline constexpr std::uint32_t agent_protocol_version = 1;
inline constexpr std::size_t hand_off_id_bytes = 32;  // hex digits

struct NodeFacts {
  std::string name;
  std::string incarnation;  // differs after every start
  std::uint32_t protocol = agent_protocol_version;
  std::string hearth_version, engine_version, backend;
  std::string model_name;
  std::uint32_t chunk_tokens = 0;
  std::optional<model::LayoutIdentity> identity;  // absent: no KV leaves or enters, see kv_refusal
  std::string kv_refusal;
  std::uint32_t prefills_running = 0, prefills_max = 0;
};

Json facts_json(const NodeFacts& facts);
Result<NodeFacts> facts_from_json(const Json& json);

// Why `theirs` cannot prefill for `ours`: the first field that differs. Nothing: it can.
std::optional<std::string> pairing_refusal(const NodeFacts& ours, const NodeFacts& theirs);

// What goes before the prompt of POST /v1/prefills. The prompt is the target: all but its last token.
struct PrefillCall {
  std::string hand_off;
  std::string deliver_to;  // host:port of the caller's own agent
  model::LayoutDigest layout;
  std::uint32_t chunk_tokens = 0;
  // What the caller has, from position 0; chunks are wanted from `from` on.
  std::vector<model::ChunkKey> stored;
  std::uint32_t from = 0;
};

Json call_json(const PrefillCall& call);
Result<PrefillCall> call_from_json(const Json& json);

struct PrefillAccepted {
  std::string incarnation;
};
// A sign of life; `computed_tokens` grows while the worker computes anything at all.
struct PrefillAlive {
  std::uint64_t computed_tokens = 0;
};
// The chunk that ends here was computed or found.
struct PrefillReached {
  std::uint32_t tokens = 0;
};
// Every chunk has been acknowledged.
struct PrefillDelivered {
  std::uint32_t puts = 0, resent = 0;
  std::uint64_t bytes = 0;
};
// Delivered or Error is last.
using PrefillEvent =
    std::variant<PrefillAccepted, PrefillAlive, PrefillReached, PrefillDelivered, Error>;

Json event_json(const PrefillEvent& event);
Result<PrefillEvent> prefill_event_from_json(const Json& json);

Json keys_json(std::span<const model::ChunkKey> keys);
Result<std::vector<model::ChunkKey>> keys_from_json(const Json& object, std::string_view member);

// "" is acceptance.
std::optional<kv::Refusal> refusal_from_name(std::string_view name);

}  // namespace hearth::node
