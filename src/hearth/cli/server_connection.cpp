#include "hearth/cli/server_connection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "hearth/cli/environment.h"
#include "hearth/net/url.h"
#include "hearth/session/header_client.h"

namespace hearth::cli {
namespace {

constexpr Duration look_time = std::chrono::seconds(10);

// Work that must stay in the house goes nowhere by mistake.
Result<> check_server(const std::string& server, const std::string& label) {
  const net::Url url = TRY(net::parse_url(server));
  if (label == "open" || url.address.is_local()) return {};
  return fail(Code::permission, fmt::format("a session with label {} talks to a hearth serve on this machine, not to {}; that one "
                                            "knows the machines of the house", label, server));
}

Result<std::unique_ptr<upstream::Endpoint>> endpoint_at(const std::string& server, net::HttpClient& http) {
  upstream::EndpointSpec spec;
  spec.name = "hearth";
  spec.kind = upstream::Kind::hearth;
  spec.url = server;
  spec.reach = seal::Reach::cluster;
  return upstream::make_endpoint(std::move(spec), api_key_variable(), http);
}

// The first is the model as it is; an adapter's name stands behind it.
Result<std::string> model_of(const std::vector<std::string>& models, const std::string& adapter) {
  const std::string bare = models.empty() ? std::string() : models.front();
  if (adapter.empty()) return bare;
  const std::string wished = fmt::format("{}+{}", bare, adapter);
  if (std::ranges::find(models, wished) != models.end()) return wished;
  return fail(Code::invalid_argument, fmt::format("the server has no adapter '{}'; it serves {}. Start it with hearth serve --lora "
                                                  "{}=FILE", adapter, fmt::join(models, ", "), adapter));
}

}  // namespace

Result<ServerConnection> ServerConnection::open(const ServerWish& wish, const StopToken& stop) {
  ServerConnection out;
  if (!wish.model.empty()) out.own = TRY(OwnServer::start(wish.model, wish.serve_flags, stop));
  out.server = out.own ? out.own->url() : wish.server;
  TRY(check_server(out.server, wish.label));
  out.http = net::make_curl_client();
  net::Headers headers{{"X-Hearth-Label", wish.label}};
  if (!wish.session.empty()) headers.set("X-Hearth-Session", wish.session);
  out.as_session = std::make_unique<session::HeaderClient>(*out.http, headers);
  if (!wish.pin_owner.empty()) headers.set("X-Hearth-Pin", wish.pin_owner);
  out.as_owner = std::make_unique<session::HeaderClient>(*out.http, std::move(headers));
  out.answers = TRY(endpoint_at(out.server, *out.as_session));
  out.pinned = TRY(endpoint_at(out.server, *out.as_owner));
  const upstream::EndpointState state = out.answers->look(Deadline::after(look_time), stop);
  if (!state.alive) {
    return fail(Code::unavailable, fmt::format("no server at {}; start one with hearth serve --model FILE, name another with "
                                               "--server URL, or give --model FILE here", out.server));
  }
  if (state.models.empty() && !state.findings.empty()) {
    return fail(Code::permission, fmt::format("{}: {} (HEARTH_API_KEY)", out.server, state.findings.front()));
  }
  out.model = TRY(model_of(state.models, wish.adapter));
  out.window_tokens = state.context_tokens.value_or(0);
  return out;
}

}  // namespace hearth::cli
