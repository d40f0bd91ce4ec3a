#pragma once
// What a handler gets and gives. Values without sockets: a handler never sees a connection.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/clock.h"
#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/net/peer_identity.h"

namespace hearth::net {

// Header fields in order of arrival. Names compare without regard to ASCII case; a name may occur
// more than once.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;
  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void add(std::string name, std::string value);
  void set(std::string_view name, std::string value);  // replaces all of that name
  void erase(std::string_view name);
  const std::string* find(std::string_view name) const;  // the first; nullptr when absent
  std::string_view get(std::string_view name, std::string_view fallback = {}) const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  std::size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

bool equals_ignoring_case(std::string_view a, std::string_view b);

struct Request {
  std::string method;  // "GET", as sent
  std::string path;    // still percent-encoded, without the query: "/chunks/ab%20c"
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;
  Buffer body;
  Instant body_began{};  // its first bytes were waited for
  std::string remote;  // Stream::peer() of the connection
  std::optional<PeerIdentity> peer_identity;  // verified; nothing on a plain connection
  std::shared_ptr<void> admission;  // what RouteOptions::admit gave; goes with the body, read or cut
  // Fires within milliseconds when the client has left, and when the server stops. Its callbacks
  // run on the server's watch thread: wake somebody, do no work.
  StopToken stop;

  std::string_view body_text() const { return as_text(body.span()); }
  const std::string* query_value(std::string_view name) const;
};

// The body of a streamed answer. The connection's thread pulls, sends each piece at once, and
// destroys the source when it ends, fails, or the client leaves.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Waits for the next piece, valid until the next call; an empty one ends the body. `stop` is
  // the request's token: return (anything) soon after it fires. An error cuts the connection, so
  // that the client can tell a failed body from a finished one.
  virtual Result<ByteSpan> next(const StopToken& stop) = 0;
};

// Bytes owned by somebody else as well, such as a cached chunk: sent without a copy.
struct SharedBody {
  std::shared_ptr<const void> owner;
  ByteSpan bytes;
};

using Body = std::variant<std::string, Buffer, SharedBody, std::unique_ptr<BodySource>>;

struct Response {
  int status = 200;
  Headers headers;  // Content-Length, Transfer-Encoding and Connection are the server's business
  Body body;

  static Response text(int status, std::string body,
                       std::string content_type = "text/plain; charset=utf-8");
  static Response json(int status, const Json& value);
  static Response bytes(Buffer body, std::string content_type = "application/octet-stream");
  static Response stream(std::unique_ptr<BodySource> source, std::string content_type);
  static Response empty(int status = 204);
};

std::string_view reason_phrase(int status);

// "/a%20b" to "/a b". invalid_argument for a broken escape or a NUL.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// Everything but letters, digits and -._~ becomes %XX: a path segment or a query value.
std::string percent_encode(std::string_view text);
// "a=1&b=x+y" to decoded pairs; at most `pairs_max`.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view text,
                                                                     std::size_t pairs_max = 100);

// Splits a request target into path and decoded query. Takes "/p?q" and "http://host/p?q".
Result<> set_target(Request& request, std::string_view target);

}  // namespace hearth::net
