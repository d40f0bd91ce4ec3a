#pragma once
// HttpClient without a network: for tests and for one-process set-ups.

#include <cstdint>
#include <memory>
#include <optional>

#include "hearth/net/http_client.h"
#include "hearth/net/http_router.h"

namespace hearth::net {

// Calls the router on the caller's thread. Addresses are ignored; body limits are not applied.
// `router` outlives the client and its streams. `as` is who the handlers see.
std::unique_ptr<HttpClient> make_router_client(const Router& router,
                                               std::optional<PeerIdentity> as = {});

struct FaultPolicy {
  std::uint64_t seed = 1;
  // Chances per call, tried in this order; at most one strikes.
  double lose_request = 0;  // never reaches the peer: unavailable
  double lose_reply = 0;    // the peer has acted, the caller learns nothing: unavailable
  double cut_body = 0;      // part of the reply's body, then unavailable
  double duplicate = 0;     // the peer sees the request twice; the second reply is given
  // Fails exactly this call (1 = the first) as lose_request; 0: none. For "fail the Nth call".
  std::uint64_t fail_call = 0;
  // Waits a random time up to this before each call (the deadline and the token are respected).
  Duration delay_max{0};
};

class FaultyHttpClient final : public HttpClient {
 public:
  // `inner` outlives this.
  FaultyHttpClient(HttpClient& inner, FaultPolicy policy);
  ~FaultyHttpClient() override;
  Result<ClientReply> send(const ClientRequest&, Deadline, const StopToken&) override;
  Result<std::unique_ptr<ResponseStream>> open_stream(const ClientRequest&, Deadline,
                                                      const StopToken&) override;
  std::uint64_t call_count() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::net
