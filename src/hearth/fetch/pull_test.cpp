// Models from a real server on loopback, through everything that can go wrong on the way.
#include "hearth/fetch/pull.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/sha256.h"
#include "hearth/fetch/file_digests.h"
#include "hearth/fetch/part_file.h"
#include "hearth/fetch/test_model_site.h"
#include "hearth/net/test_server.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

// 1 MiB of tensor data, and a header.
GgufWriter small_model() {
  GgufWriter w;
  w.text("general.architecture", "llama");
  w.tensor("blk.0.attn_q.weight", 0, {512, 512});
  return w;
}

Bytes bytes_of(const GgufWriter& writer) {
  VirtualSource source(writer);
  Bytes out(static_cast<std::size_t>(source.size_bytes()));
  CHECK(source.read_at(0, out).has_value());
  return out;
}

struct Fixture {
  explicit Fixture(Site& the_site) : site(the_site), server(site.router()) {
    options.download.piece_bytes = 64 << 10;
    options.download.file.pause = Duration::zero();
    options.download.file.cuts_max = 1000;
  }
  std::string url(std::string_view name) const { return fmt::format("http://{}/{}", server.address().text(), name); }
  Result<std::vector<Downloaded>> pull_model(std::string_view name = "m.gguf", const StopToken& stop = {}) {
    const auto plan = TRY(plan_pull(*http, url(name), folder.path(), options, stop));
    return pull(*http, plan, folder.path(), options, stop);
  }
  Error error(std::string_view name = "m.gguf") {
    const auto done = pull_model(name);
    if (done) ADD_FAILURE() << "downloaded";
    return done ? Error{Code::internal, ""} : done.error();
  }
  fs::path file(std::string_view name = "m.gguf") const { return folder.path() / name; }
  Site& site;
  net::TestServer server;
  TemporaryDirectory folder = net::take(TemporaryDirectory::create("hearth-pull"));
  std::unique_ptr<net::HttpClient> http = net::make_curl_client();
  PullOptions options;
};

Site site_of(const GgufWriter& writer) { return {.files = {{"m.gguf", VirtualSource(writer)}}}; }

TEST(Pull, OverSeveralConnectionsByteForByte) {
  const GgufWriter model = small_model();
  Site site = site_of(model);
  Fixture fixture(site);
  const auto done = fixture.pull_model();
  ASSERT_TRUE(done) << done.error().message;
  const Bytes expected = bytes_of(model);
  EXPECT_EQ(net::take(read_file(fixture.file(), expected.size())), expected);
  EXPECT_EQ(done->front().sha256, sha256(expected));
  EXPECT_FALSE(done->front().was_checked);
  EXPECT_FALSE(fs::exists(part_path(fixture.file())));
  EXPECT_FALSE(fs::exists(state_path(fixture.file())));
}

TEST(Pull, CutConnectionsGoOnWhereTheyEnded) {
  Site site = site_of(small_model());
  site.cut_after = [](std::uint64_t call) { return call % 2 == 0 ? 20'000 : never; };
  Fixture fixture(site);
  EXPECT_TRUE(fixture.pull_model()) << fixture.error().message;
}

TEST(Pull, AnInterruptedDownloadFetchesOnlyTheRest) {
  const GgufWriter model = small_model();
  Site site = site_of(model);
  Fixture fixture(site);
  fixture.options.download.connections = 1;
  StopSource stop;
  fixture.options.progress = [&](std::string_view, std::uint64_t done, std::uint64_t total) {
    if (done > total / 2) stop.request_stop();
  };
  const auto first = fixture.pull_model("m.gguf", stop.token());
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::cancelled);
  fixture.options.progress = {};
  const auto plan = net::take(plan_pull(*fixture.http, fixture.url("m.gguf"), fixture.folder.path(), fixture.options, {}));
  EXPECT_GT(plan.present_bytes, plan.total_bytes / 2);
  const auto second = fixture.pull_model();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_LT(second->front().fetched_bytes, plan.total_bytes / 2);
  EXPECT_EQ(second->front().sha256, sha256(bytes_of(model)));
}

TEST(Pull, AnotherVersionOnTheServerBeginsAnew) {
  Site site = site_of(small_model());
  Fixture fixture(site);
  fixture.options.download.connections = 1;
  StopSource stop;
  fixture.options.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) {
    if (done > 300'000) stop.request_stop();
  };
  ASSERT_FALSE(fixture.pull_model("m.gguf", stop.token()));
  fixture.options.progress = {};
  site.tamper = [](std::uint64_t, Response& reply) { reply.headers.set("ETag", "\"two\""); };
  const auto done = fixture.pull_model();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->front().fetched_bytes, done->front().bytes);
}

TEST(Pull, AllShardsFromAnyOfThem) {
  Site site;
  for (int i = 1; i <= 3; ++i) site.files.emplace(fmt::format("k-0000{}-of-00003.gguf", i), VirtualSource(small_model()));
  Fixture fixture(site);
  const auto done = fixture.pull_model("k-00002-of-00003.gguf");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->size(), 3U);
  EXPECT_TRUE(fs::exists(fixture.file("k-00003-of-00003.gguf")));
}

