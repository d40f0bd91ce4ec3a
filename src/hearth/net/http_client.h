#pragma once
// All HTTP that leaves a process. Three twins: curl (real), in-process (calls a Router) and faulty
// (a decorator with a policy and a seed), see http_client_twins.h.
//
// Thread-safe; each call uses a handle of its own, and connections are kept and reused per peer.
// Replies of any status are successes here: a caller that wants an Error asks error_of_reply.
// Errors name the peer: unavailable (no connection, lost connection, body cut short), timed_out,
// cancelled, resource_exhausted (reply beyond its limit), corrupt (not HTTP), permission (TLS:
// we refuse the peer's certificate, and then no byte of the request goes out, or it refuses ours).
// Redirects are handed back, not followed. No call is repeated by this layer, except by libcurl on
// a kept connection that turns out dead before any reply byte arrived.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/net/address.h"
#include "hearth/net/http_message.h"
#include "hearth/net/tls.h"

namespace hearth::net {

struct ClientRequest {
  std::string method = "GET";
  Address address;
  std::string target = "/";  // path and query, already percent-encoded
  Headers headers;
  // Sent one after another, without being gathered first. The bytes stay valid until send()
  // returns, or until the ResponseStream is gone.
  std::vector<ByteSpan> body;
  std::uint64_t reply_bytes_max = 64u << 20;  // send() only
  Duration connect_time_max = std::chrono::seconds(5);
  // While a call or a read waits and no byte moves in either direction for so long, it ends with
  // timed_out: a dead link is found without a deadline for the whole. Zero: never.
  Duration stall_time_max{};
  // With CurlClientOptions::tls, for an https address: the machine whose certificate must be
  // shown there. The address is only the way to it.
  std::string expected_machine;
};

struct ClientReply {
  int status = 0;
  Headers headers;
  Buffer body;
  std::string_view body_text() const { return as_text(body.span()); }
};

// A reply whose body is pulled. One thread uses it; dropping it closes the connection unless the
// body was read to its end. At most stream_buffer_bytes wait in it: a slow reader slows the sender.
inline constexpr std::size_t stream_buffer_bytes = 256 * 1024;

class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  // What has arrived, waiting until something has; valid until the next call. Empty: the body is
  // complete. A body that was cut is an Error, never an early end. After timed_out one may call
  // again; after another error the stream is over.
  virtual Result<ByteSpan> read(Deadline deadline) = 0;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual Result<ClientReply> send(const ClientRequest& request, Deadline deadline,
                                   const StopToken& stop) = 0;
  // Returns when the head of the reply is there. `stop` stays in force for the stream's reads.
  virtual Result<std::unique_ptr<ResponseStream>> open_stream(const ClientRequest& request,
                                                              Deadline head_deadline,
                                                              const StopToken& stop) = 0;
};

struct CurlClientOptions {
  std::size_t idle_handles_max = 32;  // kept with their connections, over all peers
  std::string user_agent = "hearth";
  // What this client shows to https addresses, and whom it trusts there: then TLS 1.3 only, and
  // each such request names its machine. Without it, https means the web's certificates.
  std::shared_ptr<TlsCredentials> tls;
  // With it: asked in each handshake about the machine that answers, before it gets a byte of a request. Empty:
  // everybody whom the authority signed.
  AdmitPeer admit;
};

std::unique_ptr<HttpClient> make_curl_client(CurlClientOptions options = {});

}  // namespace hearth::net
