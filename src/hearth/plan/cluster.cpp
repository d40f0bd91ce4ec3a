#include "hearth/plan/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "hearth/plan/catalog/entry.h"
#include "hearth/base/toml.h"

namespace hearth::plan {
namespace {

constexpr double bytes_per_gb = 1e9;
// Goodput over the nominal rate where nobody measured: links carry 60 to 80 % of what they promise.
constexpr double assumed_goodput = 0.7;
constexpr double tcp_latency_s = 100e-6;
constexpr double rdma_latency_s = 10e-6;
// Of memory whose operating-system limit nobody measured, for a machine that does nothing else.
constexpr double usable_share_default = 0.75;

constexpr std::string_view example =
    "for example:\n"
    "  [[member]]\n"
    "  name = \"studio\"\n"
    "  machine = \"mac-studio-m3-ultra-512\"   # a key of `hearth catalog ls machines`\n"
    "  [[member]]\n"
    "  name = \"box\"                          # not in the catalogue: four numbers of a probe\n"
    "  backend = \"cuda\"\n"
    "  usable_gb = 90\n"
    "  memory_bandwidth_gb_s = 1790\n"
    "  prefill_tflops = 60\n"
    "  storage_read_gb_s = 12\n"
    "  [[connection]]\n"
    "  ends = [\"studio\", \"box\"]\n"
    "  link = \"10gbe\"                        # or gb_s = 1.1 and latency_us = 100";

double known_latency_s(const Link& link) {
  if (link.latency_us) return *link.latency_us * 1e-6;
  return link.transport.find("RDMA") != std::string::npos ? rdma_latency_s : tcp_latency_s;
}

Wire wire_of(const Link& link, std::size_t a, std::size_t b) {
  Wire wire{.a = a, .b = b, .key = link.key, .transport = link.transport};
  wire.latency_s = known_latency_s(link);
  if (link.effective_gb_s) {
    wire.gb_s = *link.effective_gb_s;
  } else if (link.nominal_gbit_s) {
    wire.gb_s = *link.nominal_gbit_s / 8 * assumed_goodput;
    wire.assumed_gb_s = true;
  }
  return wire;
}

void take_memory(Node& node, const Machine& machine) {
  if (machine.planning_bytes) {
    node.usable_bytes = *machine.planning_bytes;
    node.usable_from = "planning size of the catalogue: " + machine.planning_reason;
  } else if (machine.usable_bytes) {
    node.usable_bytes = *machine.usable_bytes;
    node.usable_from = "limit of the operating system";
  } else if (machine.memory_bytes) {
    node.usable_bytes = static_cast<std::uint64_t>(static_cast<double>(*machine.memory_bytes) *
                                                   usable_share_default);
    node.usable_from = "three quarters of its memory: no limit measured";
  }
}

Node node_of(const Catalog& catalog, const Machine& machine, std::string name, Problems& problems) {
  Node node{.name = std::move(name),
            .hardware = machine.key,
            .chip = machine.chip,
            .backend = machine.backend};
  take_memory(node, machine);
  if (node.usable_bytes == 0 || !machine.memory_bandwidth_gb_s) {
    problems.push_back(fmt::format(
        "member '{}': the catalogue does not know memory and bandwidth of '{}'; probe the machine "
        "(hearth node probe) or give the four numbers",
        node.name, machine.key));
    return node;
  }
  node.bandwidth_gb_s = *machine.memory_bandwidth_gb_s;
  node.storage_read_gb_s = machine.storage_read_gb_s;
  for (const PrefillPrior& prior : machine.prefill_priors) {
    node.prior_low_tflops = std::min(node.prior_low_tflops.value_or(prior.low_tflops), prior.low_tflops);
    node.prior_high_tflops = std::max(node.prior_high_tflops.value_or(prior.high_tflops), prior.high_tflops);
  }
  std::ranges::copy_if(catalog.runs, std::back_inserter(node.runs),
                       [&](const OwnRun& run) { return run.hardware == machine.key; });
  return node;
}

// Everything reachable from the first node.
bool connected(const ClusterSpec& spec, std::string& lonely) {
  std::set<std::size_t> reached{0};
  for (bool grew = true; grew;) {
    grew = false;
    for (const Wire& wire : spec.wires) {
      if (reached.contains(wire.a) != reached.contains(wire.b)) {
        reached.insert(wire.a);
        reached.insert(wire.b);
        grew = true;
      }
    }
  }
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (!reached.contains(i)) {
      lonely = spec.nodes[i].name;
      return false;
    }
  }
  return true;
}

void check_whole(const ClusterSpec& spec, Problems& problems) {
  if (spec.nodes.empty()) problems.push_back(fmt::format("a cluster needs members, {}", example));
  if (spec.nodes.size() > nodes_max) {
    problems.push_back(fmt::format("{} members; at most {} are planned for", spec.nodes.size(), nodes_max));
  }
  std::set<std::string> names;
  for (const Node& node : spec.nodes) {
    if (!names.insert(node.name).second) problems.push_back(fmt::format("two members are called '{}'", node.name));
  }
  std::string lonely;
  if (problems.empty() && !connected(spec, lonely)) {
    problems.push_back(
        fmt::format("nothing connects '{}' to '{}'; add a connection:\n  [[connection]]\n  ends = "
                    "[\"{}\", \"{}\"]\n"
                    "  link = \"10gbe\"",
                    spec.nodes[0].name, lonely, spec.nodes[0].name, lonely));
  }
}

Result<ClusterSpec> finish(ClusterSpec spec, Problems problems) {
  check_whole(spec, problems);
  if (problems.empty()) return spec;
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  return fail(Code::invalid_argument, std::move(text));
}

std::optional<std::size_t> index_of(const ClusterSpec& spec, std::string_view name) {
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (spec.nodes[i].name == name) return i;
  }
  return std::nullopt;
}

