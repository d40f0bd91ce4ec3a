#include "hearth/node/agent/agent.h"

#include <fmt/format.h>

#include <charconv>

#include "hearth/base/log.h"
#include "hearth/node/membership/membership_client.h"
#include "hearth/node/membership/membership_routes.h"
#include "hearth/node/probe/link_probe.h"

namespace hearth::node {
namespace {

constexpr Duration renewal_interval = std::chrono::hours(1);
constexpr Duration members_interval = std::chrono::seconds(30);
constexpr Duration members_deadline = std::chrono::seconds(5);
constexpr Duration renewal_deadline = std::chrono::seconds(30);
constexpr Duration tell_time_max = std::chrono::seconds(3);

// Larger with every start of this machine's agent, whatever its clock says.
Result<std::uint64_t> next_incarnation(const std::filesystem::path& directory) {
  const auto path = directory / "incarnation";
  std::uint64_t last = 0;
  if (const auto text = read_text_file(path, 32)) {
    (void)std::from_chars(text->data(), text->data() + text->size(), last);
  }
  TRY(write_cluster_file(path, fmt::format("{}\n", last + 1)));
  return last + 1;
}

// Whose certificate the connection has: the server has admitted it.
Result<std::string> machine_of(const net::Request& request) {
  if (!request.peer_identity || !request.peer_identity->from_authority) {
    return fail(Code::permission, "only machines of the cluster may ask this");
  }
  return request.peer_identity->certificate.common_name;
}

}  // namespace

Agent::Agent(AgentConfig config, LocalModel* model, std::shared_ptr<ClusterMembership> membership)
    : config_(std::move(config)), model_(model), membership_(std::move(membership)),
      http_(make_cluster_client(membership_)) {}

Result<std::unique_ptr<Agent>> Agent::start(AgentConfig config, LocalModel* model, const StopToken& stop) {
  if (model != nullptr && model->store() == nullptr) {
    return fail(Code::invalid_argument, "a machine of a cluster needs a chunk store; leave out --no-store");
  }
  auto membership = TRY(ClusterMembership::open(config.directory));
  std::unique_ptr<Agent> agent(new Agent(std::move(config), model, std::move(membership)));
  TRY(agent->open(stop));
  return agent;
}

Result<> Agent::open(const StopToken& stop) {
  const auto list = TRY(membership_->members());
  const Member* own = list->list.find(machine());
  if (own == nullptr) return fail(Code::permission, machine() + " has been removed from the cluster");
  const net::Address reached_at = TRY(agent_address(*own));
  net::Address listen = net::Address::tcp("0.0.0.0", reached_at.port);
  if (!config_.listen.empty()) listen = TRY(net::parse_address(config_.listen));
  auto listener = TRY(net::Listener::listen(listen));
  address_ = listener.address();

  const std::uint64_t incarnation = TRY(next_incarnation(config_.directory));
  if (model_ != nullptr) serve_model(reached_at, incarnation);
  if (config_.lends) {
    const net::Address tunnel = net::Address::tcp(listener.address().host, config_.lends->tunnel_port);
    lender_ = TRY(Lender::start(*config_.lends, tunnel, make_cluster_server_tls(membership_), stop));
  }
  net::HttpServerOptions server_options;
  server_options.tls = make_cluster_server_tls(membership_);
  server_ = TRY(net::HttpServer::start(std::move(listener), routes(), std::move(server_options)));
  membership_thread_ = Thread("membership", [this] { keep_membership(); });
  return {};
}

void Agent::serve_model(const net::Address& reached_at, std::uint64_t incarnation) {
  inbox_ = std::make_unique<Inbox>(machine(), incarnation, *model_->store());
  service_ = std::make_unique<AgentService>(
      AgentOptions{.name = machine(), .hearth_version = config_.hearth_version,
                   .prefills_max = config_.prefills_max, .needs_tls = true},
      model_->keeper(), *model_->store(), *inbox_, *http_, machine_of);
  if (config_.coordinates) {
    coordinator_ = std::make_unique<PrefillCoordinator>(
        CoordinatorOptions{.machine = machine(), .deliver_to = reached_at.text(),
                           .find_peers = [this] { return find_peers(); },
                           .parity = config_.parity,
                           .other_precision = config_.other_precision,
                           .canary_interval = config_.canary_interval,
                           .policy = config_.prefill,
                           .pool = config_.pool,
                           .rates_file = config_.directory / "rates.json"},
        *service_, model_->keeper(), *inbox_, *http_);
    model_->set_prefiller(coordinator_.get());
    // This store answers requests: nothing comes into it from a machine that computes otherwise.
    service_->set_takes_stored([this](const std::string& peer) { return coordinator_->is_trusted(peer); });
  }
}

Agent::~Agent() {
  stop_.request_stop();
  membership_thread_.join();
  server_.reset();  // its handlers use all the rest
  if (model_ != nullptr) model_->set_prefiller(nullptr);
}

net::Router Agent::routes() {
  net::Router router = service_ ? service_->routes() : net::Router();
  add_membership_routes(router, membership_);
  add_link_routes(router, [](const net::Request& request) -> Result<> {
    TRY(machine_of(request));
    return {};
  });
  const auto json_route = [&](std::string_view path, std::function<Json()> answer) {
    router.add("GET", path,
               [answer = std::move(answer)](net::Request& request,
                                            const net::PathParams&) -> Result<net::Response> {
                 TRY(machine_of(request));
                 return net::Response::json(200, answer());
               });
  };
  router.add("GET", pool_path, [this](net::Request& request, const net::PathParams&) -> Result<net::Response> {
    TRY(machine_of(request));
    if (!lender_) {
      return fail(Code::unsupported, machine() + " does not lend its memory; start it with hearth node --lend");
    }
    const LenderFacts facts = TRY(lender_->facts());
    return net::Response::json(200, lender_json(facts));
  });
  json_route("/v1/status", [this] { return status(); });
  json_route("/v1/check", [this] {
    Json out = config_.look_at_machine ? config_.look_at_machine() : Json::object({{"findings", Json::array()}});
    out.set("hearth", config_.hearth_version);
    return out;
  });
  json_route("/v1/decisions", [this] {
    return coordinator_ ? coordinator_->decisions() : Json::object({{"decisions", Json::array()}});
  });
  router.add("PUT", assignment_path,
             [this](net::Request& request, const net::PathParams&) { return take_assignment(request); },
             {.body_bytes_max = assignment_bytes_max});
  router.add("PUT", "/v1/prefill-policy", [this](net::Request& request, const net::PathParams&) {
    return set_policy(request);
  });
  router.add("POST", "/v1/parity", [this](net::Request& request, const net::PathParams&) {
    return try_peer(request);
  });
  return router;
}

Result<net::Response> Agent::take_assignment(const net::Request& request) const {
  const std::string caller = TRY(machine_of(request));
  const auto list = TRY(membership_->members());
  if (caller != list->list.authority) {
    return fail(Code::permission, fmt::format("only {}, which holds the cluster's authority, assigns work here",
                                              list->list.authority));
  }
  if (!config_.assignments) {
    return fail(Code::unsupported, fmt::format("{} is not managed; start it with hearth node --managed", machine()));
  }
  const std::string_view toml = request.body_text();
  TRY(config_.assignments->check(toml));
  TRY(keep_assignment(config_.directory, toml));
  log_info("assigned anew by " + caller);
  config_.assignments->begin_anew();
  return net::Response::json(200, Json::object({{"digest", assignment_digest(toml)}}));
}

Result<net::Response> Agent::try_peer(const net::Request& request) const {
  TRY(machine_of(request));
  const Json body = TRY(parse_json(request.body_text()));
  const auto name = TRY(get<std::string>(body, "machine"));
  if (!coordinator_) return fail(Code::unsupported, machine() + " does not coordinate; ask the machine of hearth serve");
  const auto tried = TRY(coordinator_->try_peer(name, request.stop));
  Json out = cluster::parity_json(tried.parity);
  out.set("fault", tried.fault);
  return net::Response::json(200, out);
}

// Its own users say how it is to answer, nobody else does.
Result<net::Response> Agent::set_policy(const net::Request& request) {
  const std::string caller = TRY(machine_of(request));
  if (caller != machine()) return fail(Code::permission, fmt::format("only {} itself says who prefills for it", machine()));
  if (!coordinator_) return fail(Code::unsupported, machine() + " does not coordinate; ask the machine of hearth serve");
  const Json body = TRY(parse_json(request.body_text()));
  const auto policy = TRY(get<std::string>(body, "policy"));
  const auto wanted = TRY(cluster::parse_prefill_policy(policy));
  coordinator_->set_policy(wanted);
  log_info("prefill: " + policy);
  return net::Response::json(200, Json::object({{"policy", policy}}));
}

std::vector<Peer> Agent::find_peers() const {
  std::vector<Peer> out;
  const auto list = membership_->members();
  if (!list) return out;
  for (const Member& member : (*list)->list.members) {
    if (member.name == machine()) continue;
    if (auto address = agent_address(member)) out.push_back({member.name, *std::move(address)});
  }
  return out;
}

// The authority's machine knows first who joined and who left.
void Agent::learn_members() {
  const auto list = membership_->members();
  if (!list || (*list)->list.authority == machine()) return;
  const auto changed = fetch_members(*membership_, *http_, (*list)->list.authority,
                                     Deadline::after(members_deadline), stop_.token());
  if (!changed) log_debug("the member list was not fetched: " + changed.error().message);
}

void Agent::keep_membership() {
  Instant renew_at{};
  while (!stop_.stop_requested()) {
    if (std::chrono::steady_clock::now() >= renew_at) {
      renew_at = std::chrono::steady_clock::now() + renewal_interval;
      const auto renewed = renew_if_due(*membership_, *http_, Deadline::after(renewal_deadline), stop_.token());
      if (!renewed) log_warning("the certificate was not renewed: " + renewed.error().message);
      if (renewed && *renewed) (void)tell_members(*membership_, *http_, tell_time_max, stop_.token());
    }
    // A command on this machine may have changed its certificate: whoever comes next is shown the new one.
    if (const auto refreshed = membership_->refresh(); !refreshed) log_warning(refreshed.error().message);
    learn_members();
    (void)stopped_while_waiting(stop_.token(), Deadline::after(members_interval));
  }
}

}  // namespace hearth::node