TEST(Pull, WithoutRangesInOneStream) {
  const GgufWriter model = small_model();
  Site site = site_of(model);
  site.instead = [&](std::uint64_t, const net::Request&) -> std::optional<Response> {
    const Bytes bytes = bytes_of(model);
    return Response::text(200, std::string(as_text(bytes)), "application/octet-stream");
  };
  Fixture fixture(site);
  const auto done = fixture.pull_model();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->front().sha256, sha256(bytes_of(model)));
}

TEST(Pull, AFileThatSomebodyElseDownloadsIsLeftAlone) {
  for (const bool gives_ranges : {true, false}) {
    const GgufWriter model = small_model();
    Site site = site_of(model);
    if (!gives_ranges) {
      site.instead = [&](std::uint64_t, const net::Request&) -> std::optional<Response> {
        const Bytes bytes = bytes_of(model);
        return Response::text(200, std::string(as_text(bytes)), "application/octet-stream");
      };
    }
    Fixture fixture(site);
    {
      const auto theirs = lock_part(fixture.file());
      ASSERT_TRUE(theirs);
      ASSERT_TRUE(write_at(*theirs, 0, as_byte_span("theirs"), part_path(fixture.file())));
      EXPECT_EQ(fixture.error().code, Code::unavailable);
      EXPECT_EQ(net::take(read_text_file(part_path(fixture.file()), 100)), "theirs");
    }
    EXPECT_TRUE(fixture.pull_model());
    EXPECT_FALSE(fs::exists(part_path(fixture.file())));
  }
}

// While one process reads it to its end, others that ask for the same file are told so, up to its renaming.
TEST(Pull, HoldsItsLockUntilTheFileHasItsName) {
  Site site = site_of(small_model());
  Fixture fixture(site);
  int looks = 0;
  fixture.options.progress = [&](std::string_view, std::uint64_t done, std::uint64_t total) {
    if (done != total) return;
    ++looks;
    EXPECT_FALSE(lock_part(fixture.file()));
  };
  const auto done = fixture.pull_model();
  ASSERT_TRUE(done);
  EXPECT_GT(looks, 0);
  EXPECT_TRUE(lock_part(fixture.file())) << "it went with the download";
}

TEST(Pull, TheHostsChecksumIsCompared) {
  const GgufWriter model = small_model();
  Site site = site_of(model);
  const std::string digest = sha256(bytes_of(model)).hex();
  site.tamper = [&](std::uint64_t, Response& reply) { reply.headers.set("X-Linked-ETag", "\"" + digest + "\""); };
  Fixture fixture(site);
  const auto done = fixture.pull_model();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->front().was_checked);
}

TEST(Pull, WhatIsThereAlreadyIsCheckedAndNotFetched) {
  Site site = site_of(small_model());
  Fixture fixture(site);
  ASSERT_TRUE(fixture.pull_model());
  const std::uint64_t served = site.served;
  const auto again = fixture.pull_model();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->front().fetched_bytes, 0U);
  EXPECT_LE(site.served - served, 1U);
}

