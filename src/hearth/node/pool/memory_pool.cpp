#include "hearth/node/pool/memory_pool.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/log.h"
#include "hearth/model/shards.h"
#include "hearth/net/http_error.h"
#include "hearth/node/pool/rpc_server.h"
#include "hearth/node/pool/tunnel.h"

namespace hearth::node {
namespace {

constexpr Duration own_engine_time_max = std::chrono::seconds(60);
constexpr Duration ask_time_max = std::chrono::seconds(5);
constexpr Duration ask_again_after = std::chrono::milliseconds(250);

std::uint64_t cells_of(const model::LayerKv& kv, const WorkerOptions& worker) {
  if (kv.window_tokens == 0) return worker.context_tokens;
  const std::uint64_t window = std::uint64_t{kv.window_tokens} * (worker.sequences + 1) + worker.ubatch_tokens;
  return std::min<std::uint64_t>(worker.context_tokens, window);
}

std::optional<double> find_number(const std::map<std::string, double>& numbers, const std::string& machine) {
  const auto found = numbers.find(machine);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

Result<cluster::LayerSizes> layer_sizes(const model::ModelShape& shape, const WorkerOptions& worker) {
  const auto rows = TRY(model::kv_rows(shape, TRY(model::parse_kv_type(worker.kv_type))));
  const std::uint64_t recurrent = shape.recurrent_state_bytes * (worker.sequences + 1) /
                                  std::max<std::uint64_t>(1, shape.layers);
  cluster::LayerSizes out;
  for (std::size_t i = 0; i < shape.weights.layers.size(); ++i) {
    std::uint64_t bytes = shape.weights.layers[i].bytes + recurrent;
    if (i < rows.size()) bytes += (rows[i].k + rows[i].v + rows[i].indexer) * cells_of(shape.layer_kv[i], worker);
    out.layer_bytes.push_back(bytes);
  }
  out.home_bytes = shape.weights.embedding + shape.weights.output + shape.weights.other;
  return out;
}

MemoryPool::MemoryPool(PoolOptions options, std::shared_ptr<ClusterMembership> membership)
    : options_(std::move(options)), membership_(std::move(membership)),
      http_(make_cluster_client(membership_)) {}

Result<WorkerOptions> MemoryPool::arrange(WorkerOptions worker, std::uint32_t life, const StopToken& stop) {
  tunnels_.clear();
  const auto files = TRY(model::load_model_files(worker.model_path));
  const cluster::LayerSizes sizes = TRY(layer_sizes(TRY(model::read_shape(files)), worker));
  const PoolEngine own = TRY(ask_engine(options_.worker_executable, Deadline::after(own_engine_time_max), stop));

  std::vector<Lender> lenders;
  std::vector<cluster::PoolMachine> machines;
  for (const std::string& machine : options_.lenders) {
    auto lender = find_lender(machine, own, stop);
    if (!lender && (life == 0 || stop.stop_requested())) return std::unexpected(std::move(lender.error()));
    if (!lender) {
      log_warning(fmt::format("the pool goes on without {}: {}", machine, lender.error().message));
      continue;
    }
    machines.push_back(pool_machine(machine, lender->free_bytes));
    lenders.push_back(*std::move(lender));
  }
  // The layers of this machine's CPU come first, those of its other devices last (llama_devices.h).
  const bool is_home_first = own.computes_on_cpu(worker.device);
  const auto home = machines.insert(is_home_first ? machines.begin() : machines.end(),
                                    pool_machine(membership_->machine(), own.free_bytes(worker.device)));
  const auto home_index = static_cast<std::size_t>(home - machines.begin());
  const auto counts = TRY(cluster::place_layers(sizes, machines, home_index));

  std::string placed = fmt::format("{} {}", membership_->machine(), counts[home_index]);
  for (std::size_t i = 0; i < lenders.size(); ++i) {
    const std::uint32_t layers = counts[is_home_first ? i + 1 : i];
    placed += fmt::format(", {} {}", lenders[i].machine, layers);
    if (layers == 0) continue;
    net::TlsClientOptions tls;
    tls.credentials = membership_->credentials();
    tls.expected_machine = lenders[i].machine;
    tls.admit = [membership = membership_](const net::PeerIdentity& peer) { return membership->admit_server(peer); };
    tunnels_.push_back(TRY(start_borrowing_tunnel(lenders[i].tunnel, std::move(tls))));
    worker.remote.push_back({.endpoint = tunnels_.back()->address().text(), .layers = layers});
  }
  log_info("layers of the pool: " + placed);
  return worker;
}

cluster::PoolMachine MemoryPool::pool_machine(const std::string& machine, std::uint64_t free_bytes) const {
  return {.name = machine, .free_bytes = free_bytes,
          .bandwidth_gb_per_s = find_number(options_.bandwidths, machine),
          .share = find_number(options_.shares, machine)};
}

Result<MemoryPool::Lender> MemoryPool::find_lender(const std::string& machine, const PoolEngine& own,
                                                   const StopToken& stop) const {
  const auto refused = [&](const Error& error) {
    return fail(error.code, fmt::format("{} cannot lend memory: {}", machine, error.message));
  };
  const auto list = TRY(membership_->members());
  const Member* member = list->list.find(machine);
  if (member == nullptr || machine == membership_->machine()) {
    return refused({Code::not_found, "it is no other machine of this cluster; hearth cluster ls lists them"});
  }
  net::Address address = TRY(agent_address(*member));
  const Deadline deadline = Deadline::after(options_.wait_for_lender);
  auto facts = ask_lender(machine, address, stop);
  while (!facts && facts.error().code == Code::unavailable && !deadline.passed() &&
         !stopped_while_waiting(stop, Deadline::after(ask_again_after))) {
    facts = ask_lender(machine, address, stop);
  }
  if (!facts) return refused(facts.error());
  if (const auto refusal = pooling_refusal(own, facts->engine)) return refused({Code::unsupported, *refusal});
  address.port = facts->tunnel_port;
  return Lender{.machine = machine, .tunnel = std::move(address), .free_bytes = facts->engine.free_bytes()};
}

// unavailable: ask again.
Result<LenderFacts> MemoryPool::ask_lender(const std::string& machine, const net::Address& address,
                                           const StopToken& stop) const {
  net::ClientRequest request{.method = "GET", .address = address, .target = pool_path, .headers = {}, .body = {}};
  request.expected_machine = machine;
  const net::ClientReply reply = TRY(http_->send(request, Deadline::after(ask_time_max), stop));
  if (reply.status >= 400) return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), machine));
  const Json json = TRY(parse_json(reply.body_text()));
  LenderFacts facts = TRY(lender_from_json(json));
  if (!facts.used_by.empty() && facts.used_by != membership_->machine()) {
    return fail(Code::unavailable, "its memory is lent to " + facts.used_by);
  }
  return facts;
}

}  // namespace hearth::node
