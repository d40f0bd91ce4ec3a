// hearth egress: the one way out of the house, with the keys of remote upstreams.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/base/hardening.h"
#include "hearth/base/log.h"
#include "hearth/cli/routing_setup.h"
#include "hearth/cli/serve_setup.h"
#include "hearth/cli/verbs.h"
#include "hearth/egress/egress.h"
#include "hearth/net/http_server.h"

namespace hearth::cli {
namespace {

Result<> run_egress(const ServeFlags& flags, const StopToken& stop) {
  TRY(harden_process());  // it holds keys
  const ServeConfig config = TRY(resolve_serve_flags(flags));
  start_log("egress", log_level_of(config));
  const auto http = net::make_curl_client();
  std::vector<egress::EgressUpstream> upstreams;
  for (const upstream::EndpointSpec& spec : config.upstreams) {
    if (spec.reach != seal::Reach::remote) continue;
    std::string key = TRY(read_upstream_key(spec));
    upstreams.push_back({spec, std::move(key)});
  }
  if (upstreams.empty()) return fail(Code::invalid_argument, "no [[upstream]] with reach = \"remote\" is configured: nothing may leave");
  std::string audit_key = TRY(seal::load_or_make_key(TRY(in_config_directory({}, "audit.key"))));
  auto audit = TRY(seal::AuditLog::open(TRY(in_config_directory(config.egress_audit, "audit.log")), audit_key));
  const auto service = TRY(egress::make_egress({.upstreams = std::move(upstreams), .audit = audit,
                                                .audit_key = std::move(audit_key), .http = *http}));
  const auto socket = TRY(in_config_directory(config.egress_socket, "egress.sock"));
  const auto access = config.egress_access == "group" ? net::UnixAccess::group : net::UnixAccess::owner;
  auto listener = TRY(net::Listener::listen(net::Address::unix_socket(socket), access));
  net::HttpServerOptions options;
  options.connections_max = config.connections_max;
  const auto server = TRY(net::HttpServer::start(std::move(listener), service->routes(), std::move(options)));
  std::printf("ready %s\n", server->address().text().c_str());
  std::fflush(stdout);
  wait_until_stopped(stop);
  server->stop();
  return {};
}

}  // namespace

Verb egress_verb(StopToken stop) {
  const auto flags = std::make_shared<ServeFlags>();  // shared by declare and run
  return {.name = "egress",
          .summary = "the one way out: holds the keys of remote upstreams, lets out what is labelled open, writes the audit log",
          .example = "hearth egress --egress /run/hearth/egress.sock",
          .declare =
              [flags](Flags& f) {
                static constexpr std::string_view sections[] = {"egress", "log"};
                flags->needs_model = false;
                declare_serve_flags(f, *flags, sections);
              },
          .run =
              [flags, stop] {
                const auto done = run_egress(*flags, stop);
                return done ? exit_done : report(done.error());
              }};
}

}  // namespace hearth::cli
