// A healthy set-up of real files and a real web server has no finding; each fault planted into it is found.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/sha256.h"
#include "hearth/check/sweep.h"
#include "hearth/net/http_server.h"
#include "support/gguf_writer.h"

namespace hearth::check {
namespace {

namespace fs = std::filesystem;
using hearth::testing::GgufWriter;
using hearth::testing::VirtualSource;
using model::GgufType;

constexpr const char* chat_template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

template <class T>
T take(Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().message;
  return *std::move(result);
}

struct ShardOptions {
  std::uint16_t number = 0, number_said = 0;
  std::string chat = chat_template;
  std::uint32_t type = 8;  // q8_0
};

std::string shard_bytes(const ShardOptions& options) {
  GgufWriter w;
  if (options.number == 0) {
    w.text("general.architecture", "llama");
    if (!options.chat.empty()) w.text("tokenizer.chat_template", options.chat);
  }
  w.number("split.no", GgufType::u16, options.number_said);
  w.number("split.count", GgufType::u16, std::uint16_t{2});
  w.number("split.tensors.count", GgufType::i32, std::int32_t{2});
  w.tensor("blk." + std::to_string(options.number) + ".attn_q.weight", options.type, {256, 256});
  VirtualSource source(w);
  Bytes bytes(static_cast<std::size_t>(source.size_bytes()));
  CHECK(source.read_at(0, bytes).has_value());
  return std::string(as_text(bytes));
}

std::string shard_name(int number, std::string_view quant = "Q8_0") { return fmt::format("tiny-{}-0000{}-of-00002.gguf", quant, number); }

void write(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

// What the web server does wrong.
struct Host {
  bool ranges = true, sizes = true;
  std::string digest;  // said of the first shard
  std::uint64_t more_bytes = 0;
  bool down = false;
};

struct Desk {
  Desk() {
    for (int i : {1, 2}) write(model(i), shard_bytes({.number = number(i), .number_said = number(i)}));
    write(root() / "proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 15000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 1000000 kB\n");
    write(root() / "sys/class/net/enp1s0/operstate", "up\n");
    write(root() / "sys/class/net/enp1s0/speed", "10000\n");
    write(root() / "sys/class/net/enp1s0/mtu", "9000\n");
    write(root() / "sys/firmware/acpi/platform_profile", "performance\n");
    write(root() / "sys/class/power_supply/AC/type", "Mains\n");
    write(root() / "sys/class/power_supply/AC/online", "1\n");
    peers = {{.name = "spark-1", .address = "10.0.0.2:7070", .hearth_version = "0.1.0", .engine_version = "0.7.0", .backend = "CUDA", .round_trip_ms = 0.3}};
    server = take(net::HttpServer::start(take(net::Listener::listen(net::Address::tcp("127.0.0.1", 0))), router()));
    lock = pin(facts());
  }

  static std::uint16_t number(int i) { return static_cast<std::uint16_t>(i - 1); }
  fs::path root() const { return folder.path() / "machine"; }
  fs::path model(int i) const { return folder.path() / "models" / shard_name(i); }

  net::Router router() {
    net::Router out;
    out.add("GET", "/{name}", [this](net::Request& request, const net::PathParams& params) -> Result<net::Response> {
      if (host.down) return fail(Code::not_found, "gone");
      const std::string bytes = shard_bytes({.number = number(params["name"] == shard_name(1) ? 1 : 2)});
      const std::uint64_t size = bytes.size() + host.more_bytes;
      net::Response reply;
      if (host.ranges && request.headers.contains("Range")) {
        reply = net::Response::text(206, bytes.substr(0, 1), "application/octet-stream");
        reply.headers.set("Content-Range", fmt::format("bytes 0-0/{}", size));
      } else {
        reply = net::Response::text(200, bytes, "application/octet-stream");
      }
      if (!host.digest.empty()) reply.headers.set("X-Linked-ETag", host.digest);
      return reply;
    });
    return out;
  }

  Facts facts() {
    Wanted wanted{.models = {first}, .machine_root = root()};
    wanted.model_urls[first.string()] = fmt::format("http://{}/{}", server->address().text(), shard_name(1));
    fetch::DigestMemory memory;
    Facts out = gather(wanted, *http, memory, {}, {});
    out.versions = versions;
    out.peers = peers;
    if (free_bytes) out.machine.disks.front().free_bytes = *free_bytes;
    if (open_files) out.machine.open_files_max = open_files;
    if (wired) out.machine.wired_limit_bytes = wired;
    if (synchronised) out.machine.clock_is_synchronised = synchronised;
    return out;
  }

  TemporaryDirectory folder = take(TemporaryDirectory::create("hearth-check"));
  fs::path first = model(1);
  Host host;
  Versions versions = {{"hearth", "0.1.0"}, {"engine", "0.7.0"}};
  std::vector<PeerFacts> peers;
  std::optional<std::uint64_t> free_bytes, open_files, wired;
  std::optional<bool> synchronised;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<net::HttpClient> http = net::make_curl_client();
  Lock lock;
};

void flip_byte(const fs::path& file) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(-5, std::ios::end);
  f.put('\x55');
}

struct Planted {
  const char* name;
  const char* id;
  std::function<void(Desk&)> plant;
};
const Planted planted[] = {
    {"missing_shard", "model.shard_missing", [](Desk& s) { fs::remove(s.model(2)); }},
    {"flipped_byte", "model.wrong_digest", [](Desk& s) { flip_byte(s.model(2)); }},
    {"wrong_size", "model.wrong_size", [](Desk& s) { s.lock.models[0].shards[1].bytes += 32; }},
    {"truncated_download", "model.damaged", [](Desk& s) { fs::resize_file(s.model(2), fs::file_size(s.model(2)) / 2); }},
    {"padded_download", "model.damaged", [](Desk& s) { fs::resize_file(s.model(2), fs::file_size(s.model(2)) + 100'000); }},
    {"unfinished_download", "model.unfinished_download", [](Desk& s) { write(fs::path(s.model(1)) += ".part", "x"); }},
    {"shards_of_two_models", "model.split", [](Desk& s) { write(s.model(2), shard_bytes({.number = 1, .number_said = 0})); }},
    {"renamed_quant", "model.quant_name",
     [](Desk& s) {
       for (int i : {1, 2}) fs::rename(s.model(i), s.model(i).parent_path() / shard_name(i, "Q4_K_M"));
       s.first = s.first.parent_path() / shard_name(1, "Q4_K_M");
     }},
    {"changed_template", "template.changed", [](Desk& s) { write(s.model(1), shard_bytes({.chat = "<|im_start|> other"})); }},
    {"bad_template", "template.unknown", [](Desk& s) { write(s.model(1), shard_bytes({.chat = "{{ messages }}"})); }},
    {"no_template", "template.missing", [](Desk& s) { write(s.model(1), shard_bytes({.chat = ""})); }},
    {"version_skew", "version.skew", [](Desk& s) { s.versions["engine"] = "0.7.1"; }},
    {"host_without_ranges", "url.no_ranges", [](Desk& s) { s.host.ranges = false; }},
    {"host_has_another_size", "url.wrong_size", [](Desk& s) { s.host.more_bytes = 1; }},
    {"host_has_another_digest", "url.wrong_digest", [](Desk& s) { s.host.digest = "\"" + std::string(64, 'c') + "\""; }},
    {"host_is_gone", "url.unreachable", [](Desk& s) { s.host.down = true; }},
    {"full_disk", "disk.full", [](Desk& s) { s.free_bytes = 1'000'000; }},
    {"few_open_files", "limits.open_files", [](Desk& s) { s.open_files = 256; }},
    {"swapping", "memory.swap",
     [](Desk& s) { write(s.root() / "proc/meminfo", "MemTotal: 16000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 0 kB\n"); }},
    {"memory_too_small", "memory.too_small", [](Desk& s) { write(s.root() / "proc/meminfo", "MemTotal: 100 kB\n"); }},
    {"memory_in_use", "memory.in_use", [](Desk& s) { write(s.root() / "proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 10 kB\n"); }},
    {"wired_limit", "memory.wired_limit", [](Desk& s) { s.wired = 1000; }},
    {"clock", "clock.not_synchronised", [](Desk& s) { s.synchronised = false; }},
    {"low_power", "power.saver", [](Desk& s) { write(s.root() / "sys/firmware/acpi/platform_profile", "low-power\n"); }},
    {"on_battery", "power.battery", [](Desk& s) { write(s.root() / "sys/class/power_supply/AC/online", "0\n"); }},
    {"slow_link", "link.slow", [](Desk& s) { write(s.root() / "sys/class/net/enp1s0/speed", "1000\n"); }},
    {"link_down", "link.down", [](Desk& s) { write(s.root() / "sys/class/net/enp1s0/operstate", "down\n"); }},
    {"small_mtu", "link.mtu", [](Desk& s) { write(s.root() / "sys/class/net/enp1s0/mtu", "1500\n"); }},
    {"unreachable_peer", "peer.unreachable", [](Desk& s) { s.peers[0].fault = "no route to host"; }},
    {"peer_version", "peer.version", [](Desk& s) { s.peers[0].hearth_version = "0.0.9"; }},
    {"peer_other_model", "peer.cannot_pair", [](Desk& s) { s.peers[0].cannot_pair = "kv_type differs"; }},
    {"peer_swaps", "memory.swap",
     [](Desk& s) { s.peers[0].machine = findings_of_json(findings_json({{"memory.swap", Severity::warning, "3 GB are swapped out", "end something"}})); }},
    {"far_peer", "peer.slow", [](Desk& s) { s.peers[0].round_trip_ms = 80; }},
};

std::string text_of(const Findings& findings) { return findings_text(findings); }

TEST(Check, AHealthySetUpHasNoFinding) {
  Desk set_up;
  const Findings found = findings_of(set_up.facts(), &set_up.lock);
  EXPECT_TRUE(found.empty()) << text_of(found);
}

TEST(Check, WithoutALockItSaysSoAndNothingBlocks) {
  Desk set_up;
  const Findings found = findings_of(set_up.facts(), nullptr);
  ASSERT_EQ(found.size(), 1U) << text_of(found);
  EXPECT_EQ(found.front().id, "lock.missing");
  EXPECT_TRUE(nothing_blocks(found));
}

class PlantedFault : public ::testing::TestWithParam<Planted> {};
TEST_P(PlantedFault, IsFound) {
  Desk set_up;
  GetParam().plant(set_up);
  const Findings found = findings_of(set_up.facts(), &set_up.lock);
  const auto one = std::ranges::find(found, GetParam().id, &Finding::id);
  ASSERT_NE(one, found.end()) << text_of(found);
  EXPECT_FALSE(one->fact.empty());
  EXPECT_FALSE(one->mend.empty());
}
INSTANTIATE_TEST_SUITE_P(All, PlantedFault, ::testing::ValuesIn(planted), [](const auto& one) { return std::string(one.param.name); });

TEST(Check, QuantisationOfAName) {
  const std::pair<const char*, const char*> names[] = {
      {"Kimi-K2.6-UD-Q4_K_XL-00001-of-00013.gguf", "q4_k"}, {"m-Q8_0.gguf", "q8_0"}, {"llama.Q2_K.gguf", "q2_k"},
      {"gpt-oss-20b-mxfp4.gguf", "mxfp4"}, {"kimi-tiny-q8_0.gguf", "q8_0"}, {"x-IQ2_XXS.gguf", "iq2_xxs"},
      {"kimi-tiny-random.gguf", ""}, {"qwen3-f16.gguf", "f16"}};
  for (const auto& [name, quant] : names) EXPECT_EQ(quant_of_name(name), quant) << name;
}

}  // namespace
}  // namespace hearth::check
