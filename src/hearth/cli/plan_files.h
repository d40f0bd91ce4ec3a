#pragma once
// The files a plan reads: catalogues of the user, a cluster, a model.

#include <filesystem>
#include <string>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/plan/catalog/load.h"
#include "hearth/plan/cluster.h"
#include "hearth/plan/cost/card.h"

namespace hearth::cli {

// ~/.config/hearth/catalog.toml (or XDG_CONFIG_HOME); read when it exists.
Result<std::filesystem::path> user_catalog_path();

// ~/.config/hearth/probe.toml: what `hearth node probe` found; read when it exists.
Result<std::filesystem::path> probe_path();
// What a probe of this machine as a lender of memory writes.
Result<std::filesystem::path> lent_probe_path();

// What ships, what the probe found, the user's own file, and `files`.
Result<plan::Catalog> load_catalog_with(const std::vector<std::string>& files);

// Appends, after checking that the file still loads with the text at its end.
Result<> append_checked(const std::filesystem::path& path, const std::string& text);

// A catalogue cluster by key ("reference"), else a machine of it alone, else a TOML file.
Result<plan::ClusterSpec> load_cluster(const plan::Catalog& catalog, const std::string& name);

// One card per quantisation asked for. `model` is a catalogue key, a GGUF file, or the URL of one; a
// file has one.
Result<std::vector<plan::ModelCard>> load_cards(const plan::Catalog& catalog,
                                                const std::string& model,
                                                const std::vector<std::string>& quants,
                                                const StopToken& stop);

}  // namespace hearth::cli
