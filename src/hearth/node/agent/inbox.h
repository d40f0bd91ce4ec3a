#pragma once
// The hand-offs that this machine waits for, by their tickets (cluster/ticket.h). A message without
// a good ticket is refused before any of its bytes is looked at. What all of them hold of chunks that are
// not imported yet has one bound (kv/staging_room.h).
//
// Thread-safe.

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "hearth/node/agent/delivery.h"

namespace hearth::node {

class Inbox {
 public:
  // Held by the reader: while it lives, the hand-off is waited for.
  class Claim {
   public:
    Claim(Inbox& inbox, cluster::HandOffId id, std::shared_ptr<Delivery> delivery)
        : inbox_(inbox), id_(id), delivery_(std::move(delivery)) {}
    ~Claim() { inbox_.forget(id_); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    Delivery& delivery() const { return *delivery_; }

   private:
    Inbox& inbox_;
    const cluster::HandOffId id_;
    const std::shared_ptr<Delivery> delivery_;
  };

  // `store` outlives this. `incarnation` differs from that of every earlier life of this machine.
  Inbox(std::string machine, std::uint64_t incarnation, kv::ChunkStore& store,
        std::uint64_t staging_bytes_max = kv::machine_staging_bytes_max)
      : machine_(std::move(machine)), incarnation_(incarnation), store_(store),
        staging_(std::make_shared<kv::StagingRoom>(staging_bytes_max)), tickets_(incarnation) {}

  // A ticket that was never issued, for `token_count` tokens of a prompt.
  cluster::Ticket new_ticket(const kv::LayoutDigest& layout, std::uint32_t token_count,
                             Duration lease) const;
  // resource_exhausted when too many are open, or too much memory is promised to them. `held`: the chunks of
  // the chain's beginning.
  Result<std::unique_ptr<Claim>> expect(const cluster::Ticket& ticket, const std::string& from,
                                        kv::AnnouncedChain chain, std::span<const kv::ChunkKey> held,
                                        cluster::DecodeRunParameters parameters);
  // not_found when nobody waits for it any more; permission when the ticket is not this peer's.
  Result<std::shared_ptr<Delivery>> find(const cluster::TicketUse& use, const std::string& peer);
  std::size_t size() const;
  // What is waited for: {kind, machine, tokens, seconds}.
  std::vector<Json> open() const;
  std::uint64_t incarnation() const { return incarnation_; }
  const kv::StagingRoom& staging() const { return *staging_; }

 private:
  void forget(const cluster::HandOffId& id);

  const std::string machine_;
  const std::uint64_t incarnation_;
  kv::ChunkStore& store_;
  const std::shared_ptr<kv::StagingRoom> staging_;
  mutable std::mutex mutex_;  // what follows
  cluster::TicketBook tickets_;
  struct Open {
    std::shared_ptr<Delivery> delivery;
    std::string from;
    std::uint32_t token_count = 0;
    Instant began{};
  };
  std::map<cluster::HandOffId, Open> deliveries_;
};

}  // namespace hearth::node