// Each refusal: what the server or the caller does wrong, and what the message must say.
struct Fault {
  const char* name;
  std::function<void(Site&, PullOptions&)> plant;
  Code code;
  const char* says;
};
const Fault faults[] = {
    {"changes_midway",
     [](Site& site, PullOptions&) {
       site.tamper = [](std::uint64_t call, Response& reply) {
         if (call > 6) reply.headers.set("ETag", "\"two\"");
       };
     },
     Code::corrupt, "changed while"},
    {"sizes_contradict",
     [](Site& site, PullOptions&) {
       site.tamper = [](std::uint64_t, Response& reply) { reply.headers.set("X-Linked-Size", "12"); };
     },
     Code::corrupt, "12 in another"},
    {"lies_about_size",
     [](Site& site, PullOptions&) {
       site.tamper = [](std::uint64_t call, Response& reply) {
         const std::string range(reply.headers.get("Content-Range"));
         if (call > 3) reply.headers.set("Content-Range", range.substr(0, range.find('/')) + "/99999999");
       };
     },
     Code::corrupt, "changed while"},
    {"shorter_than_its_header_says",
     [](Site& site, PullOptions&) {
       site.instead = [](std::uint64_t, const net::Request&) -> std::optional<Response> {
         const Bytes bytes = bytes_of(small_model());
         return Response::text(200, std::string(as_text(bytes).substr(0, bytes.size() / 2)), "application/octet-stream");
       };
     },
     Code::corrupt, "is not this model"},
    {"cut_and_no_ranges",
     [](Site& site, PullOptions&) {
       site.instead = [](std::uint64_t call, const net::Request&) -> std::optional<Response> {
         Response whole = Response::text(200, std::string(100'000, 'x'), "application/octet-stream");
         if (call == 1) return whole;
         static std::atomic<std::uint64_t> served{0};
         return Response::stream(std::make_unique<FileBody>(VirtualSource(small_model()), 0, 100'000, 30'000, served),
                                 "application/octet-stream");
       };
     },
     Code::unavailable, "3 tries"},
    {"size_not_told",
     [](Site& site, PullOptions&) {
       site.instead = [](std::uint64_t, const net::Request&) -> std::optional<Response> {
         static std::atomic<std::uint64_t> served{0};
         return Response::stream(std::make_unique<FileBody>(VirtualSource(small_model()), 0, 100'000, never, served),
                                 "application/octet-stream");
       };
     },
     Code::unsupported, "does not tell how large"},
    {"web_page",
     [](Site& site, PullOptions&) {
       site.instead = [](std::uint64_t, const net::Request&) -> std::optional<Response> {
         return Response::text(200, "<html>", "text/html");
       };
     },
     Code::unsupported, "/resolve/"},
    {"gone",
     [](Site& site, PullOptions&) { site.files.clear(); }, Code::not_found, "no such file"},
    {"wrong_checksum",
     [](Site& site, PullOptions&) {
       site.tamper = [](std::uint64_t, Response& reply) {
         reply.headers.set("X-Linked-ETag", "\"" + std::string(64, 'a') + "\"");
       };
     },
     Code::corrupt, "the host says aaaa"},
    {"not_what_the_lock_says",
     [](Site&, PullOptions& options) { options.sha256 = {Digest256()}; }, Code::corrupt, "the lock"},
    {"redirects_for_ever",
     [](Site& site, PullOptions&) {
       site.instead = [](std::uint64_t, const net::Request& request) -> std::optional<Response> {
         return redirect(request.path);
       };
     },
     Code::unsupported, "redirects"},
    {"disk_is_full",
     [](Site&, PullOptions& options) { options.free_bytes = [](const fs::path&) -> Result<std::uint64_t> { return 1000; }; },
     Code::resource_exhausted, "still to come"},
    {"larger_than_allowed",
     [](Site&, PullOptions& options) { options.bytes_max = 1000; }, Code::resource_exhausted, "--size-max-gb"},
};

class PullFault : public ::testing::TestWithParam<Fault> {};
TEST_P(PullFault, IsRefusedAndLeavesNoModel) {
  Site site = site_of(small_model());
  Fixture fixture(site);
  GetParam().plant(site, fixture.options);
  const Error error = fixture.error();
  EXPECT_EQ(error.code, GetParam().code) << error.message;
  EXPECT_NE(error.message.find(GetParam().says), std::string::npos) << error.message;
  EXPECT_FALSE(fs::exists(fixture.file()));
}
INSTANTIATE_TEST_SUITE_P(All, PullFault, ::testing::ValuesIn(faults), [](const auto& one) { return std::string(one.param.name); });

TEST(Pull, NothingIsFetchedForADiskThatIsTooSmall) {
  Site site = kimi_site();  // 584 GB
  Fixture fixture(site);
  fixture.options.free_bytes = [](const fs::path&) -> Result<std::uint64_t> { return 10'000'000'000; };
  EXPECT_EQ(fixture.error("kimi.gguf").code, Code::resource_exhausted);
  EXPECT_LE(site.served, 1U);
  EXPECT_TRUE(fs::is_empty(fixture.folder.path()));
}

TEST(Pull, TheServerDoesNotChooseTheFolder) {
  Site site = site_of(small_model());
  Fixture fixture(site);
  for (const char* name : {"", "a%2Fm.gguf", "..%2F..%2Fm.gguf", ".."}) {
    EXPECT_EQ(fixture.error(name).code, Code::invalid_argument) << name;
  }
}

TEST(Pull, NamesOfModelHosts) {
  EXPECT_EQ(url_of_name("unsloth/Kimi-GGUF/Q4/a b.gguf", "https://huggingface.co", "main").value(),
            "https://huggingface.co/unsloth/Kimi-GGUF/resolve/main/Q4/a%20b.gguf");
  for (const char* name : {"", "kimi", "a/b", "a/b.gguf", "/a/b.gguf", "a//b.gguf", "a/b/c.bin"}) {
    EXPECT_FALSE(url_of_name(name, "https://huggingface.co", "main")) << name;
  }
}

TEST(FileDigests, AreRememberedUntilTheFileChanges) {
  const TemporaryDirectory folder = net::take(TemporaryDirectory::create("hearth-digests"));
  const fs::path file = folder.path() / "f", book = folder.path() / "book";
  std::ofstream(file) << "abc";
  const auto digest = [&] {
    DigestMemory memory = DigestMemory::open(book);
    return digest_files({file}, 2, memory, {}, {}).front();
  };
  EXPECT_EQ(net::take(digest().sha256), sha256(as_byte_span("abc")));
  EXPECT_TRUE(digest().was_remembered);
  // Of the same size, under the old time of modification. The system's clock may stand still for some milliseconds.
  const auto before = net::take(stamp_of(file));
  const auto modified = fs::last_write_time(file);
  for (int i = 0; i < 100'000 && net::take(stamp_of(file)) == before; ++i) {
    std::ofstream(file) << "abd";
    fs::last_write_time(file, modified);
  }
  const auto changed = digest();
  EXPECT_FALSE(changed.was_remembered);
  EXPECT_EQ(net::take(changed.sha256), sha256(as_byte_span("abd")));
}

}  // namespace
}  // namespace hearth::fetch
