// Joining, leaving and rotating against a real server: who gets in, once, and who does not any more.
#include "hearth/node/membership/membership.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>

#include "hearth/base/thread.h"
#include "hearth/net/http_client_twins.h"
#include "hearth/net/x509.h"
#include "hearth/node/membership/invites.h"
#include "hearth/node/membership/test_cluster.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

struct JoinedMachine {
  JoinedMachine(const TestCluster& cluster, const std::string& name) : directory(cluster.home.path() / name) {
    EXPECT_TRUE(cluster.join(cluster.invite(), name));
    open();
  }
  void open() {
    membership = take(ClusterMembership::open(directory));
    client = make_cluster_client(membership);
  }
  Result<net::ClientReply> ask(const TestCluster& cluster) const {
    return client->send(cluster.request("/secret"), soon(), {});
  }
  fs::path directory;
  std::shared_ptr<ClusterMembership> membership;
  std::unique_ptr<net::HttpClient> client;
};

TEST(Membership, AJoinedMachineIsServed) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  EXPECT_EQ(take(spark.ask(cluster)).body_text(), "for members");
  EXPECT_EQ(spark.membership->machine(), "spark-1");
  EXPECT_EQ(take(cluster.membership->members())->list.members.size(), 2u);
  EXPECT_EQ(take(spark.membership->members())->text, take(cluster.membership->members())->text);
}

TEST(Membership, PrivateFilesArePrivate) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  for (const fs::path& path : {cluster.directory() / "authority.key.pem", cluster.directory() / "machine.pem",
                               spark.directory / "machine.pem"}) {
    EXPECT_EQ(fs::status(path).permissions() & fs::perms::mask, fs::perms(0600)) << path;
  }
  EXPECT_EQ(fs::status(spark.directory).permissions() & fs::perms::mask, fs::perms(0700));
  fs::permissions(spark.directory / "machine.pem", fs::perms(0644));
  const auto loaded = load_identity(spark.directory);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::permission);
  EXPECT_FALSE(fs::exists(spark.directory / "authority.key.pem"));
}

TEST(Membership, NothingIsOverwritten) {
  const TestCluster cluster;
  const auto again = make_cluster(cluster.directory(), {"other", "studio", ""}, system_time());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::invalid_argument);
  const JoinedMachine spark(cluster, "spark-1");
  const JoinCode code = cluster.invite();
  EXPECT_FALSE(cluster.join(code, "spark-1"));
  EXPECT_TRUE(cluster.join(code, "spark-2"));  // the invite was not used up by the refusal
}

TEST(Membership, AnInviteIsGoodOnce) {
  const TestCluster cluster;
  const JoinCode code = cluster.invite();
  EXPECT_TRUE(cluster.join(code, "one"));
  const auto second = cluster.join(code, "two");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::permission) << second.error().message;
  EXPECT_FALSE(fs::exists(cluster.home.path() / "two"));
}

TEST(Membership, OfManyWhoRaceForAnInviteOneJoins) {
  const TestCluster cluster;
  const JoinCode code = cluster.invite();
  std::atomic<int> joined = 0;
  {
    std::vector<Thread> racers;
    for (int i = 0; i < 6; ++i) {
      racers.emplace_back("racing", [&, i] { joined += cluster.join(code, "m" + std::to_string(i)) ? 1 : 0; });
    }
  }
  EXPECT_EQ(joined, 1);
  EXPECT_EQ(take(cluster.membership->members())->list.members.size(), 2u);
}

TEST(Membership, AnInviteExpires) {
  TestCluster cluster;
  const JoinCode code = cluster.invite("", 10);
  cluster.time.advance(std::chrono::seconds(601));
  const auto late = cluster.join(code, "late");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::permission);
}

TEST(Membership, AnInviteMayBeForOneName) {
  const TestCluster cluster;
  const JoinCode code = cluster.invite("spark-1");
  const auto other = cluster.join(code, "other");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::invalid_argument) << other.error().message;
  EXPECT_TRUE(join_cluster(code, {cluster.home.path() / "x", "", "host", ""}, soon(), {}));
  EXPECT_EQ(take(load_identity(cluster.home.path() / "x")).name, "spark-1");
}

