#include "hearth/cli/serve_config.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hearth::cli {
namespace {

ServeConfig read(std::string_view toml) {
  ServeConfig out;
  const auto done = read_serve_config(toml, "hearth.toml", out);
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

TEST(ServeConfig, ReadsEverySection) {
  const ServeConfig config = read(R"(
[serve]
model = "/models/kimi.gguf"
host = "192.168.1.5"
port = 9000
api_keys = ["one-long-key", "another-long-key"]
chat_format = "llama3"
[worker]
context = 131072
kv_type = "q8_0"
[store]
enabled = false
disk_gb = 500
[sampling]
temperature = 1
client = false
[limits]
heartbeat_s = 5
[cluster]
enabled = true
parity_kl = 0.05
parity_exact = true
parity_tokens = 8
pool = ["spark-1", "spark-2"]
pool_shares = ["studio=3", "spark-1=1", "spark-2=0.5"]
[log]
level = "warning"
)");
  EXPECT_EQ(config.pool, (std::vector<std::string>{"spark-1", "spark-2"}));
  EXPECT_EQ(config.pool_shares, (std::map<std::string, double>{{"studio", 3}, {"spark-1", 1}, {"spark-2", 0.5}}));
  EXPECT_EQ(config.model, "/models/kimi.gguf");
  EXPECT_EQ(config.host, "192.168.1.5");
  EXPECT_EQ(config.port, 9000U);
  EXPECT_EQ(config.api_keys.size(), 2U);
  EXPECT_EQ(config.chat_format, "llama3");
  EXPECT_EQ(config.context_tokens, 131072U);
  EXPECT_EQ(config.kv_type, "q8_0");
  EXPECT_FALSE(config.store);
  EXPECT_EQ(config.store_disk_gb, 500U);
  EXPECT_EQ(config.sampling.temperature, 1.0);
  EXPECT_FALSE(config.client_sampling);
  EXPECT_EQ(config.heartbeat_s, 5);
  EXPECT_EQ(config.parity_kl, 0.05);
  EXPECT_TRUE(config.parity_exact);
  EXPECT_EQ(config.parity_tokens, 8U);
  EXPECT_EQ(config.log_level, "warning");
}

TEST(ServeConfig, ReadsAdapters) {
  const ServeConfig config = read(R"(
[[adapter]]
name = "voice"
lora = ["voice.gguf:0.8", "more.gguf"]
[[adapter]]
name = "calm"
control_vector = ["calm.gguf:0.5:10-20"]
)");
  using model::AdapterKind;
  ASSERT_EQ(config.adapters.size(), 2U);
  EXPECT_EQ(config.adapters[0], (model::AdapterSet{"voice", {{AdapterKind::lora, "voice.gguf", 0.8},
                                                             {AdapterKind::lora, "more.gguf", 1}}}));
  EXPECT_EQ(config.adapters[1], (model::AdapterSet{"calm", {{AdapterKind::control_vector, "calm.gguf", 0.5,
                                                             model::LayerRange{10, 20}}}}));
}

TEST(ServeConfig, RefusesAdaptersThatMeanNothing) {
  const auto refusal = [](std::string_view toml) {
    ServeConfig config;
    config.model = "m.gguf";
    const auto read = read_serve_config(toml, "hearth.toml", config);
    const auto checked = read ? check_serve_config(config) : read;
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_NE(refusal("[[adapter]]\nlora = [\"a.gguf\"]\n").find("name"), std::string::npos);
  EXPECT_NE(refusal("[[adapter]]\nname = \"a\"\nlora = [\"a.gguf:1e9\"]\n").find("a.gguf"), std::string::npos);
  EXPECT_NE(refusal("[[adapter]]\nname = \"a\"\nscale = 1\n").find("scale"), std::string::npos);
  EXPECT_NE(refusal("[[adapter]]\nname = \"a\"\n").find("adapter 'a' has 0 files"), std::string::npos);
  EXPECT_NE(refusal("[adapter]\nname = \"a\"\n").find("[[adapter]]"), std::string::npos);
}

struct BadFile {
  const char* toml;
  std::vector<const char*> says;
};

TEST(ServeConfig, BadFilesAreToldWithLineValueAndExample) {
  const BadFile files[] = {
      {"[serve]\nport = \"x\"", {"hearth.toml:2:", "[serve] port", "\"x\"", "0 to 65535", "port = 8484"}},
      {"[serve]\nport = 70000", {"hearth.toml:2:", "70000"}},
      {"[serve]\n\nport = 1.5", {"hearth.toml:3:", "1.5", "a whole number"}},
      {"[serve]\nprot = 1", {"hearth.toml:2:", "prot", "unknown", "model, host, port"}},
      {"[sreve]\nport = 1", {"hearth.toml:1:", "sreve", "serve, worker, store"}},
      {"port = 1", {"hearth.toml:1:", "'port' is not a section"}},
      {"[worker]\nkv_type = \"f17\"", {"hearth.toml:2:", "f17", "f16, q8_0", "kv_type = \"q8_0\""}},
      {"[worker]\nsequences = 0", {"hearth.toml:2:", "1 to 255"}},
      {"[store]\nenabled = \"yes\"", {"hearth.toml:2:", "true or false"}},
      {"[serve]\nallowed_hosts = \"a\"", {"hearth.toml:2:", "a list of texts", "[\"studio.local\"]"}},
      {"[serve]\napi_keys = 12345", {"hearth.toml:2:", "this value"}},
      {"[cluster]\nparity_kl = -1", {"hearth.toml:2:", "0 to 10", "parity_kl = 0.01"}},
      {"[cluster]\nparity_tokens = 17", {"hearth.toml:2:", "0 to 16", "parity_tokens = 4"}},
      {"[sampling]\ntop_p = 2", {"hearth.toml:2:", "0 to 1"}},
      {"[cluster]\npool_shares = [\"studio\"]", {"hearth.toml:2:", "a list of NAME=NUMBER", "\"studio=3\""}},
      {"[cluster]\npool_shares = [\"a=-1\"]", {"hearth.toml:2:", "a list of NAME=NUMBER"}},
      {"[log]\nlevel = \"loud\"", {"hearth.toml:2:", "debug, info, warning, error, off"}},
      {"[serve\n", {"hearth.toml:1:"}},
      {"[serve]\nport = 1\nport = 2", {"hearth.toml:3:"}},
  };
  for (const BadFile& file : files) {
    ServeConfig config;
    const auto done = read_serve_config(file.toml, "hearth.toml", config);
    ASSERT_FALSE(done) << file.toml;
    EXPECT_EQ(done.error().code, Code::invalid_argument);
    for (const char* text : file.says) {
      EXPECT_NE(done.error().message.find(text), std::string::npos) << text << " in: " << done.error().message;
    }
  }
}

TEST(ServeConfig, AllThatIsWrongIsToldAtOnce) {
  ServeConfig config;
  const auto done = read_serve_config("[serve]\nport = -1\n[worker]\ncontext = 1\nthreads = \"all\"", "f", config);
  ASSERT_FALSE(done);
  EXPECT_EQ(std::ranges::count(done.error().message, '\n'), 2) << done.error().message;
}

TEST(ServeConfig, AKeyIsNotShownWhereItIsInTheWrongPlace) {
  for (const std::string setting : {"[serve]\napi_keys", "[serve]\nnamed_keys", "[seal]\nkey_labels"}) {
    ServeConfig config;
    const auto done = read_serve_config(setting + " = \"my-secret-key\"", "f", config);
    ASSERT_FALSE(done) << setting;
    EXPECT_EQ(done.error().message.find("my-secret"), std::string::npos) << done.error().message;
  }
}

TEST(ServeConfig, FlagsOverrideTheFile) {
  ServeConfig config = read("[serve]\nport = 1000\nallowed_hosts = [\"a\"]");
  const std::vector<std::string> port = {"2000"};
  const std::vector<std::string> hosts = {"b", "c"};
  ASSERT_TRUE(apply_flag(config, "--port,-p", port));
  ASSERT_TRUE(apply_flag(config, "--allowed-host", hosts));
  EXPECT_EQ(config.port, 2000U);
  EXPECT_EQ(config.allowed_hosts, hosts);
}

TEST(ServeConfig, BadFlagsAreToldWithAnExample) {
  ServeConfig config;
  const std::vector<std::string> value = {"12x"};
  const auto done = apply_flag(config, "--port,-p", value);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "--port: 12x is not a whole number from 0 to 65535; for example --port 8484");
}

TEST(ServeConfig, NumbersBeyondAllIntegersAreRefused) {
  for (const char* text : {"1e30", "-1e30", "inf", "nan", "1.5"}) {
    ServeConfig config;
    const std::vector<std::string> value = {text};
    EXPECT_FALSE(apply_flag(config, "--port,-p", value)) << text;
  }
}

TEST(ServeConfig, PoolsAreNamedWithCommasOrTheFlagAgain) {
  ServeConfig config;
  const std::vector<std::string> pool = {"spark-1,spark-2", "laptop"};
  const std::vector<std::string> shares = {"studio=2,spark-1=1"};
  ASSERT_TRUE(apply_flag(config, "--pool", pool));
  ASSERT_TRUE(apply_flag(config, "--pool-shares", shares));
  EXPECT_EQ(config.pool, (std::vector<std::string>{"spark-1", "spark-2", "laptop"}));
  EXPECT_EQ(config.pool_shares, (std::map<std::string, double>{{"studio", 2}, {"spark-1", 1}}));
}

TEST(ServeConfig, APoolNeedsAClusterAndNumbersForAllOfIt) {
  ServeConfig config;
  config.model = "m.gguf";
  config.pool = {"spark-1"};
  EXPECT_FALSE(check_serve_config(config));
  config.cluster = true;
  EXPECT_TRUE(check_serve_config(config));
  config.pool_bandwidths = {{"studio", 819}};
  const auto missing = check_serve_config(config);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("pool_bandwidths: none for spark-1"), std::string::npos);
  config.pool.clear();
  EXPECT_FALSE(check_serve_config(config));
}

TEST(ServeConfig, EveryFlagHasHelp) {
  EXPECT_GT(serve_flags().size(), 15U);
  for (const ServeFlag& flag : serve_flags()) EXPECT_FALSE(flag.help.empty()) << flag.flag;
}

struct Together {
  std::string host;
  std::vector<std::string> keys;
  bool allowed;
};

TEST(ServeConfig, OtherAddressesThanLoopbackNeedAKey) {
  const Together cases[] = {
      {"127.0.0.1", {}, true},  {"127.1.2.3", {}, true},           {"::1", {}, true},
      {"localhost", {}, true},  {"0.0.0.0", {}, false},            {"::", {}, false},
      {"10.0.0.1", {}, false},  {"studio.local", {}, false},       {"0.0.0.0", {"long-enough"}, true},
      {"0.0.0.0", {"short"}, false}, {"127.0.0.1", {"short"}, false}, {"127.0.0.1.evil.example", {}, false},
  };
  for (const Together& each : cases) {
    ServeConfig config;
    config.model = "m.gguf";
    config.host = each.host;
    config.api_keys = each.keys;
    EXPECT_EQ(check_serve_config(config).has_value(), each.allowed) << each.host;
  }
  EXPECT_FALSE(check_serve_config({}));  // no model
}

}  // namespace
}  // namespace hearth::cli
