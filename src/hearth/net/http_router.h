#pragma once
// A route table: method and path pattern to handler. Built once, then only read: const calls are
// thread-safe. Knows no sockets, so tests and in-process clients call it directly.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hearth/net/http_message.h"

namespace hearth::net {

inline constexpr std::uint64_t request_body_bytes_max_default = 8u << 20;

// What `{name}` segments matched, percent-decoded.
class PathParams {
 public:
  void add(std::string name, std::string value) {
    values_.emplace_back(std::move(name), std::move(value));
  }
  // The pattern names it, so it is there: asking for another name is our mistake (CHECK).
  const std::string& operator[](std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// Called by many threads at once. An Error becomes error_response(error).
using Handler = std::function<Result<Response>(Request&, const PathParams&)>;

// The answer at once: a body is never read, and the connection ends where there is one.
struct TurnedAway {
  Response response;
};

// What is known of a request before its body: nothing is read of it yet. An Error ends the connection
// with its response; a Response is the answer, once the body has been read and thrown away; otherwise
// what is given stays in Request::admission.
using Admitted = std::variant<std::shared_ptr<void>, Response, TurnedAway>;
using Admit = std::function<Result<Admitted>(const Request&, std::uint64_t body_bytes, const PathParams&)>;

struct RouteOptions {
  std::uint64_t body_bytes_max = request_body_bytes_max_default;  // 413 beyond it, before reading
  Admit admit = {};
  // A body of a length that is not told is 411 where `admit` is asked; true: it is asked as for the largest.
  bool admits_chunked = false;
};

struct Route {
  std::string method;
  std::vector<std::string> segments;
  Handler handler;
  RouteOptions options;
};

struct RouteMatch {
  const Route* route = nullptr;  // nullptr: 404, or 405 when `allow` is not empty
  PathParams params;
  std::string allow;  // "GET, HEAD, PUT"
};

class Router {
 public:
  // Pattern: "/chunks/{key}"; a last segment "{rest*}" takes all that follows, slashes included.
  // Literal segments win over names, names over a rest. HEAD is answered by GET's handler, its
  // body dropped.
  void add(std::string method, std::string_view pattern, Handler handler,
           RouteOptions options = {});
  RouteMatch match(std::string_view method, std::string_view path) const;
  // match + handler + errors to responses. The body limit is the caller's business.
  Response dispatch(Request& request) const;

 private:
  std::vector<Route> routes_;
};

// The two halves of dispatch, for the server. What a library throws becomes Code::internal.
Result<Response> call_route(const RouteMatch& match, Request& request);
struct NoRoute {
  int status;  // 404 or 405
  Error error;
};
NoRoute no_route(const RouteMatch& match, const Request& request);
Response no_route_response(const RouteMatch& match, const Request& request);

}  // namespace hearth::net
