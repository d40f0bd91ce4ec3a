// Headers over HTTP from a real server on loopback that misbehaves in every way a web server can.
#include "hearth/node/remote_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hearth/net/http_client_twins.h"
#include "hearth/net/test_tls.h"
#include "hearth/node/test_model_site.h"

namespace hearth::node {
namespace {

struct Fixture {
  explicit Fixture(Site& the_site) : site(the_site), server(site.router()) {}
  std::string url(std::string_view path) const {
    return fmt::format("http://{}/{}", server.address().text(), path);
  }
  Result<model::ModelFiles> load(std::string_view path, RemoteModelOptions options = {}) {
    options.file.pause = Duration::zero();
    return load_remote_model(*http, url(path), options, {});
  }
  Error error(std::string_view path) {
    const auto loaded = load(path);
    if (loaded) ADD_FAILURE() << "loaded " << path;
    return loaded ? Error{Code::internal, ""} : loaded.error();
  }
  Site& site;
  net::TestServer server;
  std::unique_ptr<net::HttpClient> http = net::make_curl_client();
};

TEST(RemoteModel, ReadsTheHeaderAndNoWeights) {
  Site site = kimi_site();
  Fixture fixture(site);
  const auto files = fixture.load("kimi.gguf?download=true");
  ASSERT_TRUE(files) << files.error().message;
  VirtualSource local(kimi());
  const auto expected = model::read_gguf(local, "local");
  EXPECT_EQ(files->metadata(), expected->metadata);
  EXPECT_EQ(files->shards.front().gguf.tensors, expected->tensors);
  EXPECT_EQ(files->shards.front().bytes, local.size_bytes());
  EXPECT_EQ(files->shards.front().path.filename(), "kimi.gguf");
  EXPECT_LT(site.served, expected->data_offset + (1U << 20));
}

GgufWriter shard(std::uint16_t number, std::uint16_t count) {
  GgufWriter w;
  if (number == 0) w.text("general.architecture", "llama");
  w.number("split.no", model::GgufType::u16, number);
  w.number("split.count", model::GgufType::u16, count);
  w.number("split.tensors.count", model::GgufType::i32, std::int32_t{count});
  w.tensor("t" + std::to_string(number), 0, {1024, 1024});
  return w;
}

TEST(RemoteModel, FindsAllShardsFromAnyOfThem) {
  Site site;
  for (std::uint16_t i = 0; i < 3; ++i) {
    site.files.emplace(fmt::format("m-{:05}-of-00003.gguf", i + 1), VirtualSource(shard(i, 3)));
  }
  Fixture fixture(site);
  const auto files = fixture.load("m-00002-of-00003.gguf");
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->shards.size(), 3u);
  EXPECT_EQ(files->tensors.size(), 3u);
  EXPECT_LE(site.served, 3 * (64u << 10));  // of 4 MB each
  site.files.erase("m-00003-of-00003.gguf");
  const Error missing = fixture.error("m-00001-of-00003.gguf");
  EXPECT_EQ(missing.code, Code::not_found);
  EXPECT_NE(missing.message.find("m-00003-of-00003.gguf"), std::string::npos) << missing.message;
}

TEST(RemoteModel, AFileSmallerThanTheFirstRequestIsWhole) {
  Site site;
  GgufWriter tiny;
  tiny.text("general.architecture", "llama").tensor("t", 0, {32});
  site.files.emplace("tiny.gguf", VirtualSource(tiny));
  Fixture fixture(site);
  EXPECT_TRUE(fixture.load("tiny.gguf"));
  EXPECT_EQ(site.calls, 1u);
}

TEST(RemoteModel, GoesOnWhereACutEndedIt) {
  Site site = kimi_site();
  site.cut_after = [](std::uint64_t call) { return call % 3 == 0 ? never : 100'000 * (call % 3); };
  Fixture fixture(site);
  const auto files = fixture.load("kimi.gguf");
  ASSERT_TRUE(files) << files.error().message;
  VirtualSource local(kimi());
  const auto expected = model::read_gguf(local, "local");
  EXPECT_EQ(files->metadata(), expected->metadata);
  EXPECT_EQ(files->shards.front().gguf.tensors, expected->tensors);
  EXPECT_LT(site.served, expected->data_offset + (1U << 20));  // nothing twice
}

TEST(RemoteModel, GivesUpWhenNothingMoreComes) {
  Site site = kimi_site();
  site.cut_after = [](std::uint64_t call) { return call < 3 ? never : 0; };
  Fixture fixture(site);
  const Error error = fixture.error("kimi.gguf");
  EXPECT_EQ(error.code, Code::unavailable) << error.message;
  EXPECT_NE(error.message.find("gave up at byte"), std::string::npos) << error.message;
  EXPECT_EQ(site.calls, 2 + RemoteFileOptions{}.attempts_max);
}

TEST(RemoteModel, CutsAfterEachByteEndToo) {
  Site site = kimi_site();
  site.cut_after = [](std::uint64_t) { return 1; };
  Fixture fixture(site);
  EXPECT_EQ(fixture.error("kimi.gguf").code, Code::unavailable);
  EXPECT_LE(site.calls, RemoteFileOptions{}.cuts_max + 1);
}

TEST(RemoteModel, WaitsOutAServerThatIsBusy) {
  Site site = kimi_site();
  site.instead = [](std::uint64_t call, const net::Request&) -> std::optional<Response> {
    if (call == 1) return Response::text(503, "busy");
    if (call == 3) return Response::text(429, "slower");
    return std::nullopt;
  };
  Fixture fixture(site);
  EXPECT_TRUE(fixture.load("kimi.gguf"));
}

TEST(RemoteModel, FollowsRedirectsAndAsksAgainWhenTheyExpire) {
  Site site = kimi_site();
  site.files.emplace("signed/1", site.files.at("kimi.gguf"));
  site.files.emplace("signed/2", site.files.at("kimi.gguf"));
  int signature = 0;
  int uses = 0;
  site.instead = [&](std::uint64_t, const net::Request& request) -> std::optional<Response> {
    if (request.path == "/model.gguf") {
      uses = 0;
      return redirect(fmt::format("/hop?to={}", 1 + signature++ % 2));
    }
    if (request.path == "/hop") return redirect("signed/" + *request.query_value("to"), 307);
    if (++uses > 3) return Response::text(403, "expired");
    return std::nullopt;
  };
  Fixture fixture(site);
  const auto files = fixture.load("model.gguf");
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_GT(signature, 1);
  EXPECT_EQ(files->shards.front().path.filename(), "model.gguf");
}

struct Fault {
  std::string name;
  std::function<void(Site&)> commit;
  Code code;
  std::string says;
};

TEST(RemoteModel, EachLieAndEachRefusalHasItsOwnError) {
  const auto tampered = [](std::string field, std::string value, std::uint64_t from_call = 1) {
    return [=](Site& site) {
      site.tamper = [=](std::uint64_t call, Response& reply) {
        if (call >= from_call) reply.headers.set(field, value);
      };
    };
  };
  const auto answered = [](std::function<Response(const net::Request&)> with) {
    return [=](Site& site) {
      site.instead = [=](std::uint64_t, const net::Request& request) -> std::optional<Response> {
        return with(request);
      };
    };
  };
  VirtualSource file(kimi());
  const std::uint64_t size = file.size_bytes();
  const auto status = [&](int code) {
    return answered([=](const net::Request&) { return Response::text(code, "no"); });
  };
  const std::vector<Fault> faults = {
      {"not there", status(404), Code::not_found, "no such file"},
      {"gone", status(410), Code::not_found, "410"},
      {"login", status(401), Code::permission, "login"},
      {"forbidden", status(403), Code::permission, "login"},
      {"no such bytes", status(416), Code::corrupt, "no such bytes"},
      {"down", status(503), Code::unavailable, "gave up"},
      {"no content", answered([](const net::Request&) { return Response::empty(204); }),
       Code::unsupported, "range requests"},
      {"a page", answered([](const net::Request&) {
         return Response::text(200, "<html>", "text/html; charset=utf-8");
       }), Code::unsupported, "/resolve/"},
      {"redirects in a circle", answered([](const net::Request&) { return redirect("/again"); }),
       Code::unsupported, "redirects"},
      {"a redirect to nowhere", answered([](const net::Request&) { return Response::empty(302); }),
       Code::invalid_argument, "redirects to no usable place"},
      {"a redirect to a file", answered([](const net::Request&) { return redirect("file:///etc"); }),
       Code::invalid_argument, "another protocol"},
      {"no part named", tampered("Content-Range", ""), Code::corrupt, "Content-Range"},
      {"nonsense", tampered("Content-Range", "bytes all"), Code::corrupt, "Content-Range"},
      {"no size", tampered("Content-Range", "bytes 0-65535/*"), Code::unsupported, "how large"},
      {"another part", tampered("Content-Range", fmt::format("bytes 1-65536/{}", size)),
       Code::corrupt, "asked for bytes 0 to 65535"},
      {"a longer part", tampered("Content-Range", fmt::format("bytes 0-99999/{}", size)),
       Code::corrupt, "asked for bytes 0 to 65535"},
      {"a shorter part", tampered("Content-Range", fmt::format("bytes 0-99/{}", size)),
       Code::corrupt, "sends more"},
      {"another version", tampered("ETag", "\"two\"", 2), Code::corrupt, "changed"},
      {"compressed", tampered("Content-Encoding", "gzip"), Code::unsupported, "gzip"},
      {"a file that grows", [](Site& site) {
         site.tamper = [](std::uint64_t call, Response& reply) {
           if (call == 1) return;
           const std::string range(reply.headers.get("Content-Range"));
           reply.headers.set("Content-Range", range + "0");
         };
       }, Code::corrupt, "now it says"},
      {"more bytes than said", [](Site& site) { site.more_bytes = 10; }, Code::corrupt,
       "sends more"},
      {"not a model", [](Site& site) {
         site.tamper = [](std::uint64_t, Response& reply) {
           reply.headers.set("Content-Range", "bytes 0-3/4");
           reply.body = std::string("ELF!");
         };
       }, Code::corrupt, "GGUF"},
  };
  for (const Fault& fault : faults) {
    Site site = kimi_site();
    fault.commit(site);
    Fixture fixture(site);
    const Error error = fixture.error("kimi.gguf");
    EXPECT_EQ(error.code, fault.code) << fault.name << ": " << error.message;
    EXPECT_NE(error.message.find(fault.says), std::string::npos)
        << fault.name << ": " << error.message;
    EXPECT_NE(error.message.find("127.0.0.1"), std::string::npos) << error.message;
  }
}

// The size a server states is the one the tensor table is checked against.
TEST(RemoteModel, ASizeThatDoesNotFitTheTensorsIsALie) {
  for (const std::int64_t off : {-4096, 4096}) {
    Site site = kimi_site();
    VirtualSource file(kimi());
    const std::uint64_t size = file.size_bytes() + static_cast<std::uint64_t>(off);
    site.tamper = [=](std::uint64_t, Response& reply) {
      const auto range = net::parse_content_range(reply.headers.get("Content-Range"));
      reply.headers.set("Content-Range",
                        net::content_range_text({.span = range->span, .total_bytes = size}));
    };
    Fixture fixture(site);
    const Error error = fixture.error("kimi.gguf");
    EXPECT_EQ(error.code, Code::corrupt);
    EXPECT_NE(error.message.find(off < 0 ? "cut short" : "follow the last tensor"),
              std::string::npos)
        << error.message;
  }
}

TEST(RemoteModel, NeverTakesTheWholeFileFromAServerWithoutRanges) {
  Site site = kimi_site();
  site.instead = [&](std::uint64_t, const net::Request&) -> std::optional<Response> {
    VirtualSource file = site.files.at("kimi.gguf");
    const std::uint64_t size = file.size_bytes();
    return Response::stream(
        std::make_unique<FileBody>(std::move(file), 0, size, never, site.served), "x/y");
  };
  Fixture fixture(site);
  const Error error = fixture.error("kimi.gguf");
  EXPECT_EQ(error.code, Code::unsupported);
  EXPECT_NE(error.message.find("range requests"), std::string::npos) << error.message;
  fixture.server.server->stop();
  EXPECT_LT(site.served, 32u << 20);  // what sockets buffer
}

TEST(RemoteModel, HeadersHaveALimit) {
  Site site = kimi_site();
  Fixture fixture(site);
  const auto files = fixture.load("kimi.gguf", {.file = {}, .header_bytes_max = 1 << 20,
                                                .progress = {}});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::resource_exhausted) << files.error().message;
  EXPECT_LE(site.served, 1u << 20);
}

TEST(RemoteModel, TlsThatIsNoneIsRefused) {
  Site site = kimi_site();
  Fixture fixture(site);
  std::string url = fixture.url("kimi.gguf");
  url.replace(0, 4, "https");
  RemoteModelOptions options;
  options.file.pause = Duration::zero();
  const auto files = load_remote_model(*fixture.http, url, options, {});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::permission) << files.error().message;
  EXPECT_EQ(site.calls, 0u);
}

