#pragma once
// Response to bytes on a stream. Private to net.

#include "hearth/base/stop.h"
#include "hearth/net/http_message.h"
#include "hearth/net/http_server.h"
#include "hearth/net/stream.h"

namespace hearth::net {

struct WriteMode {
  bool head_only = false;   // HEAD
  bool keep_alive = false;
  bool http_1_0 = false;    // no chunks: the end of the connection ends a stream
};

// How long a transfer of `bytes` may take.
Deadline transfer_deadline(const HttpServerOptions& options, std::uint64_t bytes);

// Sends all of it. False when the connection cannot be used again: the peer is gone, the body
// failed in the middle, `stop` fired, or its end marks the body's.
bool write_response(Stream& stream, Response& response, WriteMode mode,
                    const HttpServerOptions& options, StopSource& request_stop);

}  // namespace hearth::net
