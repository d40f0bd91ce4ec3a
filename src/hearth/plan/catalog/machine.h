#pragma once
// Machines, links and clusters as the catalogue knows them, and where a fact comes from. Plain
// values.

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

// What a probe measured between two machines of a cluster, in both directions: there is from the first of
// Link::between to the second.
struct ProbedLink {
  double there_gb_s = 0, there_spread = 0;
  double back_gb_s = 0, back_spread = 0;
  double round_trip_ms = 0, round_trip_spread = 0;
  std::string date{};
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
  std::optional<ProbedLink> probed{};  // then `between` has names of the cluster's machines, not keys
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

}  // namespace hearth::plan
