#pragma once
// The way of a sealed client to the gateway: every request goes on as it came, but labelled sealed,
// whatever its client says of it and whatever key it shows. So what a client does under its own name, and
// what it is talked into, stays in the house alike.

#include <memory>

#include "hearth/net/http_client.h"
#include "hearth/net/http_router.h"

namespace hearth::cli {

inline constexpr std::uint64_t relayed_body_bytes_max = 1u << 30;  // the gateway has a limit of its own

// `http` outlives the router.
net::Router sealing_relay(net::Address gateway, net::HttpClient& http);

}  // namespace hearth::cli
