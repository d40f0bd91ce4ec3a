#pragma once
// What is known about machines, links, models, engines and published measurements, each with its
// source. Plain values: copy them, compare them, change them in tests.
//
// Absent numbers are not known and stay absent: nothing here is a guess. Sizes in bytes, bandwidths
// in gigabytes (10^9 bytes) per second, rates in tokens per second of one stream unless
// `concurrency` says otherwise. Reading and checking is in load.h, this file holds no logic but
// look-ups.

#include <string_view>
#include <vector>

#include "hearth/plan/catalog/machine.h"
#include "hearth/plan/catalog/measurement.h"
#include "hearth/plan/catalog/model.h"

namespace hearth::plan {

struct Catalog {
  std::vector<Machine> machines{};
  std::vector<Link> links{};
  std::vector<Cluster> clusters{};
  std::vector<Model> models{};
  std::vector<Quantisation> quantisations{};
  std::vector<EngineEntry> engines{};
  std::vector<Measurement> measurements{};
  std::vector<OwnRun> runs{};

  const Machine* machine(std::string_view key) const;
  const Link* link(std::string_view key) const;
  // What was measured between machines of these names, whichever of them measured it.
  const Link* probed_link(std::string_view a, std::string_view b) const;
  const Cluster* cluster(std::string_view key) const;
  const Model* model(std::string_view key) const;
  const Quantisation* quantisation(std::string_view key) const;
  const EngineEntry* engine(std::string_view key) const;
};

}  // namespace hearth::plan
