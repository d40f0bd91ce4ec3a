// The real program makes a cluster, invites, joins, rotates and removes, against a server of this
// test on loopback.
#include <gtest/gtest.h>

#include "hearth/base/child_process.h"
#include "hearth/net/test_server.h"
#include "hearth/node/membership/membership_routes.h"

namespace hearth::node {
namespace {

using net::soon;
using net::take;

struct Ended {
  int code = -1;
  std::string output;
  Json json() const { return take(parse_json(output)); }
};

Ended hearth(std::vector<std::string> arguments) {
  Ended out;
  auto child = take(ChildProcess::start(HEARTH_EXECUTABLE, std::move(arguments)));
  for (;;) {
    const auto piece = child.read_output(soon(), {});
    if (!piece || piece->empty()) break;
    out.output += as_text(*piece);
  }
  out.code = child.wait();
  return out;
}

struct Server {
  explicit Server(const std::filesystem::path& directory) {
    auto membership = take(ClusterMembership::open(directory));
    net::Router router;
    add_membership_routes(router, membership);
    net::HttpServerOptions options;
    options.tls = make_cluster_server_tls(membership);
    server = take(net::HttpServer::start(
        take(net::Listener::listen(net::Address::tcp("127.0.0.1", 0))), std::move(router), options));
  }
  std::string address() const { return server->address().text(); }
  std::unique_ptr<net::HttpServer> server;
};

TEST(JoinEndToEnd, MakeInviteJoinRotateRemove) {
  const auto home = take(TemporaryDirectory::create("hearth-join"));
  const auto folder = [&](const char* name) { return (home.path() / name).string(); };
  const std::string studio = folder("studio");
  ASSERT_EQ(hearth({"cluster", "init", "--name", "studio", "--dir", studio, "--json"}).code, 0);
  const Server server(studio);

  const Ended invited =
      hearth({"cluster", "invite", "--dir", studio, "--address", server.address(), "--json"});
  ASSERT_EQ(invited.code, 0);
  const std::string code = take(get<std::string>(invited.json(), "code"));
  const std::string spark = folder("spark");
  const Ended joined = hearth({"node", "join", code, "--name", "spark-1", "--dir", spark, "--json"});
  ASSERT_EQ(joined.code, 0) << joined.output;
  EXPECT_EQ(take(get<std::string>(joined.json(), "machine")), "spark-1");

  // Once only, and the second time nothing is written.
  EXPECT_EQ(hearth({"node", "join", code, "--name", "late", "--dir", folder("late")}).code, 3);
  EXPECT_FALSE(std::filesystem::exists(folder("late")));

  for (const std::string& directory : {studio, spark}) {
    const Ended listed = hearth({"cluster", "ls", "--dir", directory, "--json"});
    ASSERT_EQ(listed.code, 0);
    EXPECT_EQ(listed.json().find("members")->as_array().size(), 2u);
  }

  const Ended rotated =
      hearth({"node", "rotate", "--dir", spark, "--address", server.address(), "--json"});
  ASSERT_EQ(rotated.code, 0) << rotated.output;
  EXPECT_EQ(take(get<std::int64_t>(rotated.json(), "serial")), 4);

  EXPECT_EQ(hearth({"cluster", "remove", "spark-1", "--dir", spark}).code, 2);  // not its to do
  EXPECT_EQ(hearth({"cluster", "remove", "spark-1", "--dir", studio, "--json"}).code, 0);
  EXPECT_EQ(hearth({"node", "rotate", "--dir", spark, "--address", server.address()}).code, 3);
}

}  // namespace
}  // namespace hearth::node
