#pragma once
// One reader per kind of catalogue entry. Internal to catalog/.

#include "hearth/plan/catalog/catalog.h"
#include "hearth/plan/catalog/entry.h"

namespace hearth::plan {

struct ReadContext {
  std::string_view file;
  Problems& problems;
};

// source and confidence, which every entry has.
Origin read_origin(Entry& entry);

Machine read_machine(const Json& table, const ReadContext& context);
Link read_link(const Json& table, const ReadContext& context);
Cluster read_cluster(const Json& table, const ReadContext& context);
// A model that names `same_architecture_as` takes everything else from that one in `known`.
Model read_model(const Json& table, const std::vector<Model>& known, const ReadContext& context);
Quantisation read_quantisation(const Json& table, const ReadContext& context);
EngineEntry read_engine(const Json& table, const ReadContext& context);
Measurement read_measurement(const Json& table, const ReadContext& context);
OwnRun read_run(const Json& table, const ReadContext& context);

}  // namespace hearth::plan