// Certificates of an authority that the web does not know, still valid and long expired.
TEST(RemoteModel, ACertificateThatNobodyVouchesForIsRefusedBeforeAnythingIsAsked) {
  const net::TestAuthority authority;
  for (const int expires_in_hours : {24, -24}) {
    SCOPED_TRACE(expires_in_hours);
    Site site = kimi_site();
    net::HttpServerOptions server_options;
    server_options.tls = net::TlsServerOptions{};
    server_options.tls->credentials = authority.credentials("localhost", expires_in_hours);
    const net::TestServer server(site.router(), std::move(server_options));
    const auto http = net::make_curl_client();
    RemoteModelOptions options;
    options.file.pause = Duration::zero();
    const auto files = load_remote_model(
        *http, fmt::format("https://{}/kimi.gguf", server.address().text()), options, {});
    ASSERT_FALSE(files);
    EXPECT_EQ(files.error().code, Code::permission) << files.error().message;
    EXPECT_NE(files.error().message.find("certificate"), std::string::npos) << files.error().message;
    EXPECT_EQ(site.calls, 0u);
  }
}

TEST(RemoteModel, NeverLeavesTlsBehind) {
  Site site = kimi_site();
  site.instead = [](std::uint64_t, const net::Request&) -> std::optional<Response> {
    return redirect("http://elsewhere.org/kimi.gguf");
  };
  const net::Router router = site.router();
  const auto http = net::make_router_client(router);
  const auto files = load_remote_model(*http, "https://example.org/kimi.gguf", {}, {});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::permission);
  EXPECT_NE(files.error().message.find("https"), std::string::npos);
}

TEST(RemoteModel, NobodyThereIsSaid) {
  net::Address address;
  {
    Site site;
    const Fixture fixture(site);
    address = fixture.server.address();
  }
  const auto http = net::make_curl_client();
  RemoteModelOptions options;
  options.file.pause = Duration::zero();
  const auto files = load_remote_model(*http, "http://" + address.text() + "/m.gguf", options, {});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::unavailable) << files.error().message;
}

TEST(RemoteModel, CancellingEndsAPause) {
  Site site = kimi_site();
  StopSource stop;
  site.instead = [&](std::uint64_t, const net::Request&) -> std::optional<Response> {
    stop.request_stop();
    return Response::text(503, "busy");
  };
  Fixture fixture(site);
  RemoteModelOptions options;
  options.file.pause = std::chrono::hours(1);
  const auto files =
      load_remote_model(*fixture.http, fixture.url("kimi.gguf"), options, stop.token());
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::cancelled) << files.error().message;
}

}  // namespace
}  // namespace hearth::node
