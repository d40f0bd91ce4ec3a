#include "hearth/node/probe/link_probe.h"

#include <gtest/gtest.h>

#include "hearth/net/http_client_twins.h"

namespace hearth::node {
namespace {

const LinkEnd spark{.machine = "spark", .address = net::Address::tcp("127.0.0.1", 1)};
constexpr LinkProbeOptions quick{.repetitions = 2, .sample_time = std::chrono::milliseconds(1)};

net::Router link_routes(Result<> admitted) {
  net::Router router;
  add_link_routes(router, [admitted](const net::Request&) { return admitted; });
  return router;
}

TEST(LinkProbe, MeasuresBothWaysAndTheRoundTrip) {
  const net::Router router = link_routes({});
  const auto http = net::make_router_client(router);
  const LinkProbe probe = probe_link(*http, spark, quick, {});
  EXPECT_EQ(probe.machine, "spark");
  EXPECT_EQ(probe.trouble, "");
  EXPECT_GT(probe.there_gb_s.median, 0);
  EXPECT_EQ(probe.there_gb_s.samples, 2u);
  EXPECT_GT(probe.back_gb_s.median, 0);
  EXPECT_EQ(probe.back_gb_s.samples, 2u);
  EXPECT_GT(probe.round_trip_ms.median, 0);
}

TEST(LinkProbe, WhyNothingWasMeasuredIsTold) {
  const net::Router earlier;
  const auto to_earlier = net::make_router_client(earlier);
  EXPECT_NE(probe_link(*to_earlier, spark, quick, {}).trouble.find("earlier version"), std::string::npos);
  const net::Router closed = link_routes(fail(Code::permission, "only machines of the cluster may ask this"));
  const auto to_closed = net::make_router_client(closed);
  const LinkProbe refused = probe_link(*to_closed, spark, quick, {});
  EXPECT_EQ(refused.machine, "spark");
  EXPECT_NE(refused.trouble.find("only machines of the cluster"), std::string::npos) << refused.trouble;
  StopSource stop;
  stop.request_stop();
  const net::Router router = link_routes({});
  const auto http = net::make_router_client(router);
  EXPECT_FALSE(probe_link(*http, spark, quick, stop.token()).trouble.empty());
}

TEST(LinkProbe, NobodyIsGivenMoreThanATransferMayHave) {
  const net::Router router = link_routes({});
  const auto http = net::make_router_client(router);
  const auto status_of_asking = [&](const std::string& bytes) {
    return http->send({.target = "/v1/link/" + bytes}, Deadline::after(std::chrono::seconds(20)), {}).value().status;
  };
  EXPECT_EQ(status_of_asking("1000"), 200);
  for (const std::string& bad : {std::to_string(link_bytes_max + 1), std::string("-1"), std::string("1k"),
                                 std::string("99999999999999999999")}) {
    EXPECT_EQ(status_of_asking(bad), 400) << bad;
  }
}

TEST(LinkProbe, TheRoundTripIsNotPartOfTheRate) {
  EXPECT_DOUBLE_EQ(transfer_gb_s(1'000'000'000, 1.5, 0.5), 1);
  EXPECT_DOUBLE_EQ(transfer_gb_s(1'000'000'000, 1, 0.9), 2);  // at most half of it is
}

TEST(LinkProbe, ATransferIsAsLargeAsTheLinkIsFast) {
  const Duration quarter = std::chrono::milliseconds(250);
  EXPECT_EQ(sample_bytes(0.04, quarter), 10'000'000u);
  EXPECT_EQ(sample_bytes(100, quarter), link_bytes_max);
  EXPECT_EQ(sample_bytes(0.0001, quarter), 1u << 20);
}

}  // namespace
}  // namespace hearth::node
