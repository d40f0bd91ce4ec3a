#pragma once
// The interface between machines, as both ends see it: paths, and values to and from JSON. It is
// served over mutual TLS to members of the cluster only (docs/cluster_security.md).
//
//   GET    /v1/node                           who this is and what it holds (NodeFacts)
//   POST   /v1/prefills                       prompt (prompt_body.h), PrefillCall -> PrefillReply
//   DELETE /v1/prefills                       the ticket's: cancel it
//   POST   /v1/hand-offs/missing              {keys} -> {missing}
//   PUT    /v1/hand-offs/chunks/{key}         body: one chunk (docs/chunk_format.md) -> {refusal},
//                                             empty when it is here now
//   POST   /v1/hand-offs/progress             {tokens} -> {over}
//   POST   /v1/hand-offs/closing              ClosingManifest
//   POST   /v1/hand-offs/failed               {message}
//   GET    /v1/chunks/{key}                   one chunk
//
// Who wants KV announces a chain of chunks (a hand-off), asks a peer to prefill, and takes the
// chunks that the peer puts (cluster/decode_run.h). The peer answers at once and works by itself:
// no connection has to last (cluster/prefill_run.h). Its messages, and the cancel, carry their
// ticket in the header ticket_header. Durations and counts cross machines, never a clock reading.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/cluster/decode_run.h"
#include "hearth/cluster/ticket.h"
#include "hearth/kv/chunk_receiver.h"
#include "hearth/model/layout_identity.h"
#include "hearth/node/worker/prompt_body.h"

namespace hearth::node {

// Raised when an older peer would misunderstand. Told in NodeFacts and PrefillCall, of which readers look at
// protocol and version first: what another protocol says besides is not read.
inline constexpr std::uint32_t agent_protocol_version = 1;
inline constexpr const char* ticket_header = "X-Hearth-Ticket";

// A piece of a prefill that a machine did, for itself and others to learn its rates from.
struct PrefillPiece {
  std::uint32_t tokens = 0, depth_tokens = 0;
  double seconds = 0;
};
inline constexpr std::size_t prefill_pieces_max = 32;
// What a chunk may take while nobody has measured it: slow machines with large models. A worker that
// dies is noticed at once all the same.
inline constexpr Duration piece_unknown = std::chrono::seconds(120);
// And what its import may, at the other end.
inline constexpr Duration import_unknown = std::chrono::seconds(5);

struct NodeFacts {
  std::string name;
  std::uint64_t incarnation = 0;  // larger after every start
  std::uint32_t protocol = agent_protocol_version;
  std::string hearth_version, engine_version, backend;
  std::string model_name;
  std::uint32_t chunk_tokens = 0;
  std::optional<model::LayoutIdentity> identity;  // absent: no KV leaves or enters, see kv_refusal
  std::string kv_refusal;
  std::uint32_t prefills_running = 0, prefills_max = 0;
  std::uint64_t pieces_done = 0;     // ever, in this life
  std::vector<PrefillPiece> pieces;  // the last of them, the latest last
};

Json facts_json(const NodeFacts& facts);
// Of another protocol: name, protocol and hearth_version only, empty where it does not tell them.
Result<NodeFacts> facts_from_json(const Json& json);

struct Speaker {
  std::string machine, hearth_version;
  std::uint32_t protocol = agent_protocol_version;
};
// Why the two cannot talk: both versions, and where to update. Nothing: they can.
std::optional<std::string> protocol_refusal(const Speaker& ours, const Speaker& theirs);

// Why `theirs` cannot prefill for `ours`: the first field that differs. Nothing: it can. Another
// quantisation of the model is no reason where it is allowed.
std::optional<std::string> pairing_refusal(const NodeFacts& ours, const NodeFacts& theirs,
                                           bool allows_other_precision = false);
// Model, tokenizer and cache are equal, the weights are not.
bool is_other_precision(const NodeFacts& ours, const NodeFacts& theirs);

// What goes before the prompt of POST /v1/prefills. The prompt is the target: all but its last token.
struct PrefillCall {
  std::uint32_t protocol = agent_protocol_version;  // of the caller, as its version
  std::string hearth_version = {};
  cluster::Ticket ticket;
  std::string deliver_to;  // host:port of the caller's own agent
  std::uint32_t chunk_tokens = 0;
  // What the caller has, from position 0; it wants what comes after it, from token `from` on.
  std::vector<model::ChunkKey> stored;
  std::uint32_t from = 0;
  bool fetch_stored = true;  // what the peer lacks of them: get it from the caller, or compute it
};
Json call_json(const PrefillCall& call);
// Of another protocol: protocol and hearth_version only.
Result<PrefillCall> call_from_json(const Json& json);

struct PrefillReply {
  bool is_busy = false;
  Duration retry_after{};         // when busy
  std::uint64_t incarnation = 0;  // of the peer; comes with all its messages
  Duration first_piece{};         // until its first sign of progress, as predicted
};
Json reply_json(const PrefillReply& reply);
Result<PrefillReply> reply_from_json(const Json& json);

Json manifest_json(const cluster::ClosingManifest& manifest);
Result<cluster::ClosingManifest> manifest_from_json(const Json& json);

std::string ticket_use_text(const cluster::TicketUse& use);
Result<cluster::TicketUse> ticket_use_from_text(std::string_view text);

Json keys_json(std::span<const model::ChunkKey> keys);
Result<std::vector<model::ChunkKey>> keys_from_json(const Json& object, std::string_view member);

// "" is acceptance.
std::optional<kv::Refusal> refusal_from_name(std::string_view name);

}  // namespace hearth::node
