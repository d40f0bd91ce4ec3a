#include "hearth/node/agent/peer_pulse.h"

namespace hearth::node {
namespace {

constexpr Duration pulse_interval = std::chrono::milliseconds(250);
constexpr Duration again_interval = std::chrono::milliseconds(50);  // after a loss: who waits for the dead waits for nothing
constexpr Duration pulse_deadline = std::chrono::seconds(2);
// One lost connection is a link that was cut; a second attempt that is refused is a lost peer.
constexpr int lost_max = 2;

}  // namespace

PeerPulse::PeerPulse(const PeerClient& peer, std::uint64_t incarnation, Delivery& delivery)
    : peer_(peer), incarnation_(incarnation), delivery_(delivery) {
  thread_ = Thread("peer_pulse", [this] { watch(); });
}

void PeerPulse::watch() {
  int lost = 0;
  while (!stopped_while_waiting(stop_.token(), Deadline::after(lost == 0 ? pulse_interval : again_interval))) {
    const auto facts = peer_.facts(Deadline::after(pulse_deadline), stop_.token());
    if (facts && facts->incarnation != incarnation_) return delivery_.peer_failed("it was started again");
    if (facts || facts.error().code != Code::unavailable) {
      lost = 0;
    } else if (++lost == lost_max) {
      return delivery_.peer_failed(facts.error().message);
    }
  }
}

}  // namespace hearth::node
