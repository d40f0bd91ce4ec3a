#pragma once
// Prefill by a peer: orders it, waits for the chunks that the peer puts, gives them out in order.
// A peer that dies, hangs or lies ends the source with an error; what came before stays good.

#include "hearth/node/agent/inbox.h"
#include "hearth/node/agent/peer_client.h"
#include "hearth/node/prefiller.h"

namespace hearth::node {

struct PeerPrefillParts {
  const PeerClient& peer;
  Inbox& inbox;
  std::string deliver_to;  // host:port of our own agent, as the peer reaches it
  std::uint32_t chunk_tokens = 0;
  Duration patience = std::chrono::seconds(15);  // without a sign of work
};

class PeerPrefiller final : public Prefiller {
 public:
  // What `parts` points to outlives this and its sources.
  explicit PeerPrefiller(PeerPrefillParts parts) : parts_(std::move(parts)) {}
  Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order, const StopToken& stop) override;

 private:
  const PeerPrefillParts parts_;
};

}  // namespace hearth::node
