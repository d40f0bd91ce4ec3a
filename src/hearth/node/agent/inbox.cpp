#include "hearth/node/agent/inbox.h"

#include <fmt/format.h>

#include <random>

namespace hearth::node {

std::string random_id() {
  std::random_device device;
  std::string out;
  for (int i = 0; i < 4; ++i) out += fmt::format("{:08x}", device());
  return out;
}

Result<std::unique_ptr<Inbox::Claim>> Inbox::expect(kv::AnnouncedChain chain,
                                                    kv::ReceiverLimits limits,
                                                    DeliveryOptions options) {
  std::vector<kv::ChunkKey> held(chain.keys.begin(), chain.keys.begin() + options.held_chunks);
  auto receiver = TRY(kv::ChunkReceiver::create(std::move(chain), limits));
  auto delivery = std::make_shared<Delivery>(std::move(receiver), std::move(held), store_,
                                             std::move(options));
  const std::string id = random_id();
  const std::lock_guard hold(mutex_);
  if (deliveries_.size() >= hand_offs_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} hand-offs are waited for already", deliveries_.size()));
  }
  deliveries_.emplace(id, delivery);
  return std::make_unique<Claim>(*this, id, std::move(delivery));
}

Result<std::shared_ptr<Delivery>> Inbox::find(const std::string& id, const std::string& peer) const {
  const std::lock_guard hold(mutex_);
  const auto found = deliveries_.find(id);
  if (found == deliveries_.end()) {
    return fail(Code::not_found, "no hand-off of this id is waited for; it is over, or never was");
  }
  if (found->second->from() != peer) {
    return fail(Code::permission, fmt::format("this hand-off was ordered from {}, not from {}",
                                              found->second->from(), peer));
  }
  return found->second;
}

std::size_t Inbox::size() const {
  const std::lock_guard hold(mutex_);
  return deliveries_.size();
}

void Inbox::forget(const std::string& id) {
  const std::lock_guard hold(mutex_);
  deliveries_.erase(id);
}

}  // namespace hearth::node
