#pragma once
// The machines and links a plan is made for, every number resolved and none invented.
//
// From the catalogue's clusters, or from a user's TOML file (format: docs/plan.md). Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/plan/catalog/catalog.h"

namespace hearth::plan {

struct Node {
  std::string name{};
  std::string hardware{};  // catalogue key; empty when described by numbers
  std::string chip{};
  std::string backend{};
  std::uint64_t usable_bytes = 0;  // what weights, KV and buffers of a plan may take together
  std::string usable_from{};       // why that much
  double bandwidth_gb_s = 0;
  std::optional<double> storage_read_gb_s{};
  std::optional<double>
      probed_prefill_tflops{};               // measured on this machine: beats everything published
  std::optional<double> prior_low_tflops{};  // of the catalogue, when nothing better is known
  std::optional<double> prior_high_tflops{};
  std::vector<OwnRun> runs{};  // timed on this machine: speak for the models they were made with
};

struct Wire {
  std::size_t a = 0;  // indices of nodes
  std::size_t b = 0;
  std::string key{};
  std::string transport{};
  double gb_s = 0;
  double latency_s = 0;
  bool assumed_gb_s = false;  // from the nominal rate: nobody measured it
  std::optional<double> handoff_fixed_s{};  // of each hand-off over it, when somebody measured it
  std::optional<double> pool_pass_s{};  // fixed cost of a pass through layers at its other end, likewise
};

struct ClusterSpec {
  std::string name{};
  std::vector<Node> nodes{};
  std::vector<Wire> wires{};
  // The fastest wire between two different nodes, nullptr when there is none.
  const Wire* between(std::size_t a, std::size_t b) const;
};

// At most this many machines in one plan.
inline constexpr std::size_t nodes_max = 16;

// invalid_argument with one line per problem: unknown hardware (what to give instead), members that
// no connection reaches, absurd values.
Result<ClusterSpec> resolve_cluster(const Catalog& catalog, const Cluster& cluster);
Result<ClusterSpec> parse_cluster(const Catalog& catalog, std::string_view toml,
                                  std::string_view file_name);

}  // namespace hearth::plan
