#pragma once
// The hand-offs that this machine waits for, by their ids. An id is random, used once, and known to
// one peer: chunks for another id, or of another machine, are refused.
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
    Claim(Inbox& inbox, std::string id, std::shared_ptr<Delivery> delivery)
        : inbox_(inbox), id_(std::move(id)), delivery_(std::move(delivery)) {}
    ~Claim() { inbox_.forget(id_); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    const std::string& id() const { return id_; }
    Delivery& delivery() const { return *delivery_; }

   private:
    Inbox& inbox_;
    const std::string id_;
    const std::shared_ptr<Delivery> delivery_;
  };

  static constexpr std::size_t hand_offs_max = 64;

  // `store` outlives this.
  explicit Inbox(kv::ChunkStore& store) : store_(store) {}

  // resource_exhausted beyond hand_offs_max. The first options.held_chunks of the chain are held.
  Result<std::unique_ptr<Claim>> expect(kv::AnnouncedChain chain, kv::ReceiverLimits limits,
                                        DeliveryOptions options);
  // not_found when nobody waits for it; permission when another machine was asked.
  Result<std::shared_ptr<Delivery>> find(const std::string& id, const std::string& peer) const;
  std::size_t size() const;

 private:
  void forget(const std::string& id);

  kv::ChunkStore& store_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Delivery>> deliveries_;
};

// Not to be guessed: 128 bits of the system's randomness, in hex.
std::string random_id();

}  // namespace hearth::node
