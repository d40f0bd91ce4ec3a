#include "hearth/node/agent/peer_prefiller.h"

#include <fmt/format.h>

#include "hearth/base/thread.h"
#include "hearth/node/agent/chain_plan.h"

namespace hearth::node {
namespace {

constexpr Duration accept_deadline = std::chrono::seconds(10);

// Hears the peer's events on a thread of its own ("peer_events") and passes their meaning on.
class PeerSource final : public ChunkSource {
 public:
  PeerSource(std::unique_ptr<Inbox::Claim> claim, StopToken stop)
      : claim_(std::move(claim)), stop_(std::move(stop)),
        cancel_too_(stop_, [this] { cancel_.request_stop(); }) {}
  ~PeerSource() override {
    cancel_.request_stop();
    listener_.join();
  }

  Result<> start(const PeerClient& peer, const PrefillCall& call, std::span<const Token> target) {
    events_ = TRY(peer.prefill(call, target, Deadline::after(accept_deadline), cancel_.token()));
    listener_ = Thread("peer_events", [this, name = peer.peer().name] { listen(name); });
    return {};
  }

  Result<kv::SharedChunk> next(Deadline deadline) override {
    return claim_->delivery().take(deadline, stop_);
  }
  Instant chunk_began() const override { return claim_->delivery().chunk_began(); }

 private:
  void listen(const std::string& name) {
    Delivery& delivery = claim_->delivery();
    std::uint64_t computed_tokens = 0;
    while (true) {
      const auto event = events_->next(Deadline::never());  // the client watches for stalls
      if (!event) return delivery.fail(with_context(event.error(), name));
      if (const auto* error = std::get_if<Error>(&*event)) return delivery.fail(with_context(*error, name));
      if (std::holds_alternative<PrefillDelivered>(*event)) return;
      const auto* sign = std::get_if<PrefillAlive>(&*event);
      if (sign != nullptr && sign->computed_tokens <= computed_tokens) continue;  // stands still
      if (sign != nullptr) computed_tokens = sign->computed_tokens;
      delivery.alive();
    }
  }

  const std::unique_ptr<Inbox::Claim> claim_;
  const StopToken stop_;
  StopSource cancel_;  // the caller's token, or our end
  const StopCallback cancel_too_;
  std::unique_ptr<PrefillEvents> events_;
  Thread listener_;
};

}  // namespace

Result<std::unique_ptr<ChunkSource>> PeerPrefiller::open(const PrefillOrder& order,
                                                         const StopToken& stop) {
  kv::AnnouncedChain chain{.layout = order.layout, .keys = {}, .ranges = {}};
  PrefillCall call{.hand_off = {}, .deliver_to = parts_.deliver_to, .layout = order.layout,
                   .chunk_tokens = parts_.chunk_tokens, .stored = {}, .from = order.from()};
  for (const kv::PrefixChunk& piece : order.stored) {
    chain.keys.push_back(piece.key);
    chain.ranges.push_back(piece.range);
    call.stored.push_back(piece.key);
  }
  for (const ChainLink& link :
       continue_chain(order.parent(), order.from(), order.target, parts_.chunk_tokens)) {
    chain.keys.push_back(link.key);
    chain.ranges.push_back(link.range);
  }
  DeliveryOptions options{.from = parts_.peer.peer().name,
                          .held_chunks = static_cast<std::uint32_t>(order.stored.size()),
                          .patience = parts_.patience};
  auto claim = TRY(parts_.inbox.expect(std::move(chain), {}, std::move(options)));
  call.hand_off = claim->id();
  auto source = std::make_unique<PeerSource>(std::move(claim), stop);
  TRY(source->start(parts_.peer, call, order.target));
  return source;
}

}  // namespace hearth::node