// What no machine or link of that name can have: a wrong unit, or a wrong name.
void check_memory(Entry& entry, const Machine& machine, double usable_gb) {
  if (!machine.memory_bytes) return;
  const double memory_gb = static_cast<double>(*machine.memory_bytes) / bytes_per_gb;
  if (usable_gb <= memory_gb) return;
  entry.problem(fmt::format("usable_gb = {:g}: a {} has {:.1f} GB in all; give what a plan may take of them, "
                            "leave it out, or name another machine",
                            usable_gb, machine.key, memory_gb));
}

void check_rate(Entry& entry, const Link& link, double gb_s) {
  if (!link.nominal_gbit_s || gb_s <= *link.nominal_gbit_s / 8) return;
  entry.problem(fmt::format("gb_s = {:g}: '{}' carries {:g} Gbit/s, which is {:g} GB/s at most; give what was "
                            "measured, in GB/s, leave it out, or name another link",
                            gb_s, link.key, *link.nominal_gbit_s, *link.nominal_gbit_s / 8));
}

Node read_member(const Json& table, const Catalog& catalog, std::string_view file, Problems& problems) {
  Entry entry(table, file, "member", problems);
  Node node{.name = entry.text("name")};
  const std::string key = entry.text_or("machine");
  const Machine* machine = key.empty() ? nullptr : catalog.machine(key);
  const auto usable_gb = entry.number("usable_gb", {0.1, 1e5});
  const auto bandwidth = entry.number("memory_bandwidth_gb_s", {1, 20000});
  const auto tflops = entry.number("prefill_tflops", {0.001, 20000});
  const auto storage = entry.number("storage_read_gb_s", {0.05, 100});
  const std::string backend = entry.text_or("backend");
  entry.finish();
  if (machine) node = node_of(catalog, *machine, node.name, problems);
  if (machine && usable_gb) check_memory(entry, *machine, *usable_gb);
  if (!machine && (!key.empty() || !usable_gb || !bandwidth || backend.empty())) {
    entry.problem(fmt::format(
        "{}; probe it (hearth node probe) or give backend, usable_gb, memory_bandwidth_gb_s, "
        "prefill_tflops and storage_read_gb_s, {}",
        key.empty() ? "no machine named" : fmt::format("unknown hardware '{}'", key), example));
    return node;
  }
  if (!machine) node.chip = "own:" + node.name;
  if (!backend.empty()) node.backend = backend;
  if (usable_gb) {
    node.usable_bytes = static_cast<std::uint64_t>(*usable_gb * bytes_per_gb);
    node.usable_from = "given in the cluster file";
  }
  if (bandwidth) node.bandwidth_gb_s = *bandwidth;
  if (storage) node.storage_read_gb_s = storage;
  node.probed_prefill_tflops = tflops;
  return node;
}

