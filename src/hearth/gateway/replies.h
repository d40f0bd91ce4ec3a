#pragma once
// What all responses have in common: ids, errors in the words of a dialect, headers for web pages.
// Private to gateway. Thread-safe.

#include <cstdint>
#include <string>
#include <string_view>

#include "hearth/gateway/access.h"
#include "hearth/gateway/dialect.h"
#include "hearth/net/http_message.h"

namespace hearth::gateway {

std::uint64_t system_random();
std::string new_id();          // 24 letters and digits
std::string new_request_id();  // "req_" and such

// Which of our error kinds a status of the server itself means.
ApiError::Kind kind_of_status(int status);

class Replies {
 public:
  // `access` outlives this.
  explicit Replies(const Access& access) : access_(access) {}

  // `response` as the answer to `request`, which is known as `id`.
  net::Response finish(net::Response response, const net::Request& request,
                       const std::string& id) const;
  net::Response refuse(const Dialect& dialect, const ApiError& error, const net::Request& request,
                       const std::string& id) const;

 private:
  const Access& access_;
};

}  // namespace hearth::gateway
