#pragma once
// Whether a peer that works for us is still there. Nothing of a hand-off needs a connection to
// last, so a killed peer would show by its silence only; this asks it, a few times a second, and
// tells the delivery when nobody listens there any more or another life answers. What times out
// says nothing: a link that is cut may come back, and the run's own deadline watches that.
//
// One thread ("peer_pulse"), until it is destroyed or the peer is gone.

#include "hearth/base/thread.h"
#include "hearth/node/agent/delivery.h"
#include "hearth/node/agent/peer_client.h"

namespace hearth::node {

class PeerPulse {
 public:
  // `peer` and `delivery` outlive this. `incarnation`: of the life that works for us.
  PeerPulse(const PeerClient& peer, std::uint64_t incarnation, Delivery& delivery);
  ~PeerPulse() { stop_.request_stop(); }
  PeerPulse(const PeerPulse&) = delete;
  PeerPulse& operator=(const PeerPulse&) = delete;

 private:
  void watch();

  const PeerClient& peer_;
  const std::uint64_t incarnation_;
  Delivery& delivery_;
  StopSource stop_;
  Thread thread_;
};

}  // namespace hearth::node
