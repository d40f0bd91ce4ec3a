#include "hearth/plan/catalog/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hearth/plan/catalog/read_entries.h"
#include "hearth/base/toml.h"

namespace hearth::plan::shipped {  // cmake/Embed.cmake
extern const std::string_view hardware_toml;
extern const std::string_view models_toml;
extern const std::string_view engines_toml;
extern const std::string_view measurements_toml;
}  // namespace hearth::plan::shipped

namespace hearth::plan {
namespace {

constexpr std::size_t problems_shown_max = 20;

// Adds or replaces; a key twice in one file is a mistake.
template <class T, class Key>
void put(std::vector<T>& entries, T entry, Key key, std::set<std::string>& seen_in_file,
         const ReadContext& context) {
  const std::string name = entry.*key;
  if (!seen_in_file.insert(name).second) {
    context.problems.push_back(fmt::format("{}: '{}' appears twice", context.file, name));
  }
  const auto old = std::ranges::find(entries, name, key);
  if (old == entries.end()) {
    entries.push_back(std::move(entry));
  } else {
    *old = std::move(entry);
  }
}

// The entry of a later file replaces the earlier one but keeps variants it does not name.
void put_model(Catalog& catalog, Model model, std::set<std::string>& seen,
               const ReadContext& context) {
  if (const Model* old = catalog.model(model.key)) {
    for (const Variant& variant : old->variants) {
      if (std::ranges::find(model.variants, variant.name, &Variant::name) == model.variants.end()) {
        model.variants.push_back(variant);
      }
    }
  }
  put(catalog.models, std::move(model), &Model::key, seen, context);
}

void load_one(const CatalogFile& file, Catalog& catalog, Problems& problems) {
  const Result<Json> parsed = parse_toml(file.text, file.name);
  if (!parsed) {
    problems.push_back(parsed.error().message);
    return;
  }
  const ReadContext context{file.name, problems};
  Entry root(*parsed, file.name, "file", problems);
  std::set<std::string> machines, links, clusters, models, quantisations, engines, rows, runs;
  for (const Json* t : root.tables("machine")) {
    put(catalog.machines, read_machine(*t, context), &Machine::key, machines, context);
  }
  for (const Json* t : root.tables("link")) {
    put(catalog.links, read_link(*t, context), &Link::key, links, context);
  }
  for (const Json* t : root.tables("cluster")) {
    put(catalog.clusters, read_cluster(*t, context), &Cluster::key, clusters, context);
  }
  for (const Json* t : root.tables("quantisation")) {
    put(catalog.quantisations, read_quantisation(*t, context), &Quantisation::key, quantisations,
        context);
  }
  for (const Json* t : root.tables("model")) {
    put_model(catalog, read_model(*t, catalog.models, context), models, context);
  }
  for (const Json* t : root.tables("engine")) {
    put(catalog.engines, read_engine(*t, context), &EngineEntry::key, engines, context);
  }
  for (const Json* t : root.tables("measurement")) {
    put(catalog.measurements, read_measurement(*t, context), &Measurement::id, rows, context);
  }
  for (const Json* t : root.tables("run")) {
    put(catalog.runs, read_run(*t, context), &OwnRun::id, runs, context);
  }
  root.finish();
}

std::unexpected<Error> report(const Problems& problems) {
  std::string text;
  const std::size_t shown = std::min(problems.size(), problems_shown_max);
  for (std::size_t i = 0; i < shown; ++i) text += (i ? "\n" : "") + problems[i];
  if (shown < problems.size()) text += fmt::format("\n… and {} more", problems.size() - shown);
  return fail(Code::invalid_argument, std::move(text));
}

}  // namespace

std::vector<CatalogFile> shipped_files() {
  return {{"hardware.toml", shipped::hardware_toml},
          {"models.toml", shipped::models_toml},
          {"engines.toml", shipped::engines_toml},
          {"measurements.toml", shipped::measurements_toml}};
}

std::vector<std::string> check_references(const Catalog& catalog) {
  Problems problems;
  for (const Measurement& row : catalog.measurements) {
    std::string_view rest = row.hardware;
    while (!rest.empty()) {
      const std::size_t plus = rest.find('+');
      const std::string_view key = rest.substr(0, plus);
      if (!catalog.machine(key)) {
        problems.push_back(fmt::format("measurement '{}': no machine '{}'", row.id, key));
      }
      rest = plus == std::string_view::npos ? "" : rest.substr(plus + 1);
    }
    if (!row.link.empty() && !catalog.link(row.link)) {
      problems.push_back(fmt::format("measurement '{}': no link '{}'", row.id, row.link));
    }
  }
  for (const OwnRun& run : catalog.runs) {
    if (!catalog.machine(run.hardware)) {
      problems.push_back(fmt::format("run '{}': no machine '{}'", run.id, run.hardware));
    }
  }
  for (const Cluster& cluster : catalog.clusters) {
    std::set<std::string> names;
    for (const ClusterMember& member : cluster.members) {
      names.insert(member.name);
      if (!catalog.machine(member.machine)) {
        problems.push_back(
            fmt::format("cluster '{}': no machine '{}'; `hearth catalog ls machines`", cluster.key,
                        member.machine));
      }
    }
    for (const ClusterConnection& c : cluster.connections) {
      for (const std::string& end : {c.a, c.b}) {
        if (!names.contains(end)) {
          problems.push_back(fmt::format("cluster '{}': connection to '{}', which is no member",
                                         cluster.key, end));
        }
      }
      if (!catalog.link(c.link)) {
        problems.push_back(fmt::format("cluster '{}': no link '{}'", cluster.key, c.link));
      }
      if (!c.fallback.empty() && !catalog.link(c.fallback)) {
        problems.push_back(fmt::format("cluster '{}': no link '{}'", cluster.key, c.fallback));
      }
    }
  }
  return problems;
}

Result<Catalog> load_catalog(std::span<const CatalogFile> files) {
  Catalog catalog;
  Problems problems;
  for (const CatalogFile& file : files) load_one(file, catalog, problems);
  if (!problems.empty()) return report(problems);
  problems = check_references(catalog);
  if (!problems.empty()) return report(problems);
  return catalog;
}

Result<Catalog> load_shipped(std::span<const CatalogFile> user_files) {
  std::vector<CatalogFile> files = shipped_files();
  files.insert(files.end(), user_files.begin(), user_files.end());
  return load_catalog(files);
}

}  // namespace hearth::plan
