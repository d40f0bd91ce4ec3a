#pragma once
// Prefill by a peer: asks it, waits for the chunks that it puts, gives them out in order. A peer
// that is busy, dies, hangs or lies ends the source with an error; what came before stays good.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hearth/node/agent/inbox.h"
#include "hearth/node/agent/peer_client.h"
#include "hearth/node/prefiller.h"

namespace hearth::node {

struct PeerPrefillParts {
  PeerClient peer;
  Inbox& inbox;
  std::string deliver_to;  // host:port of our own agent, as the peer reaches it
  std::string hearth_version = {};  // of this machine
  bool moves_prefix = true;  // the peer fetches what it lacks of the prefix instead of computing it
  // Of the peer, where it has another quantisation of the model: its chunks carry it.
  std::optional<kv::LayoutDigest> foreign_layout = {};
  // Patience and predictions for this peer; computed_from is filled in here.
  cluster::DecodeRunParameters parameters = {};
  // What became of it, on the source's thread.
  std::function<void(const cluster::DecodeRunOver&)> on_over = {};
};

// The order's stored chunks by the names that the peer has for them: those of its own layout, where
// that is another.
std::vector<kv::PrefixChunk> stored_names(const PrefillOrder& order,
                                          const std::optional<kv::LayoutDigest>& foreign_layout);

class PeerPrefiller final : public Prefiller {
 public:
  // What `parts` points to outlives this and its sources; this need not outlive its sources.
  explicit PeerPrefiller(PeerPrefillParts parts) : parts_(std::move(parts)) {}
  // resource_exhausted: the peer has no time now, or this machine no room for its chunks.
  Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order, const StopToken& stop) override;

 private:
  const PeerPrefillParts parts_;
};

}  // namespace hearth::node
