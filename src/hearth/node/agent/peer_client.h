#pragma once
// A peer's agent, as its callers see it: typed calls over agent_api.h. Thread-safe.
// Every call ends by its deadline, or when no byte has moved for `stall_time_max`.

#include <memory>

#include "hearth/base/stop.h"
#include "hearth/kv/sync.h"
#include "hearth/net/http_client.h"
#include "hearth/net/ndjson.h"
#include "hearth/node/agent/agent_api.h"

namespace hearth::node {

// The events of one ordered prefill. Dropping it cancels it. One thread.
class PrefillEvents {
 public:
  explicit PrefillEvents(std::unique_ptr<net::ResponseStream> stream) : stream_(std::move(stream)) {}
  Result<PrefillEvent> next(Deadline deadline);

 private:
  std::unique_ptr<net::ResponseStream> stream_;
  net::NdjsonReader reader_;
};

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
  // resource_exhausted: it is busy.
  Result<std::unique_ptr<PrefillEvents>> prefill(const PrefillCall& call,
                                                 std::span<const Token> target, Deadline head_deadline,
                                                 const StopToken& stop) const;
  Result<std::vector<kv::ChunkKey>> missing(const std::string& hand_off,
                                            std::span<const kv::ChunkKey> keys, Deadline deadline,
                                            const StopToken& stop) const;
  // The refusal, or nothing when the chunk is there now.
  Result<std::optional<kv::Refusal>> put(const std::string& hand_off, const kv::Chunk& chunk,
                                         const StopToken& stop) const;
  // Verified against layout and key.
  Result<kv::SharedChunk> get(const kv::LayoutDigest& layout, const kv::ChunkKey& key,
                              const StopToken& stop) const;

 private:
  net::ClientRequest request(std::string method, std::string target, std::vector<ByteSpan> body,
                             const char* body_type) const;
  Result<Json> call(const net::ClientRequest& request, Deadline deadline, const StopToken& stop) const;

  net::HttpClient& http_;
  const Peer peer_;
};

}  // namespace hearth::node
