#include "hearth/cli/serve_settings.h"

#include <charconv>

#include "hearth/chat/format.h"
#include "hearth/kv/chunk.h"

namespace hearth::cli {

std::vector<std::string> split_names(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.as_array()) {
    std::string_view text = item.as_string();
    while (!text.empty()) {
      const std::size_t comma = std::min(text.find(','), text.size());
      if (comma > 0) out.emplace_back(text.substr(0, comma));
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
  }
  return out;
}

std::optional<std::pair<std::string, double>> named_number(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == text.npos || equals == 0) return std::nullopt;
  double number = 0;
  const std::string_view digits = text.substr(equals + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool is_all = error == std::errc() && end == digits.data() + digits.size();
  if (!is_all || !(number >= 0 && number < 1e9)) return std::nullopt;
  return std::pair(std::string(text.substr(0, equals)), number);
}

namespace {

auto to(std::uint32_t ServeConfig::* field) {
  return [field](ServeConfig& c, const Json& v) { c.*field = static_cast<std::uint32_t>(v.as_integer()); };
}
auto to(double ServeConfig::* field) {
  return [field](ServeConfig& c, const Json& v) { c.*field = v.as_double(); };
}
auto to(bool ServeConfig::* field) {
  return [field](ServeConfig& c, const Json& v) { c.*field = v.as_bool(); };
}
auto to(std::string ServeConfig::* field) {
  return [field](ServeConfig& c, const Json& v) { c.*field = v.as_string(); };
}
auto to(std::filesystem::path ServeConfig::* field) {
  return [field](ServeConfig& c, const Json& v) { c.*field = v.as_string(); };
}
auto to(std::vector<std::string> ServeConfig::* field) {
  return [field](ServeConfig& c, const Json& v) {
    (c.*field).clear();
    for (const Json& item : v.as_array()) (c.*field).push_back(item.as_string());
  };
}
auto to(std::optional<double> gateway::SamplingChoice::* field) {
  return [field](ServeConfig& c, const Json& v) { c.sampling.*field = v.as_double(); };
}

auto to(std::map<std::string, double> ServeConfig::* field) {
  return [field](ServeConfig& c, const Json& v) {
    (c.*field).clear();
    for (const std::string& text : split_names(v)) {
      if (const auto pair = named_number(text)) (c.*field).insert(*pair);
    }
  };
}

// "claude-work=SECRET" is a key that clients may present, under a name.
void add_named_keys(ServeConfig& config, const Json& list) {
  for (const Json& item : list.as_array()) {
    const std::string& text = item.as_string();
    const std::size_t equals = text.find('=');
    if (equals == text.npos) continue;
    config.api_keys.push_back(text.substr(equals + 1));
    config.key_names[text.substr(equals + 1)] = text.substr(0, equals);
  }
}

std::vector<std::string> chat_formats() {
  const auto names = chat::format_names();
  return {names.begin(), names.end()};
}

}  // namespace

const std::vector<Setting>& settings() {
  using C = ServeConfig;
  using Kind = SettingKind;
  using S = gateway::SamplingChoice;
  static const std::vector<Setting> all = {
      {"serve", "model", "--model,-m", "GGUF file, or any shard of one",
       "\"/models/kimi-00001-of-00012.gguf\"", Kind::text, 0, 0, {}, to(&C::model)},
      {"serve", "host", "--host", "address to listen on (127.0.0.1); others than loopback need an API key",
       "\"127.0.0.1\"", Kind::text, 0, 0, {}, to(&C::host)},
      {"serve", "port", "--port,-p", "0: any free one (8484)",
       "8484", Kind::integer, 0, 65535, {}, to(&C::port)},
      {"serve", "api_keys", "", "keys that clients may present",
       "[\"a-long-random-text\"]", Kind::list, 0, 0, {}, to(&C::api_keys)},
      {"serve", "named_keys", "", "keys with a name, by which routes know a client",
       "[\"claude-work=a-long-random-text\"]", Kind::named_texts, 0, 0, {}, add_named_keys},
      {"serve", "allowed_hosts", "--allowed-host", "names in the Host header beside loopback; \"*\": all",
       "[\"studio.local\"]", Kind::list, 0, 0, {}, to(&C::allowed_hosts)},
      {"serve", "allowed_origins", "--allowed-origin", "web pages that may call, beside loopback ones",
       "[\"https://chat.example\"]", Kind::list, 0, 0, {}, to(&C::allowed_origins)},
      {"serve", "model_name", "--model-name", "the name that clients see",
       "\"kimi-k2.6\"", Kind::text, 0, 0, {}, to(&C::model_name)},
      {"serve", "chat_format", "--chat-format", "instead of the one chosen from the model's template",
       "\"kimi-k2.6\"", Kind::text, 0, 0, chat_formats(), to(&C::chat_format)},

      {"worker", "context", "--context", "tokens of KV for all conversations together (32768)",
       "32768", Kind::integer, 256, 16'777'216, {}, to(&C::context_tokens)},
      {"worker", "sequences", "--sequences", "answers at the same time (4)",
       "4", Kind::integer, 1, 255, {}, to(&C::sequences)},
      {"worker", "chunk_tokens", "--chunk-tokens", "tokens of one KV chunk (1024)",
       "1024", Kind::integer, 1, kv::chunk_tokens_max, {}, to(&C::chunk_tokens)},
      {"worker", "ubatch", "--ubatch", "tokens computed at once (512)",
       "512", Kind::integer, 1, 65536, {}, to(&C::ubatch_tokens)},
      {"worker", "kv_type", "--kv-type", "number format of the KV cache (f16)",
       "\"q8_0\"", Kind::text, 0, 0,
       {"f16", "q8_0", "f32", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl"}, to(&C::kv_type)},
      {"worker", "threads", "--threads", "0: one per core (0)",
       "0", Kind::integer, 0, 1024, {}, to(&C::threads)},
      {"worker", "device", "--device", "auto, cpu, or a device's name (auto)",
       "\"auto\"", Kind::text, 0, 0, {}, to(&C::device)},

      {"store", "enabled", "", "keep KV on disk, so that conversations outlive a restart",
       "true", Kind::toggle, 0, 0, {}, to(&C::store)},
      {"store", "directory", "--store", "directory of the chunk store (in the cache directory)",
       "\"/var/lib/hearth/chunks\"", Kind::text, 0, 0, {}, to(&C::store_directory)},
      {"store", "disk_gb", "--store-gb", "most disk the store may take, in GB (20)",
       "20", Kind::integer, 0, 1'000'000, {}, to(&C::store_disk_gb)},
      {"store", "memory_gb", "", "most memory it may take, in GB (1)",
       "1", Kind::integer, 1, 100'000, {}, to(&C::store_memory_gb)},

      {"sampling", "temperature", "--temperature", "instead of the model's recommendation",
       "1.0", Kind::number, 0, 10, {}, to(&S::temperature)},
      {"sampling", "top_p", "--top-p", "instead of the model's recommendation",
       "0.95", Kind::number, 0, 1, {}, to(&S::top_p)},
      {"sampling", "min_p", "--min-p", "instead of the model's recommendation",
       "0.01", Kind::number, 0, 1, {}, to(&S::min_p)},
      {"sampling", "repeat_penalty", "", "instead of the model's recommendation; 1: none",
       "1.0", Kind::number, 0.1, 10, {}, to(&S::repeat_penalty)},
      {"sampling", "client", "", "what clients ask for wins over the model's recommendation and this section",
       "true", Kind::toggle, 0, 0, {}, to(&C::client_sampling)},

      {"limits", "requests", "--requests",
       "answers running and waiting (64); beyond, clients are told to come back",
       "64", Kind::integer, 1, 10'000, {}, to(&C::requests_max)},
      {"limits", "connections", "", "open at the same time (1024)",
       "1024", Kind::integer, 1, 100'000, {}, to(&C::connections_max)},
      {"limits", "body_mb", "", "of one request",
       "64", Kind::integer, 1, 1024, {}, to(&C::body_mb_max)},
      {"limits", "heartbeat_s", "", "between signs of life while a prompt is read",
       "10", Kind::number, 0.05, 60, {}, to(&C::heartbeat_s)},
      {"limits", "grace_s", "", "an answer that nobody reads any more goes on for so long",
       "60", Kind::number, 0, 3600, {}, to(&C::grace_s)},
      {"limits", "whole_answer_wait_s", "", "a client without a stream is asked to come back after",
       "240", Kind::number, 0.1, 86'400, {}, to(&C::whole_answer_wait_s)},

      {"cluster", "enabled", "", "take part in the cluster that this machine is a member of",
       "true", Kind::toggle, 0, 0, {}, to(&C::cluster)},
      {"cluster", "directory", "--cluster-dir",
       "the cluster's folder (cluster in the configuration directory)",
       "\"/etc/hearth/cluster\"", Kind::text, 0, 0, {}, to(&C::cluster_directory)},
      {"cluster", "listen", "--cluster-listen",
       "HOST:PORT for other machines (the port of this member's address, on every address)",
       "\"10.0.0.2:7070\"", Kind::text, 0, 0, {}, to(&C::cluster_listen)},
      {"cluster", "prefills", "--prefills",
       "prompts that this machine computes for others at once; 0: none (1)",
       "1", Kind::integer, 0, 64, {}, to(&C::prefills_max)},
      {"cluster", "prefill", "--cluster-prefill",
       "who computes prompts: auto, whoever is predicted to be done first; alone, this machine; remote, "
       "the best peer that can, however slow (auto)",
       "\"auto\"", Kind::text, 0, 0, {"auto", "alone", "remote"}, to(&C::cluster_prefill)},
      {"cluster", "managed", "",
       "hearth up, run where the cluster's authority is, says what this machine runs",
       "true", Kind::toggle, 0, 0, {}, to(&C::managed)},
      {"cluster", "parity_kl", "--parity-kl",
       "how far the next token's distribution may be from this machine's behind another's KV, as KL divergence in nats (0.01)",
       "0.01", Kind::number, 0, 10, {}, to(&C::parity_kl)},
      {"cluster", "parity_exact", "",
       "another's KV must give this machine's logits to the last bit: only among equal machines",
       "true", Kind::toggle, 0, 0, {}, to(&C::parity_exact)},
      {"cluster", "parity_tokens", "--parity-tokens",
       "of the 16 likeliest tokens in a row behind another's KV, how many from the first on must be this machine's (4)",
       "4", Kind::integer, 0, 16, {}, to(&C::parity_tokens)},
      {"cluster", "other_precision", "--other-precision",
       "machines that may prefill with another quantisation of the model, and the KL divergence allowed "
       "them (none)",
       "[\"spark-1=0.05\"]", Kind::named_numbers, 0, 0, {}, to(&C::other_precision)},
      {"cluster", "canary_hours", "", "how often an idle pair of machines is tried again (1)",
       "1", Kind::number, 0.001, 1000, {}, to(&C::canary_hours)},
      {"cluster", "lend", "", "lend this machine's memory: workers of others may put layers on it",
       "true", Kind::toggle, 0, 0, {}, to(&C::lend)},
      {"cluster", "lend_port", "--lend-port", "where the tunnels of others come in (0: any free port)",
       "7071", Kind::integer, 0, 65535, {}, to(&C::lend_port)},
      {"cluster", "pool", "--pool", "machines that lend their memory to this one's worker",
       "[\"spark-1\", \"spark-2\"]", Kind::list, 0, 0,
       {}, [](ServeConfig& c, const Json& v) { c.pool = split_names(v); }},
      {"cluster", "pool_mode", "--pool-mode",
       "unified: one worker over all machines; gathered: it prefills for one here that has all layers "
       "(unified)",
       "\"gathered\"", Kind::text, 0, 0, {"unified", "gathered"}, to(&C::pool_mode)},
      {"cluster", "pool_shares", "--pool-shares",
       "layers in proportion to these, this machine too (free memory decides)",
       "[\"studio=3\", \"spark-1=1\"]", Kind::named_numbers, 0, 0, {}, to(&C::pool_shares)},
      {"cluster", "pool_bandwidths", "--pool-bandwidths",
       "GB/s of each machine's memory, this one's too: the fastest is filled first",
       "[\"studio=819\", \"spark-1=273\"]", Kind::named_numbers, 0, 0, {}, to(&C::pool_bandwidths)},

      {"seal", "default", "--label",
       "how far work may travel that nothing else labels: open, house, sealed (open)",
       "\"house\"", Kind::text, 0, 0, {"open", "house", "sealed"}, to(&C::default_label)},
      {"seal", "key_labels", "", "API keys whose work has a label",
       "[\"a-long-random-text=sealed\"]", Kind::list, 0, 0, {}, to(&C::key_labels)},
      {"seal", "folders", "", "folders whose files, named in a request, give it a label",
       "[\"/home/me/diary=sealed\"]", Kind::list, 0, 0, {}, to(&C::folders)},
      {"seal", "patterns", "", "texts that seal a request, by name; # is a digit, ? any character",
       "[\"case=Case ####/##\"]", Kind::list, 0, 0, {}, to(&C::patterns)},
      {"seal", "vault", "--vault", "the vault's folder (vault in the data directory)",
       "\"/var/lib/hearth/vault\"", Kind::text, 0, 0, {}, to(&C::vault_directory)},

      {"egress", "socket", "--egress",
       "unix socket of hearth egress, the only way to upstreams outside of the house (egress.sock in the "
       "configuration directory)",
       "\"/run/hearth/egress.sock\"", Kind::text, 0, 0, {}, to(&C::egress_socket)},
      {"egress", "access", "--egress-access", "who may connect to that socket: its owner, or its group too, when hearth serve is another user (owner)",
       "\"group\"", Kind::text, 0, 0, {"owner", "group"}, to(&C::egress_access)},
      {"egress", "audit", "", "the log of what left (audit.log in the configuration directory)",
       "\"/var/lib/hearth/audit.log\"", Kind::text, 0, 0, {}, to(&C::egress_audit)},

      {"here", "model_digest", "",
       "of the weights, as the quality bench has it; a verdict made with others is stale",
       "\"sha256:...\"", Kind::text, 0, 0, {}, to(&C::model_digest)},
      {"here", "topology", "", "how the machines are arranged, as the bench has it",
       "\"studio\"", Kind::text, 0, 0, {}, to(&C::topology)},
      {"here", "suite_version", "", "of the bench's prompts; verdicts of others are stale",
       "\"\"", Kind::text, 0, 0, {}, to(&C::suite_version)},

      {"log", "level", "--log", "how much is logged (info); never prompts or answers",
       "\"info\"", Kind::text, 0, 0, {"debug", "info", "warning", "error", "off"}, to(&C::log_level)},
  };
  return all;
}

}  // namespace hearth::cli
