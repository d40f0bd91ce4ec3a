#pragma once
// The link to another machine of a cluster, measured from this one in the way that chunks take: HTTP over mutual
// TLS, on one connection. Both ends of it.
//
//   PUT /v1/link           a body that is thrown away -> {bytes}
//   GET /v1/link/{bytes}   so many bytes
//
// Measuring is blocking, seconds each. The routes are thread-safe; how many transfers they take at once is bounded.

#include <cstdint>
#include <functional>
#include <string>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/net/http_client.h"
#include "hearth/net/http_router.h"
#include "hearth/node/probe/spread.h"

namespace hearth::node {

inline constexpr std::uint64_t link_bytes_max = 32ull << 20;  // of one transfer

// `admit` says who may ask; its Error is the answer.
void add_link_routes(net::Router& router, std::function<Result<>(const net::Request&)> admit);

struct LinkEnd {
  std::string machine;
  net::Address address;  // of its agent
};

struct LinkProbeOptions {
  std::uint32_t repetitions = 5;                          // of the transfers, each way
  Duration sample_time = std::chrono::milliseconds(250);  // that one of them shall take
  Duration time_max = std::chrono::minutes(1);            // for all of it
};

struct LinkProbe {
  std::string machine;  // at the other end
  std::string trouble;  // why nothing was measured; empty: it was
  Measured there_gb_s, back_gb_s;  // from here to it, and from it to here
  Measured round_trip_ms;          // of a question and its answer
};

LinkProbe probe_link(net::HttpClient& http, const LinkEnd& end, const LinkProbeOptions& options,
                     const StopToken& stop);

// What a transfer says of the link; a round trip is part of the time it took.
double transfer_gb_s(std::uint64_t bytes, double elapsed_s, double round_trip_s);
// So many bytes take about `time` at this rate; within what one transfer may have.
std::uint64_t sample_bytes(double gb_s, Duration time);

}  // namespace hearth::node
