#include "hearth/net/http_router.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "hearth/base/check.h"
#include "hearth/base/log.h"
#include "hearth/net/http_error.h"

namespace hearth::net {
namespace {

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> out;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (;;) {
    const auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == path.npos) return out;
    path.remove_prefix(slash + 1);
  }
}

bool is_name(std::string_view segment) { return segment.starts_with('{'); }
bool is_rest(std::string_view segment) { return segment.ends_with("*}"); }
std::string name_of(std::string_view segment) {
  return std::string(segment.substr(1, segment.size() - (is_rest(segment) ? 3 : 2)));
}

// Smaller is more specific, compared segment by segment: literal, name, rest.
std::vector<int> specificity(const Route& route) {
  std::vector<int> out;
  for (const auto& segment : route.segments) {
    out.push_back(is_rest(segment) ? 2 : is_name(segment) ? 1 : 0);
  }
  return out;
}

// Nothing when the path does not fit (a broken escape fits nowhere).
std::optional<PathParams> fit(const Route& route, std::string_view path,
                              const std::vector<std::string_view>& segments) {
  PathParams params;
  for (std::size_t i = 0; i < route.segments.size(); ++i) {
    const std::string& wanted = route.segments[i];
    if (i >= segments.size()) return {};
    std::string_view taken = segments[i];
    const bool rest = is_rest(wanted);
    if (rest) {
      const auto start = static_cast<std::size_t>(taken.data() - path.data());
      taken = path.substr(start);
    }
    if (!is_name(wanted)) {
      if (taken != wanted) return {};
      continue;
    }
    auto value = percent_decode(taken);
    if (!value || (value->empty() && !rest)) return {};
    params.add(name_of(wanted), *std::move(value));
    if (rest) return params;
  }
  if (segments.size() != route.segments.size()) return {};
  return params;
}

bool serves(const Route& route, std::string_view method) {
  return route.method == method || (method == "HEAD" && route.method == "GET");
}

}  // namespace

const std::string& PathParams::operator[](std::string_view name) const {
  const auto found = std::ranges::find(values_, name, &std::pair<std::string, std::string>::first);
  CHECK(found != values_.end());
  return found->second;
}

void Router::add(std::string method, std::string_view pattern, Handler handler,
                 RouteOptions options) {
  CHECK(pattern.starts_with('/'));
  Route route{std::move(method), {}, std::move(handler), options};
  for (const auto segment : split_path(pattern)) route.segments.emplace_back(segment);
  routes_.push_back(std::move(route));
  std::ranges::stable_sort(routes_, {}, specificity);
}

RouteMatch Router::match(std::string_view method, std::string_view path) const {
  RouteMatch out;
  const auto segments = split_path(path);
  std::vector<std::string> allowed;
  for (const Route& route : routes_) {
    auto params = fit(route, path, segments);
    if (!params) continue;
    if (serves(route, method)) {
      out.route = &route;
      out.params = *std::move(params);
      out.allow.clear();
      return out;
    }
    allowed.push_back(route.method);
    if (route.method == "GET") allowed.emplace_back("HEAD");
  }
  // OPTIONS is answered for whole trees: alone it does not say that something is there.
  if (std::ranges::all_of(allowed, [](const auto& each) { return each == "OPTIONS"; })) allowed.clear();
  std::ranges::sort(allowed);
  const auto repeated = std::ranges::unique(allowed);
  allowed.erase(repeated.begin(), repeated.end());
  out.allow = fmt::format("{}", fmt::join(allowed, ", "));
  return out;
}

Result<Response> call_route(const RouteMatch& match, Request& request) {
  CHECK(match.route != nullptr);
  try {
    return match.route->handler(request, match.params);
  } catch (const std::exception& error) {  // nothing of ours throws, but libraries may
    log_error(
        fmt::format("{} {}: a library threw: {}", request.method, request.path, error.what()));
    return fail(Code::internal, "an internal error; the log of this process says more");
  }
}

Response Router::dispatch(Request& request) const {
  const RouteMatch found = match(request.method, request.path);
  if (found.route == nullptr) return no_route_response(found, request);
  if (const Admit& admit = found.route->options.admit) {
    auto admitted = admit(request, request.body.size(), found.params);
    if (!admitted) return error_response(admitted.error());
    if (auto* answer = std::get_if<Response>(&*admitted)) return std::move(*answer);
    if (auto* away = std::get_if<TurnedAway>(&*admitted)) return std::move(away->response);
    request.admission = std::get<std::shared_ptr<void>>(*std::move(admitted));
  }
  auto response = call_route(found, request);
  return response ? *std::move(response) : error_response(response.error());
}

NoRoute no_route(const RouteMatch& match, const Request& request) {
  if (match.allow.empty()) {
    return {404, {Code::not_found, fmt::format("nothing is served at {}", request.path)}};
  }
  return {405,
          {Code::unsupported, fmt::format("{} does not allow {}; allowed: {}", request.path,
                                          request.method, match.allow)}};
}

Response no_route_response(const RouteMatch& match, const Request& request) {
  const NoRoute why = no_route(match, request);
  Response out = error_response(why.status, why.error);
  if (!match.allow.empty()) out.headers.set("Allow", match.allow);
  return out;
}

}  // namespace hearth::net