TEST(Membership, ATakenNameIsRefusedAndTheInviteStaysOpen) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  const JoinCode code = cluster.invite();
  const auto twin = join_cluster(code, {cluster.home.path() / "twin", "spark-1", "host", ""}, soon(), {});
  ASSERT_FALSE(twin);
  EXPECT_NE(twin.error().message.find("spark-1"), std::string::npos);
  EXPECT_TRUE(join_cluster(code, {cluster.home.path() / "twin", "spark-2", "host", ""}, soon(), {}));
}

TEST(Membership, WrongCodesGetNothing) {
  const TestCluster cluster;
  const TestCluster other;
  JoinCode secret = cluster.invite();
  secret.secret[0] = secret.secret[0] == '0' ? '1' : '0';
  JoinCode authority = cluster.invite();
  authority.authority_sha256 = other.invite().authority_sha256;
  JoinCode machine = cluster.invite();
  machine.machine = "laptop";
  for (const JoinCode& code : {secret, authority, machine}) {
    const auto joined = cluster.join(code, "spark-1");
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().code, Code::permission) << joined.error().message;
    EXPECT_FALSE(fs::exists(cluster.home.path() / "spark-1"));
  }
}

TEST(Membership, AnInviteLetsInToEnrolmentOnly) {
  const TestCluster cluster;
  const JoinCode code = cluster.invite();
  net::CurlClientOptions options;
  options.tls = take(net::TlsCredentials::create(take(invited_identity(code)),
                                                 take(load_identity(cluster.directory())).authority_pem));
  const auto client = net::make_curl_client(std::move(options));
  for (const char* target : {"/secret", "/v1/members", "/v1/enrol", "/v1/enrol/", "//v1/enrol", "/nothing"}) {
    EXPECT_FALSE(client->send(cluster.request(target), soon(), {})) << target;
  }
}

TEST(Membership, ARemovedMachineIsCutOffAtOnce) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  EXPECT_TRUE(spark.ask(cluster));
  EXPECT_TRUE(remove_machine(cluster.directory(), "spark-1", system_time()));
  EXPECT_FALSE(spark.ask(cluster));  // on the kept connection
  const auto fresh = make_cluster_client(spark.membership)->send(cluster.request("/secret"), soon(), {});
  ASSERT_FALSE(fresh);
  EXPECT_EQ(fresh.error().code, Code::permission);
  EXPECT_FALSE(renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {}));
}

// Whoever holds a copy of a machine's folder answers in its place.
struct Impostor {
  Impostor(const TestCluster& cluster, const fs::path& folder) : directory(cluster.home.path() / "copy") {
    fs::copy(folder, directory, fs::copy_options::recursive);
    net::Router router;
    router.add("GET", "/secret", [](net::Request&, const net::PathParams&) -> Result<net::Response> {
      return net::Response::text(200, "from the copy");
    });
    net::HttpServerOptions options;
    options.tls = make_cluster_server_tls(take(ClusterMembership::open(directory)));
    server = take(net::HttpServer::start(take(net::Listener::listen(net::Address::tcp("127.0.0.1", 0))),
                                         std::move(router), std::move(options)));
  }
  // As the authority's machine asks it, on a connection of its own.
  Result<net::ClientReply> asked_by(const TestCluster& cluster) const {
    net::ClientRequest request = net::request_to(server->address(), "GET", "/secret");
    request.address.tls = true;
    request.expected_machine = "spark-1";
    return make_cluster_client(cluster.membership)->send(request, soon(), {});
  }
  fs::path directory;
  std::unique_ptr<net::HttpServer> server;
};

TEST(Membership, ARemovedMachineIsNotAskedEither) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  const Impostor copy(cluster, spark.directory);
  EXPECT_TRUE(copy.asked_by(cluster)) << "it cannot be told from the machine";
  EXPECT_TRUE(remove_machine(cluster.directory(), "spark-1", system_time()));
  const auto refused = copy.asked_by(cluster);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::permission) << refused.error().message;
}

TEST(Membership, ACertificateThatWasReplacedIsNoGoodForAnsweringEither) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  const Impostor copy(cluster, spark.directory);
  EXPECT_TRUE(renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {}));
  EXPECT_TRUE(copy.asked_by(cluster)) << "good until the next rotation";
  EXPECT_TRUE(renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {}));
  const auto refused = copy.asked_by(cluster);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::permission) << refused.error().message;
}

