#pragma once
// One connection's conversation: read a request, run its handler, write the answer, again. Knows a
// Stream, not a socket, so tests and the fuzzer run it over memory. Private to net.

#include "hearth/base/stop.h"
#include "hearth/net/http_router.h"
#include "hearth/net/http_server.h"
#include "hearth/net/peer_watcher.h"
#include "hearth/net/stream.h"

namespace hearth::net {

struct ConnectionContext {
  const Router& router;
  const HttpServerOptions& options;
  PeerWatcher* watcher = nullptr;  // nullptr: a client that leaves is noticed between pieces only
  StopToken server_stop;
};

// Until the client closes, an error ends it, or the server stops. The stream stays open.
void serve_connection(Stream& stream, const ConnectionContext& context);

// Says "nothing more from me" and throws away what still comes, for a second at most: closing at
// once would reset the connection, and the peer might never read our last words.
void linger(Stream& stream);

// An answer for a client that gets no connection.
void refuse_connection(Stream& stream, const ConnectionContext& context);

}  // namespace hearth::net
