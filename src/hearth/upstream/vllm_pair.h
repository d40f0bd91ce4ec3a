#pragma once
// The two calls to a pair of vLLM servers with NixlConnector in pull mode: the first reads the prompt on
// one server, whose reply holds a ticket; the second, with the ticket byte for byte, has the answer
// written by the other, which fetches the KV itself. Sources: docs/upstreams.md. Private to upstream.

#include "hearth/upstream/exchange.h"

namespace hearth::upstream {

// The body of the first call: the same, not streamed, one token, without what only the second needs.
std::string prefill_body(const WireCall& call);
// What came of it. A ticket is used once: each try asks for its own.
struct PrefillReply {
  std::string ticket;  // empty: none; the second server does everything
  std::optional<std::uint32_t> cached_tokens;
};
PrefillReply read_prefill_reply(std::string_view body);
// The prefill server refuses the request itself; anything else falls back to the second server.
bool is_the_requests_fault(int status);

ExchangePlan plan_vllm_pair(EndpointSpec spec, std::string key, net::HttpClient& http,
                            const chat::ChatRequest& request, std::uint64_t seed);

}  // namespace hearth::upstream