TEST(Membership, ARemovedNameCanJoinAgain) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  EXPECT_TRUE(remove_machine(cluster.directory(), "spark-1", system_time()));
  fs::rename(spark.directory, cluster.home.path() / "old");
  const JoinedMachine again(cluster, "spark-1");
  EXPECT_TRUE(again.ask(cluster));
  EXPECT_FALSE(spark.ask(cluster));
}

TEST(Membership, TheAuthorityStays) {
  const TestCluster cluster;
  EXPECT_FALSE(remove_machine(cluster.directory(), "studio", system_time()));
  EXPECT_FALSE(remove_machine(cluster.directory(), "nobody", system_time()));
  const JoinedMachine spark(cluster, "spark-1");
  const auto elsewhere = remove_machine(spark.directory, "studio", system_time());
  ASSERT_FALSE(elsewhere);
  EXPECT_NE(elsewhere.error().message.find("'studio'"), std::string::npos) << elsewhere.error().message;
}

TEST(Membership, RotationGivesANewKeyAndLeavesTheOldOneBehind) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  const auto before = spark.membership->certificate();
  const auto old = take(ClusterMembership::open(spark.directory));  // keeps the first certificate
  const auto first = take(renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {}));
  EXPECT_NE(first.public_key_sha256, before.public_key_sha256);
  EXPECT_GT(first.serial, before.serial);
  EXPECT_TRUE(spark.ask(cluster));
  // The one before is good until the next rotation: its owner may not have the new one yet.
  EXPECT_TRUE(make_cluster_client(old)->send(cluster.request("/secret"), soon(), {}));
  EXPECT_TRUE(renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {}));
  EXPECT_TRUE(spark.ask(cluster));
  const auto stale = make_cluster_client(old)->send(cluster.request("/secret"), soon(), {});
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Code::permission);
  EXPECT_TRUE(old->refresh());
  EXPECT_TRUE(make_cluster_client(old)->send(cluster.request("/secret"), soon(), {}));
}

TEST(Membership, OneRenewalAtATime) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  {
    const auto lock = take(FolderLock::take(spark.directory, Locked::identity));
    const auto second = renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::unavailable);
  }
  // A command renews; the program that runs beside it shows the new certificate when it renews next.
  const auto command = take(ClusterMembership::open(spark.directory));
  EXPECT_TRUE(renew_certificate(*command, *make_cluster_client(command), cluster.address(), soon(), {}));
  EXPECT_TRUE(renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {}));
  EXPECT_TRUE(renew_certificate(*spark.membership, *spark.client, cluster.address(), soon(), {}));
  EXPECT_TRUE(spark.ask(cluster));
}

TEST(Membership, TheAuthorityRotatesByItselfAndItsServerFollows) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  const auto command = take(ClusterMembership::open(cluster.directory()));  // another process
  const auto client = make_cluster_client(command);
  EXPECT_TRUE(renew_certificate(*command, *client, "", soon(), {}));
  const auto reply = make_cluster_client(spark.membership)->send(cluster.request("/secret"), soon(), {});
  EXPECT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(cluster.membership->certificate(), command->certificate());
}

TEST(Membership, RenewalIsDueWhenAThirdIsLeft) {
  const auto now = system_time();
  net::CertificateFacts certificate;
  certificate.not_before = now;
  certificate.expires = now + std::chrono::days(90);
  EXPECT_FALSE(renewal_is_due(certificate, now));
  EXPECT_FALSE(renewal_is_due(certificate, now + std::chrono::days(59)));
  EXPECT_TRUE(renewal_is_due(certificate, now + std::chrono::days(60)));
  EXPECT_TRUE(renewal_is_due(certificate, now + std::chrono::days(100)));
}

TEST(Membership, RenewsByItselfWhenDue) {
  TestCluster cluster;
  const auto client = make_cluster_client(cluster.membership);
  EXPECT_FALSE(take(renew_if_due(*cluster.membership, *client, soon(), {})));
  cluster.time.advance(std::chrono::days(61));
  EXPECT_TRUE(take(renew_if_due(*cluster.membership, *client, soon(), {})));
  EXPECT_FALSE(take(renew_if_due(*cluster.membership, *client, soon(), {})));
}

