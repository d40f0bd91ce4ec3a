#pragma once
// The one place where our error codes meet HTTP status numbers, in both directions.
// Between our own processes an error travels as {"error":{"code":"not_found","message":"..."}}.

#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"
#include "hearth/net/http_message.h"

namespace hearth::net {

// invalid_argument 400, permission 403, not_found 404, corrupt 422, internal 500, unsupported 501,
// cancelled, unavailable and resource_exhausted 503, timed_out 504.
int status_of(Code code);
// The JSON body above; 503 also says Retry-After.
Response error_response(int status, const Error& error);
inline Response error_response(const Error& error) {
  return error_response(status_of(error.code), error);
}

// The Error a reply with status >= 400 stands for: the code named in the body if it is one of
// ours, otherwise the nearest to the status. The message starts with `peer`.
Error error_of_reply(int status, ByteSpan body, std::string_view peer);

}  // namespace hearth::net
