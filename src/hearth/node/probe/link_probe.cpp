#include "hearth/node/probe/link_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>
#include <vector>

#include "hearth/base/places.h"
#include "hearth/net/http_error.h"

namespace hearth::node {
namespace {

constexpr const char* link_path = "/v1/link";
constexpr const char* bytes_type = "application/octet-stream";
constexpr double bytes_per_gb = 1e9;
// Of the first transfer, which tells how large the others are to be; and at least of each.
constexpr std::uint64_t first_bytes = 1u << 20;
// Round trips are short and scatter more than transfers do.
constexpr std::uint32_t round_trips_per_repetition = 4;
constexpr Duration stall_time_max = std::chrono::seconds(5);
// At the end that is asked: what all of them together may hold is this many bodies.
constexpr int transfers_max = 4;
constexpr int no_route_status = 404;

Instant now() { return std::chrono::steady_clock::now(); }

// Room for one transfer, which ends with what is returned.
Result<std::shared_ptr<void>> take_place(const Places& places) {
  if (auto place = places.take()) return place;
  return fail(Code::resource_exhausted, "other links are being measured to this machine; try again shortly");
}

Result<std::uint64_t> byte_count(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > link_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("'{}' is not a number of bytes up to {}", text, link_bytes_max));
  }
  return value;
}

struct Zeros {
  Bytes bytes;
  std::shared_ptr<void> place;
};

net::Response zeros(std::uint64_t count, std::shared_ptr<void> place) {
  const auto owner = std::make_shared<const Zeros>(Zeros{.bytes = Bytes(count), .place = std::move(place)});
  net::Response out;
  out.headers.set("Content-Type", bytes_type);
  out.body = net::SharedBody{.owner = owner, .bytes = ByteSpan(owner->bytes)};
  return out;
}

class Meter {
 public:
  Meter(net::HttpClient& http, const LinkEnd& end, const LinkProbeOptions& options, const StopToken& stop)
      : http_(http), end_(end), options_(options), stop_(stop), deadline_(Deadline::after(options.time_max)) {}

  Result<LinkProbe> run() {
    LinkProbe out{.machine = end_.machine};
    TRY(get_s(1));  // shakes hands
    std::vector<double> trips_ms;
    for (std::uint32_t i = 0; i < options_.repetitions * round_trips_per_repetition; ++i) {
      const double trip_s = TRY(get_s(1));
      trips_ms.push_back(trip_s * 1e3);
    }
    out.round_trip_ms = summarise(std::move(trips_ms));
    round_trip_s_ = out.round_trip_ms.median / 1e3;
    out.there_gb_s = TRY(rate([this](std::uint64_t bytes) { return put_s(bytes); }));
    out.back_gb_s = TRY(rate([this](std::uint64_t bytes) { return get_s(bytes); }));
    return out;
  }

 private:
  template <class Transfer>
  Result<Measured> rate(Transfer transfer_s) {
    const double first_s = TRY(transfer_s(first_bytes));
    const std::uint64_t bytes = sample_bytes(transfer_gb_s(first_bytes, first_s, round_trip_s_), options_.sample_time);
    std::vector<double> rates;
    for (std::uint32_t i = 0; i < options_.repetitions; ++i) {
      const double elapsed_s = TRY(transfer_s(bytes));
      rates.push_back(transfer_gb_s(bytes, elapsed_s, round_trip_s_));
    }
    return summarise(std::move(rates));
  }

  Result<double> get_s(std::uint64_t bytes) {
    const auto asked = request("GET", fmt::format("{}/{}", link_path, bytes));
    const Instant began = now();
    const auto reply = TRY(send(asked));
    const double elapsed_s = seconds(now() - began);
    if (reply.body.size() != bytes) {
      return fail(Code::corrupt, fmt::format("{} sent {} bytes, {} were asked for", end_.machine, reply.body.size(),
                                             bytes));
    }
    return elapsed_s;
  }

  Result<double> put_s(std::uint64_t bytes) {
    if (body_.size() < bytes) body_.resize(bytes);
    auto sent = request("PUT", link_path);
    sent.body = {ByteSpan(body_).first(bytes)};
    sent.headers.add("Content-Type", bytes_type);
    const Instant began = now();
    TRY(send(sent));
    return seconds(now() - began);
  }

  net::ClientRequest request(std::string method, std::string target) const {
    net::ClientRequest out{.method = std::move(method), .address = end_.address, .target = std::move(target)};
    out.stall_time_max = stall_time_max;
    if (end_.address.tls) out.expected_machine = end_.machine;
    return out;
  }

  Result<net::ClientReply> send(const net::ClientRequest& request) {
    auto reply = TRY(http_.send(request, deadline_, stop_));
    if (reply.status == no_route_status) {
      return fail(Code::unsupported, end_.machine + " runs an earlier version of Hearth, to which links cannot be "
                                                    "measured; update it");
    }
    if (reply.status >= 400) {
      return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), end_.machine));
    }
    return reply;
  }

  net::HttpClient& http_;
  const LinkEnd& end_;
  const LinkProbeOptions& options_;
  const StopToken& stop_;
  const Deadline deadline_;
  double round_trip_s_ = 0;
  Bytes body_;  // what is sent
};

}  // namespace

void add_link_routes(net::Router& router, std::function<Result<>(const net::Request&)> admit) {
  const Places places(transfers_max);
  router.add("GET", "/v1/link/{bytes}",
             [admit, places](net::Request& request, const net::PathParams& params) -> Result<net::Response> {
               TRY(admit(request));
               const std::uint64_t count = TRY(byte_count(params["bytes"]));
               auto place = TRY(take_place(places));
               return zeros(count, std::move(place));
             });
  const net::RouteOptions body{
      .body_bytes_max = link_bytes_max,
      .admit = [admit, places](const net::Request& request, std::uint64_t,
                              const net::PathParams&) -> Result<net::Admitted> {
        TRY(admit(request));
        auto place = TRY(take_place(places));
        return net::Admitted(std::move(place));
      }};
  router.add("PUT", link_path,
             [admit](net::Request& request, const net::PathParams&) -> Result<net::Response> {
               TRY(admit(request));
               return net::Response::json(200, Json::object({{"bytes", request.body.size()}}));
             },
             body);
}

double transfer_gb_s(std::uint64_t bytes, double elapsed_s, double round_trip_s) {
  // Where the round trip is most of it, one that took longer than the others would say anything.
  const double moving_s = std::max({elapsed_s - round_trip_s, elapsed_s / 2, 1e-9});
  return static_cast<double>(bytes) / moving_s / bytes_per_gb;
}

std::uint64_t sample_bytes(double gb_s, Duration time) {
  const double wanted = gb_s * bytes_per_gb * seconds(time);
  return static_cast<std::uint64_t>(
      std::clamp(wanted, static_cast<double>(first_bytes), static_cast<double>(link_bytes_max)));
}

LinkProbe probe_link(net::HttpClient& http, const LinkEnd& end, const LinkProbeOptions& options,
                     const StopToken& stop) {
  auto probed = Meter(http, end, options, stop).run();
  if (probed) return *std::move(probed);
  return {.machine = end.machine, .trouble = probed.error().message};
}

}  // namespace hearth::node
