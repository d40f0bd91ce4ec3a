#pragma once
// A cluster on disk for tests: its authority's folder, and a server on loopback in front of it.

#include <atomic>

#include "hearth/net/test_server.h"
#include "hearth/node/membership/membership_client.h"
#include "hearth/node/membership/membership_routes.h"

namespace hearth::node {

using net::soon;
using net::take;

// A wall clock that tests move by hand.
struct TestTime {
  std::shared_ptr<std::atomic<std::int64_t>> ahead_s = std::make_shared<std::atomic<std::int64_t>>(0);
  WallClock clock() const {
    return [ahead = ahead_s] { return system_time() + std::chrono::seconds(*ahead); };
  }
  void advance(std::chrono::seconds by) { *ahead_s += by.count(); }
};

struct TestCluster {
  TestCluster() : home(take(TemporaryDirectory::create("hearth-cluster"))) {
    EXPECT_TRUE(make_cluster(directory(), {"home", "studio", ""}, system_time()));
    membership = take(ClusterMembership::open(directory(), time.clock()));
    net::Router router;
    add_membership_routes(router, membership);
    router.add("GET", "/secret", [](net::Request&, const net::PathParams&) -> Result<net::Response> {
      return net::Response::text(200, "for members");
    });
    net::HttpServerOptions options;
    options.tls = make_cluster_server_tls(membership);
    server = take(net::HttpServer::start(take(net::Listener::listen(net::Address::tcp("127.0.0.1", 0))),
                                         std::move(router), std::move(options)));
  }
  std::filesystem::path directory() const { return home.path() / "studio"; }
  std::string address() const { return server->address().text(); }
  JoinCode invite(std::string machine = "", std::uint32_t minutes = 10) const {
    return take(invite_machine(directory(), {std::move(machine), minutes, address()}, membership->now()));
  }
  Result<MemberList> join(const JoinCode& code, const std::string& name) const {
    return join_cluster(code, {home.path() / name, name, "host", ""}, soon(), {});
  }
  net::ClientRequest request(std::string target) const {
    net::ClientRequest out = net::request_to(server->address(), "GET", std::move(target));
    out.address.tls = true;
    out.expected_machine = "studio";
    return out;
  }

  TestTime time;
  TemporaryDirectory home;
  std::shared_ptr<ClusterMembership> membership;
  std::unique_ptr<net::HttpServer> server;
};

}  // namespace hearth::node
