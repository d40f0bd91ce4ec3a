#pragma once
// A peer's agent, as its callers see it: typed calls over agent_api.h. Thread-safe.
// Every call ends by its deadline, or when no byte has moved for `stall_time_max`.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/kv/sync.h"
#include "hearth/net/http_client.h"
#include "hearth/node/agent/agent_api.h"

namespace hearth::node {

struct Peer {
  std::string name;
  net::Address address;
};

class PeerClient {
 public:
  // `http` outlives this; it holds our certificate where the address has TLS.
  PeerClient(net::HttpClient& http, Peer peer) : http_(http), peer_(std::move(peer)) {}

  const Peer& peer() const { return peer_; }
  Result<NodeFacts> facts(Deadline deadline, const StopToken& stop) const;
  Result<PrefillReply> prefill(const PrefillCall& call, std::span<const Token> target,
                               Deadline deadline, const StopToken& stop) const;
  Result<> cancel(const cluster::TicketUse& use, Deadline deadline) const;

  // What the peer waits for. not_found: it no longer does.
  Result<std::vector<kv::ChunkKey>> missing(const cluster::TicketUse& use,
                                            std::span<const kv::ChunkKey> keys, Deadline deadline,
                                            const StopToken& stop) const;
  // The refusal, or nothing when the chunk is there now.
  Result<std::optional<kv::Refusal>> put(const cluster::TicketUse& use, const kv::Chunk& chunk,
                                         const StopToken& stop) const;
  // True: the hand-off is over there.
  Result<bool> progress(const cluster::TicketUse& use, std::uint32_t done_tokens, Deadline deadline,
                        const StopToken& stop) const;
  Result<> close(const cluster::TicketUse& use, const cluster::ClosingManifest& manifest,
                 Deadline deadline, const StopToken& stop) const;
  Result<> tell_failed(const cluster::TicketUse& use, const std::string& message,
                       Deadline deadline) const;

  // Verified against layout and key.
  Result<kv::SharedChunk> get(const kv::LayoutDigest& layout, const kv::ChunkKey& key,
                              const StopToken& stop) const;

 private:
  net::ClientRequest request(std::string method, std::string target, std::vector<ByteSpan> body,
                             const char* body_type) const;
  Result<Json> call(const net::ClientRequest& request, Deadline deadline, const StopToken& stop) const;
  Result<Json> tell(std::string target, const cluster::TicketUse& use, const Json& body,
                    Deadline deadline, const StopToken& stop) const;

  net::HttpClient& http_;
  const Peer peer_;
};

}  // namespace hearth::node
