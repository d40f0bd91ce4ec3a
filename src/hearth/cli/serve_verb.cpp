// hearth serve: the APIs that people's tools speak, over a model on this machine, or over routes alone.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/base/log.h"
#include "hearth/chat/format.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/routing_setup.h"
#include "hearth/cli/serve_seal.h"
#include "hearth/cli/serve_setup.h"
#include "hearth/cli/verbs.h"
#include "hearth/gateway/gateway.h"
#include "hearth/gateway/no_model.h"
#include "hearth/net/http_server.h"
#include "hearth/node/local_model.h"

namespace hearth::cli {
namespace {

// Runs at the end of a scope.
class Cleanup {
 public:
  explicit Cleanup(std::function<void()> run) : run_(std::move(run)) {}
  ~Cleanup() { run_(); }

 private:
  const std::function<void()> run_;
};

Duration duration(double s) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

// A name that clients can write in a URL and in their settings.
std::string model_id(const ServeConfig& config, const engine::ModelFacts& facts) {
  if (!config.model_name.empty()) return config.model_name;
  std::string out;
  for (const char c : facts.model_name.empty() ? config.model.stem().string() : facts.model_name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
    if (plain) out += c;
    else if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    else if (!out.empty() && out.back() != '-') out += '-';
  }
  return out;
}

gateway::GatewayOptions gateway_options(const ServeConfig& config, const engine::ModelFacts& facts) {
  gateway::GatewayOptions out;
  out.access = {config.api_keys, config.key_names, config.allowed_hosts, config.allowed_origins};
  out.model_id = model_id(config, facts);
  out.sampling = config.sampling;
  out.client_sampling = config.client_sampling;
  out.jobs = {.jobs_max = config.requests_max, .grace = duration(config.grace_s)};
  out.heartbeat = duration(config.heartbeat_s);
  out.whole_answer_wait = duration(config.whole_answer_wait_s);
  out.body_bytes_max = std::uint64_t{config.body_mb_max} << 20;
  return out;
}

Result<std::unique_ptr<chat::Format>> choose(const ServeConfig& config, node::LocalModel& model,
                                             const StopToken& stop) {
  if (!config.chat_format.empty()) return chat::make_format(config.chat_format);
  const engine::ModelFacts facts = model.facts();
  return chat::choose_format(
      {.template_text = facts.chat_template,
       .architecture = facts.architecture,
       .model_name = facts.model_name,
       .has_token = [&](std::string_view text) {
         const auto tokens = model.tokenize(text, /*special=*/true, stop);
         return tokens && tokens->size() == 1;
       }});
}

// What answers, and how its conversations look; `options` names it.
struct Served {
  engine::ModelService& model;
  std::unique_ptr<chat::Format> format;
  gateway::GatewayOptions options;
  node::Agent* agent = nullptr;  // tells the cluster of the answers; nullptr where there is none
};

Result<> answer_until_stopped(const ServeConfig& config, ServeSeal& seal, Served served, net::Listener listener, const StopToken& stop) {
  const auto routing = TRY(RoutingSetup::open(config, [&config, &model = served.model] {
    return store::VerdictBasis{.model_digest = config.model_digest, .engine_build = model.facts().engine_version,
                               .topology = config.topology, .suite_version = config.suite_version};
  }, seal.gate()));
  served.options.labeller = &seal.labeller();
  served.options.routing = &routing->routing();
  const auto gateway = TRY(gateway::Gateway::create(served.model, std::move(served.format), std::move(served.options), stop));
  net::HttpServerOptions server_options = gateway->server_options();
  server_options.connections_max = config.connections_max;
  const auto server = TRY(net::HttpServer::start(std::move(listener), gateway->routes(),
                                                 std::move(server_options)));
  gateway->set_connection_count([&server] { return server->connection_count(); });
  const auto tell_cluster = [agent = served.agent](std::function<Json()> answers) {
    if (agent != nullptr) agent->set_answers(std::move(answers));
  };
  tell_cluster([&gateway] { return gateway->answers(); });
  const Cleanup no_longer([&] { tell_cluster({}); });
  std::printf("ready http://%s\n", server->address().text().c_str());
  std::fflush(stdout);
  wait_until_stopped(stop);
  log_info("stopping");
  gateway->end_answers();
  server->stop();
  return {};
}

Result<> serve_model(const ServeConfig& config, bool verbose, ServeSeal& seal, net::Listener listener, const StopToken& stop) {
  node::LocalModelOptions model_options = TRY(local_model_options(config, verbose));
  seal.add_to(model_options);
  const std::filesystem::path store_directory = model_options.store_directory;
  Progress progress;
  const auto model = TRY(node::LocalModel::start(
      std::move(model_options),
      [&](double fraction) { progress.update("loading", fraction); }, stop));
  seal.watch(model.get());
  const Cleanup unwatch([&] { seal.watch(nullptr); });
  const auto gathered = TRY(start_gathered(
      config, verbose, *model, [&](double fraction) { progress.update("loading elsewhere", fraction); }, stop));
  progress.clear();
  const engine::ModelFacts facts = model->facts();
  auto format = TRY(choose(config, *model, stop));
  log_info(fmt::format("model={} architecture={} engine={} backend={} chat_format={} context_tokens={}",
                       facts.model_name, facts.architecture, facts.engine_version, facts.backend,
                       format->name(), facts.limits.context_tokens));
  // Before whatever asks it, so that it outlives that.
  const auto agent = TRY(start_agent(config, model.get(), /*coordinates=*/true, stop, {}, gathered.get()));
  gateway::GatewayOptions options = gateway_options(config, facts);
  // Without chunks to go on from, turns would save nothing. The store's own folder has nothing but chunks.
  if (!store_directory.empty()) options.turns_file = store_directory.string() + ".turns.db";
  return answer_until_stopped(config, seal, {*model, std::move(format), std::move(options), agent.get()},
                              std::move(listener), stop);
}

// Whose requests have no other place than the model that is not there.
std::string classes_without_answer(const route::RouteTable& table) {
  std::string out;
  for (const route::ClassRule& rule : table.classes) {
    const bool may_be_here = rule.policy == route::Policy::local || rule.policy == route::Policy::verdict;
    if (!may_be_here || rule.local != route::local_target) continue;
    out += (out.empty() ? "" : ", ") + rule.name + (rule.policy == route::Policy::verdict ? " (while its verdict stands)" : "");
  }
  return out.empty() ? "none" : out;
}

// Every request goes to an upstream, or hears that there is no model.
Result<> serve_routes(const ServeConfig& config, ServeSeal& seal, net::Listener listener, const StopToken& stop) {
  if (config.cluster) return fail(Code::invalid_argument, "no model: a machine without one takes part in a cluster by hearth node");
  std::fprintf(stderr, "hearth: no model is served here. Requests go to the upstreams; these classes are told to wait: %s. So is work whose "
                       "label keeps it here.\n", classes_without_answer(config.routes).c_str());
  gateway::NoModel model;
  gateway::GatewayOptions options = gateway_options(config, {});
  options.has_model = false;
  for (const upstream::EndpointSpec& spec : config.upstreams) {
    options.other_models.push_back(spec.model.empty() || spec.model == "*" ? spec.name : spec.model);
  }
  return answer_until_stopped(config, seal, {model, TRY(chat::make_format("chatml")), std::move(options)}, std::move(listener), stop);
}

Result<> serve(const ServeFlags& flags, const StopToken& stop) {
  const ServeConfig config = TRY(resolve_serve_flags(flags));
  if (config.model.empty() && config.upstreams.empty()) {
    return fail(Code::invalid_argument, "no model: give --model FILE, or model = \"FILE\" in [serve] of hearth.toml, or upstreams to route to; a "
                                        "machine that only lends runs hearth node --lend");
  }
  start_log("serve", log_level_of(config));
  // Taken before the model is loaded: a port in use is told at once.
  auto listener = TRY(net::Listener::listen(
      net::Address::tcp(config.host, static_cast<std::uint16_t>(config.port))));
  const auto seal = TRY(ServeSeal::open(config));
  TRY(seal->prove(config, stop));
  if (config.model.empty()) return serve_routes(config, *seal, std::move(listener), stop);
  return serve_model(config, flags.verbose, *seal, std::move(listener), stop);
}

}  // namespace

Verb serve_verb(StopToken stop) {
  const auto flags = std::make_shared<ServeFlags>();  // shared by declare and run
  return {.name = "serve",
          .summary = "answer over the Anthropic and OpenAI APIs from a model on this machine",
          .example = "hearth serve --model kimi.gguf --context 131072",
          .declare =
              [flags](Flags& f) {
                flags->needs_model = false;  // it may only route
                declare_serve_flags(f, *flags);
                f.toggle("--no-store", flags->no_store, "keep no KV on disk");
                f.toggle("--cluster", flags->cluster, "take part in the cluster of hearth cluster init or hearth node join");
              },
          .run =
              [flags, stop] {
                const auto done = serve(*flags, stop);
                return done ? exit_done : report(done.error());
              }};
}

}  // namespace hearth::cli
