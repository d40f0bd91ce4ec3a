#include "hearth/node/agent/inbox.h"

#include <fmt/format.h>

#include <random>

namespace hearth::node {
namespace {

// 64 bits of the system's randomness.
std::uint64_t random_number() {
  static thread_local std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

cluster::Ticket Inbox::new_ticket(const kv::LayoutDigest& layout, std::uint32_t token_count,
                                  Duration lease) const {
  return {.id = {.high = random_number(), .low = random_number()},
          .issuer = machine_,
          .issuer_incarnation = incarnation_,
          .attempt = 1,
          .layout = layout,
          .token_count = token_count,
          .lease = lease};
}

Result<std::unique_ptr<Inbox::Claim>> Inbox::expect(const cluster::Ticket& ticket,
                                                    const std::string& from,
                                                    kv::AnnouncedChain chain,
                                                    std::span<const kv::ChunkKey> held,
                                                    cluster::DecodeRunParameters parameters) {
  parameters.limits.room = staging_;
  auto run = TRY(cluster::DecodeRun::create(ticket, std::move(chain), std::move(parameters),
                                            std::chrono::steady_clock::now()));
  auto delivery = std::make_shared<Delivery>(std::move(run), held, store_);
  const std::lock_guard hold(mutex_);
  if (!tickets_.issue(ticket, from)) {
    return fail(Code::resource_exhausted,
                fmt::format("{} hand-offs are waited for already", tickets_.open_count()));
  }
  deliveries_.emplace(ticket.id, Open{.delivery = delivery, .from = from, .token_count = ticket.token_count,
                                      .began = std::chrono::steady_clock::now()});
  return std::make_unique<Claim>(*this, ticket.id, std::move(delivery));
}

Result<std::shared_ptr<Delivery>> Inbox::find(const cluster::TicketUse& use, const std::string& peer) {
  using cluster::TicketVerdict;
  const std::lock_guard hold(mutex_);
  const TicketVerdict verdict = tickets_.check(use, peer);
  if (verdict == TicketVerdict::good) return deliveries_.at(use.id).delivery;
  const bool is_theft = verdict == TicketVerdict::foreign;
  return fail(is_theft ? Code::permission : Code::not_found,
              fmt::format("the ticket is {}: nothing is waited for", cluster::verdict_name(verdict)));
}

std::size_t Inbox::size() const {
  const std::lock_guard hold(mutex_);
  return deliveries_.size();
}

std::vector<Json> Inbox::open() const {
  const std::lock_guard hold(mutex_);
  std::vector<Json> out;
  for (const auto& [id, open] : deliveries_) {
    out.push_back(Json::object({{"kind", "waits for the prefill of"}, {"machine", open.from},
                                {"tokens", open.token_count},
                                {"seconds", seconds(std::chrono::steady_clock::now() - open.began)}}));
  }
  return out;
}

void Inbox::forget(const cluster::HandOffId& id) {
  const std::lock_guard hold(mutex_);
  tickets_.spend(id);
  deliveries_.erase(id);
}

}  // namespace hearth::node