void read_connection(const Json& table, const Catalog& catalog, std::string_view file,
                     ClusterSpec& spec, Problems& problems) {
  Entry entry(table, file, "connection", problems);
  const std::vector<std::string> ends = entry.strings("ends");
  const std::string key = entry.text_or("link");
  const auto gb_s = entry.number("gb_s", {0.001, 500});
  const auto latency_us = entry.number("latency_us", {0.1, 1e6});
  const auto handoff_ms = entry.number("hand_off_ms", {0, 1e5});
  const auto pool_pass_ms = entry.number("pool_pass_ms", {0, 1e4});
  entry.informative({"fallback", "note"});
  entry.finish();
  if (ends.size() != 2) {
    entry.problem("ends: expected two member names like [\"studio\", \"laptop\"]");
    return;
  }
  const auto a = index_of(spec, ends[0]);
  const auto b = index_of(spec, ends[1]);
  if (!a || !b) {
    entry.problem(fmt::format("no member called '{}'", a ? ends[1] : ends[0]));
    return;
  }
  if (*a == *b) {
    entry.problem(fmt::format("connects '{}' to itself", ends[0]));
    return;
  }
  const bool takes_probed = key.empty() && !gb_s;
  const Link* link = takes_probed ? catalog.probed_link(ends[0], ends[1]) : key.empty() ? nullptr : catalog.link(key);
  if (!link && !gb_s) {
    const std::string what = takes_probed ? fmt::format("no link is named, and none between '{}' and '{}' was measured "
                                                        "(hearth node probe on one of them)", ends[0], ends[1])
                                          : fmt::format("unknown link '{}'", key);
    entry.problem(what + "; name one of `hearth catalog ls links`, or give gb_s and latency_us");
    return;
  }
  Wire wire = link ? wire_of(*link, *a, *b)
                   : Wire{.a = *a, .b = *b, .key = "given", .transport = "TCP", .latency_s = tcp_latency_s};
  if (link && gb_s) check_rate(entry, *link, *gb_s);
  if (gb_s) {
    wire.gb_s = *gb_s;
    wire.assumed_gb_s = false;
  }
  if (latency_us) wire.latency_s = *latency_us * 1e-6;
  if (handoff_ms) wire.handoff_fixed_s = *handoff_ms * 1e-3;
  if (pool_pass_ms) wire.pool_pass_s = *pool_pass_ms * 1e-3;
  if (wire.gb_s <= 0) entry.problem(fmt::format("the rate of '{}' is not known: give gb_s", key));
  spec.wires.push_back(std::move(wire));
}

}  // namespace

const Wire* ClusterSpec::between(std::size_t a, std::size_t b) const {
  const Wire* best = nullptr;
  for (const Wire& wire : wires) {
    const bool joins = (wire.a == a && wire.b == b) || (wire.a == b && wire.b == a);
    if (joins && (!best || wire.gb_s > best->gb_s)) best = &wire;
  }
  return best;
}

Result<ClusterSpec> resolve_cluster(const Catalog& catalog, const Cluster& cluster) {
  ClusterSpec spec{.name = cluster.key};
  Problems problems;
  for (const ClusterMember& member : cluster.members) {
    const Machine* machine = catalog.machine(member.machine);
    if (!machine) {
      problems.push_back(fmt::format("member '{}': unknown hardware '{}'", member.name, member.machine));
      continue;
    }
    spec.nodes.push_back(node_of(catalog, *machine, member.name, problems));
  }
  for (const ClusterConnection& c : cluster.connections) {
    const auto a = index_of(spec, c.a);
    const auto b = index_of(spec, c.b);
    const Link* link = catalog.link(c.link);
    if (!a || !b || !link || *a == *b) {
      problems.push_back(fmt::format("connection {} – {} over '{}' joins nothing known", c.a, c.b, c.link));
      continue;
    }
    spec.wires.push_back(wire_of(*link, *a, *b));
    if (spec.wires.back().gb_s <= 0) {
      problems.push_back(fmt::format("the rate of link '{}' is not known: measure it", c.link));
    }
  }
  return finish(std::move(spec), std::move(problems));
}

Result<ClusterSpec> parse_cluster(const Catalog& catalog, std::string_view toml, std::string_view file_name) {
  const Json root = TRY(parse_toml(toml, file_name));
  Problems problems;
  Entry entry(root, file_name, "cluster", problems);
  ClusterSpec spec{.name = entry.text_or("name", std::string(file_name))};
  for (const Json* table : entry.tables("member")) {
    spec.nodes.push_back(read_member(*table, catalog, file_name, problems));
  }
  for (const Json* table : entry.tables("connection")) {
    read_connection(*table, catalog, file_name, spec, problems);
  }
  entry.finish();
  return finish(std::move(spec), std::move(problems));
}

}  // namespace hearth::plan