TEST(Membership, ListsTravelFromAnybodyAndOnlyForward) {
  const TestCluster cluster;
  const JoinedMachine one(cluster, "one");
  const std::string old_text = take(one.membership->members())->text;
  const JoinedMachine two(cluster, "two");
  EXPECT_TRUE(take(one.membership->take_members(take(two.membership->members())->text)));
  EXPECT_EQ(take(one.membership->members())->list.members.size(), 3u);
  EXPECT_FALSE(take(one.membership->take_members(old_text)));
  EXPECT_EQ(take(one.membership->members())->list.members.size(), 3u);
  // Signed by another authority, or by nobody.
  const TestCluster other;
  EXPECT_FALSE(one.membership->take_members(take(other.membership->members())->text));
  std::string forged = old_text;
  forged[forged.find("\"version\":") + 10] = '9';
  EXPECT_FALSE(one.membership->take_members(forged));
}

TEST(Membership, MembersAreToldOverTheWire) {
  TestCluster cluster;
  const JoinedMachine one(cluster, "one");
  // The machine `one` serves too.
  net::Router router;
  add_membership_routes(router, one.membership);
  net::HttpServerOptions options;
  options.tls = make_cluster_server_tls(one.membership);
  const auto server = take(net::HttpServer::start(
      take(net::Listener::listen(net::Address::tcp("127.0.0.1", 0))), std::move(router), options));
  net::CertificateFacts shown = one.membership->certificate();
  CertificateRequest moved;
  moved.request_pem = take(net::make_certificate_request(take(net::make_private_key())));
  moved.address = server->address().text();
  EXPECT_TRUE(cluster.membership->renew({shown, true}, moved));
  const auto told = tell_members(*cluster.membership, *make_cluster_client(cluster.membership),
                                 std::chrono::seconds(10), {});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].machine, "one");
  EXPECT_FALSE(told[0].error) << told[0].error->message;
  EXPECT_EQ(take(one.membership->members())->text, take(cluster.membership->members())->text);
  // And the other way: asked for.
  EXPECT_TRUE(remove_machine(cluster.directory(), "one", system_time()));
  EXPECT_FALSE(fetch_members(*cluster.membership, *make_cluster_client(cluster.membership), "one", soon(), {}));
}

TEST(Membership, ADamagedListAdmitsNobody) {
  const TestCluster cluster;
  const JoinedMachine spark(cluster, "spark-1");
  EXPECT_TRUE(write_cluster_file(cluster.directory() / "members.json", "{}\n"));
  EXPECT_FALSE(spark.ask(cluster));
}

TEST(Membership, RoutesServeNobodyOverPlainConnections) {
  const TestCluster cluster;
  net::Router router;
  add_membership_routes(router, cluster.membership);
  const auto client = net::make_router_client(router);
  for (const char* target : {"/v1/members", "/v1/enrol", "/v1/renew"}) {
    const bool get = std::string_view(target) == "/v1/members";
    const auto reply = take(client->send(
        net::request_to(net::Address::tcp("h", 1), get ? "GET" : "POST", target), soon(), {}));
    EXPECT_EQ(reply.status, 403) << target;
  }
}

TEST(Invites, AreBoundedAndSwept) {
  const auto home = take(TemporaryDirectory::create("hearth-invites"));
  const auto files = real_file_system();
  const auto now = system_time();
  const auto digest = [](std::size_t i) { return blake2b(as_byte_span(std::to_string(i))).hex(); };
  for (std::size_t i = 0; i < open_invites_max; ++i) {
    EXPECT_TRUE(add_invite(home.path(), {digest(i), "", now + std::chrono::seconds(10)}, now, *files));
  }
  const Invite more{digest(1000), "", now + std::chrono::hours(1)};
  EXPECT_FALSE(add_invite(home.path(), more, now, *files));
  const auto later = now + std::chrono::seconds(11);
  EXPECT_TRUE(add_invite(home.path(), more, later, *files));
  EXPECT_EQ(open_invites(home.path(), later).size(), 1u);
  EXPECT_TRUE(take(take_invite(home.path(), more.public_key_sha256)));
  EXPECT_FALSE(take(take_invite(home.path(), more.public_key_sha256)));
}

}  // namespace
}  // namespace hearth::node
