#pragma once
// What is known about machines, links, models, engines and published measurements, each with its
// source. Plain values: copy them, compare them, change them in tests.
//
// Absent numbers are not known and stay absent: nothing here is a guess. Sizes in bytes, bandwidths
// in gigabytes (10^9 bytes) per second, rates in tokens per second of one stream unless
// `concurrency` says otherwise. Reading and checking is in load.h, this file holds no logic but
// look-ups.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::plan {

enum class Confidence : std::uint8_t { own, source, calculated, secondary };
std::string_view confidence_name(Confidence confidence);

struct Origin {
  std::string source{};
  Confidence confidence = Confidence::source;
};

// An effective prefill rate somebody reached on a machine. Shown, and the last resort of a
// forecast.
struct PrefillPrior {
  std::string model_class{};
  double low_tflops = 0;
  double high_tflops = 0;
  Origin origin{};
};

struct Machine {
  std::string key{};
  std::string chip{};  // machines with one chip compute alike
  std::string name{};
  std::string role{};
  std::string backend{};  // "metal", "cuda", …
  std::string os{};
  std::optional<std::uint64_t> memory_bytes{};
  std::optional<std::uint64_t> usable_bytes{};    // the limit of the operating system or driver
  std::optional<std::uint64_t> planning_bytes{};  // what a plan may use of it
  std::string planning_reason{};
  std::optional<double> memory_bandwidth_gb_s{};
  std::optional<double> storage_read_gb_s{};
  std::vector<PrefillPrior> prefill_priors{};
  std::vector<std::string> notes{};
  Origin origin{};
};

struct Link {
  std::string key{};
  std::string name{};
  std::string transport{};
  std::vector<std::string> between{};
  std::optional<double> nominal_gbit_s{};
  std::optional<double> effective_gb_s{};
  std::optional<double> effective_low_gb_s{};
  std::optional<double> effective_high_gb_s{};
  std::optional<double> latency_us{};
  std::vector<std::string> notes{};
  Origin origin{};
};

struct ClusterMember {
  std::string name{};
  std::string machine{};
};
struct ClusterConnection {
  std::string a{};
  std::string b{};
  std::string link{};
  std::string fallback{};
  std::string note{};
};
struct Cluster {
  std::string key{};
  std::string name{};
  std::vector<ClusterMember> members{};
  std::vector<ClusterConnection> connections{};
  Origin origin{};
};

// One file set of a model.
struct Variant {
  std::string name{};
  std::string format{};
  std::uint64_t bytes = 0;
  std::optional<double> routed_bits_per_weight{};
  std::optional<std::uint64_t> bytes_read_per_token{};
  std::optional<std::uint64_t> bytes_per_layer{};
  std::optional<double> perplexity{};
  std::string layout{};
  std::string requires_engine{};
  std::string note{};
  Origin origin{};
};

// One architecture. `architecture` is the key of the entry that describes it: its own, or that of
// the model it equals; two models with one architecture count as the same model everywhere.
struct Model {
  std::string key{};
  std::string architecture{};
  std::string name{};
  std::string gguf_arch{};
  std::string attention{};
  double total_params = 0;
  double active_params_decode = 0;   // with the output head
  double active_params_prefill = 0;  // without: it runs on the last token only; 0: not known
  double active_routed_params = 0;
  double routed_params = 0;
  double head_params = 0;
  double other_params = 0;
  std::uint32_t layers = 0;
  std::uint32_t dense_layers = 0;
  std::uint32_t full_attention_layers = 0;  // 0: all of them
  std::uint32_t sliding_attention_layers = 0;
  std::uint32_t sliding_window = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t vocab = 0;
  std::uint32_t experts = 0;
  std::uint32_t experts_per_token = 0;
  std::uint64_t context = 0;  // 0: not known
  std::uint64_t kv_bytes_per_token_f16 = 0;
  std::uint64_t kv_bytes_per_token_q8_0 = 0;  // 0: not known
  std::uint64_t kv_bytes_per_token_f16_full_layers = 0;
  std::uint64_t recurrent_state_bytes = 0;
  double attention_flop_per_context_token = 0;           // FLOP per new and context token
  double attention_flop_per_context_token_absorbed = 0;  // MLA as libllama computes it
  double kv_up_projection_flop_per_context_token = 0;    // MLA expanded: once per chunk
  std::vector<Variant> variants{};
  std::vector<std::string> notes{};
  Origin origin{};
};

struct Quantisation {
  std::string key{};
  double bits_per_weight = 0;        // the bulk of the file
  double other_bits_per_weight = 0;  // the non-routed part of a mixture of experts
  Origin origin{};
};

struct EngineEntry {
  std::string key{};
  std::string name{};
  std::string version{};
  std::string as_of{};    // month of the newest material read
  std::string kernels{};  // engines with one kernel family compute alike
  std::vector<std::string> backends{};
  std::vector<std::string> formats{};
  std::vector<std::string> families{};
  std::vector<std::string> transports{};
  std::vector<std::string> known_blockers{};
  bool spans_backends = false;
  std::string split_state{};
  Origin origin{};
};

struct Measurement {
  std::string id{};
  std::string hardware{};  // "a+b": unlike machines together
  std::uint32_t nodes = 1;
  std::string link{};
  std::string model{};
  std::string quant{};
  std::string engine{};
  std::string engine_generation{};
  std::string method{};
  std::string parallelism{};
  bool prefill_is_chunk = false;  // else the average from `depth` on
  std::optional<std::uint64_t> prompt_tokens{};
  std::uint64_t depth = 0;
  std::uint64_t gen_tokens = 0;
  std::optional<std::uint32_t> ubatch{};
  std::uint32_t concurrency = 1;
  std::optional<double> prefill_tok_s{};
  std::optional<double> decode_tok_s{};
  std::optional<std::uint64_t> weights_bytes{};
  std::vector<std::string> flags{};
  std::string date{};
  std::string note{};
  Origin origin{};
  bool has_flag(std::string_view flag) const;
};

struct Catalog {
  std::vector<Machine> machines{};
  std::vector<Link> links{};
  std::vector<Cluster> clusters{};
  std::vector<Model> models{};
  std::vector<Quantisation> quantisations{};
  std::vector<EngineEntry> engines{};
  std::vector<Measurement> measurements{};

  const Machine* machine(std::string_view key) const;
  const Link* link(std::string_view key) const;
  const Cluster* cluster(std::string_view key) const;
  const Model* model(std::string_view key) const;
  const Quantisation* quantisation(std::string_view key) const;
  const EngineEntry* engine(std::string_view key) const;
};

}  // namespace hearth::plan
