#pragma once
// What a probe of this machine found, as the planner's catalogue, as JSON and for people. Pure.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/cli/probe_links.h"
#include "hearth/node/probe/machine_probe.h"
#include "hearth/node/probe/model_probe.h"
#include "hearth/plan/catalog/catalog.h"
#include "hearth/plan/cost/card.h"

namespace hearth::cli {

struct ProbedModel {
  std::string file;
  plan::ModelCard card;
  node::ModelProbe probe;
  std::string backend;
};

struct Probe {
  node::MachineFacts facts;
  node::Measured bandwidth_gb_s;
  std::optional<node::Measured> storage_gb_s;
  std::vector<ProbedModel> models;
  ProbedLinks links;
  std::string date;
  bool lent = false;  // behind this machine's own RPC server
};

plan::Machine machine_of(const Probe& probe);
std::vector<plan::OwnRun> runs_of(const Probe& probe);
// Those that could be measured, under the names that the cluster has for its machines.
std::vector<plan::Link> links_of(const Probe& probe);
Json probe_json(const Probe& probe, const std::filesystem::path& path);
std::string probe_text(const Probe& probe, const std::filesystem::path& path);

}  // namespace hearth::cli
