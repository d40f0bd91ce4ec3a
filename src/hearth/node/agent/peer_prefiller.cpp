#include "hearth/node/agent/peer_prefiller.h"

#include <fmt/format.h>

#include <utility>

#include "hearth/node/agent/peer_pulse.h"

namespace hearth::node {
namespace {

constexpr Duration cancel_deadline = std::chrono::seconds(2);

class PeerSource final : public ChunkSource {
 public:
  PeerSource(PeerPrefillParts parts, std::unique_ptr<Inbox::Claim> claim, PrefillCall call,
             std::span<const Token> target, StopToken stop)
      : parts_(std::move(parts)), claim_(std::move(claim)), call_(std::move(call)), target_(target),
        stop_(std::move(stop)) {}

  // Dropped before its end: the peer is told, whether it hears it or not.
  ~PeerSource() override {
    pulse_.reset();
    if (over_) return;
    on_imported();  // whatever became of it, nobody waits for it any more
    StopSource now;
    now.request_stop();
    while (!over_) {
      (void)step(now.token());
      on_imported();
    }
  }

  // Until the peer has said yes.
  Result<> start() {
    while (!accepted_ && waiting_ == nullptr) {
      waiting_ = TRY(step(stop_));  // a chunk says yes too, where the yes was lost
      if (over_) return verdict();
    }
    if (accepted_) pulse_.emplace(parts_.peer, incarnation_, claim_->delivery());
    return {};
  }

  Result<kv::SharedChunk> next(Deadline) override {
    if (waiting_ != nullptr) return std::exchange(waiting_, nullptr);
    while (!over_) {
      if (auto chunk = TRY(step(stop_))) return chunk;
    }
    TRY(verdict());
    return kv::SharedChunk();
  }
  Instant chunk_began() const override { return claim_->delivery().chunk_began(); }
  std::string_view machine() const override { return parts_.peer.peer().name; }
  void on_imported() override { claim_->delivery().imported(); }
  void on_import_refused(const Error& error) override { claim_->delivery().import_refused(error); }
  void on_worker_lost(const Error& error) override { claim_->delivery().worker_lost(error); }

 private:
  // Does one thing that the run wants; nullptr unless that is to give out a chunk.
  Result<kv::SharedChunk> step(const StopToken& stop) {
    cluster::DecodeRunAction action = claim_->delivery().next(stop);
    if (auto* chunk = std::get_if<cluster::ImportChunk>(&action)) return std::move(chunk->chunk);
    if (const auto* ask = std::get_if<cluster::AskPeer>(&action)) {
      const auto reply = parts_.peer.prefill(call_, target_, Deadline::at(ask->deadline), stop);
      accepted_ = reply && !reply->is_busy;
      if (accepted_) incarnation_ = reply->incarnation;
      claim_->delivery().on_reply(reply);
    } else if (std::holds_alternative<cluster::CancelPeer>(action)) {
      (void)parts_.peer.cancel({.id = call_.ticket.id,
                                .issuer_incarnation = call_.ticket.issuer_incarnation,
                                .attempt = call_.ticket.attempt,
                                .sender_incarnation = incarnation_},
                               Deadline::after(cancel_deadline));
    } else if (auto* over = std::get_if<cluster::DecodeRunOver>(&action)) {
      over_ = std::move(*over);
      pulse_.reset();
      if (parts_.on_over) parts_.on_over(*over_);
    }
    return kv::SharedChunk();
  }

  Result<> verdict() const {
    using Kind = cluster::DecodeRunOver::Kind;
    const std::string& peer = parts_.peer.peer().name;
    switch (over_->kind) {
      case Kind::complete: return {};
      case Kind::busy: return fail(Code::resource_exhausted, peer + ": " + over_->reason);
      case Kind::cancelled: return fail(Code::cancelled, peer + ": " + over_->reason);
      case Kind::compute_rest:
      case Kind::worker_lost: break;
    }
    return fail(Code::unavailable, peer + ": " + over_->reason);
  }

  const PeerPrefillParts parts_;  // its own: the prefiller may be gone before its sources
  const std::unique_ptr<Inbox::Claim> claim_;
  const PrefillCall call_;
  const std::span<const Token> target_;
  const StopToken stop_;
  bool accepted_ = false;
  kv::SharedChunk waiting_;
  std::uint64_t incarnation_ = 0;  // of the peer
  std::optional<cluster::DecodeRunOver> over_;
  std::optional<PeerPulse> pulse_;  // while the peer works for us
};

}  // namespace

std::vector<kv::PrefixChunk> stored_names(const PrefillOrder& order,
                                          const std::optional<kv::LayoutDigest>& foreign_layout) {
  std::vector<kv::PrefixChunk> out(order.stored.begin(), order.stored.end());
  if (!foreign_layout) return out;
  kv::ChunkKey parent = model::root_key(*foreign_layout);
  for (kv::PrefixChunk& piece : out) {
    parent = model::next_key(parent, order.target.subspan(piece.range.begin, piece.range.count()));
    piece.key = parent;
  }
  return out;
}

Result<std::unique_ptr<ChunkSource>> PeerPrefiller::open(const PrefillOrder& order,
                                                         const StopToken& stop) {
  cluster::DecodeRunParameters parameters = parts_.parameters;
  parameters.computed_from = order.from();
  // Whatever else our worker computes, an import waits for it.
  if (parameters.worker_piece == Duration::zero()) parameters.worker_piece = piece_unknown;
  const auto token_count = static_cast<std::uint32_t>(order.target.size());
  // The peer may have to compute all that comes before, and says nothing of it.
  const auto pieces = order.from() / parameters.chunk_tokens + 1;
  const Duration lease = cluster::lease_for(parameters.patience.chunk_compute * pieces,
                                            parameters.patience.patience_factor);
  const kv::LayoutDigest layout = parts_.foreign_layout.value_or(order.layout);
  PrefillCall call{.hearth_version = parts_.hearth_version,
                   .ticket = parts_.inbox.new_ticket(layout, token_count, lease),
                   .deliver_to = parts_.deliver_to, .chunk_tokens = parameters.chunk_tokens,
                   .stored = {}, .from = order.from(),
                   .fetch_stored = parts_.moves_prefix && !parts_.foreign_layout};
  kv::AnnouncedChain chain{.layout = layout, .keys = {}, .ranges = {}};
  kv::ChunkKey parent = model::root_key(layout);
  for (const kv::PrefixChunk& piece : stored_names(order, parts_.foreign_layout)) {
    parent = piece.key;
    chain.keys.push_back(parent);
    chain.ranges.push_back(piece.range);
    call.stored.push_back(parent);
  }
  for (const model::ChainLink& link :
       model::continue_chain(parent, order.from(), order.target, parameters.chunk_tokens)) {
    chain.keys.push_back(link.key);
    chain.ranges.push_back(link.range);
  }
  auto claim = TRY(parts_.inbox.expect(call.ticket, parts_.peer.peer().name, std::move(chain),
                                       call.stored, std::move(parameters)));
  auto source = std::make_unique<PeerSource>(parts_, std::move(claim), std::move(call), order.target, stop);
  TRY(source->start());
  return source;
}

}  // namespace hearth::node
