#include "hearth/cli/plan_files.h"

#include <fmt/format.h>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/model_source.h"
#include "hearth/net/url.h"
#include "hearth/plan/cost/shape_card.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t text_bytes_max = 16u << 20;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

Result<fs::path> user_catalog_path() {
  const fs::path directory = TRY(config_directory());
  return directory / "catalog.toml";
}

Result<fs::path> probe_path() {
  const fs::path directory = TRY(config_directory());
  return directory / "probe.toml";
}

Result<fs::path> lent_probe_path() {
  const fs::path directory = TRY(config_directory());
  return directory / "probe-lent.toml";
}

Result<plan::Catalog> load_catalog_with(const std::vector<std::string>& names) {
  std::vector<std::string> paths = names;
  for (const auto& own : {user_catalog_path(), probe_path(), lent_probe_path()}) {
    if (own && is_there(*own)) paths.insert(paths.begin(), own->string());
  }
  std::vector<std::string> texts;
  for (const std::string& path : paths) {
    std::string text = TRY(read_text_file(path, text_bytes_max));
    texts.push_back(std::move(text));
  }
  std::vector<plan::CatalogFile> files;
  for (std::size_t i = 0; i < paths.size(); ++i) files.push_back({paths[i], texts[i]});
  return plan::load_shipped(files);
}

Result<> append_checked(const fs::path& path, const std::string& text) {
  std::string whole;
  if (is_there(path)) whole = TRY(read_text_file(path, text_bytes_max));
  if (!whole.empty() && !whole.ends_with('\n')) whole += '\n';
  whole += (whole.empty() ? "" : "\n") + text;
  const plan::CatalogFile file{path.string(), whole};
  const auto loaded = plan::load_shipped(std::span(&file, 1));
  if (!loaded) return std::unexpected(loaded.error());
  const auto files = real_file_system();
  if (path.has_parent_path()) TRY(files->create_directories(path.parent_path()));
  const ByteSpan bytes = as_byte_span(whole);
  return files->write_atomically(path, std::span(&bytes, 1), Durability::survives_power_loss);
}

Result<plan::ClusterSpec> load_cluster(const plan::Catalog& catalog, const std::string& name) {
  if (const plan::Cluster* known = catalog.cluster(name))
    return plan::resolve_cluster(catalog, *known);
  if (catalog.machine(name) != nullptr) {
    const std::string alone = fmt::format("[[member]]\nname = \"{0}\"\nmachine = \"{0}\"\n", name);
    return plan::parse_cluster(catalog, alone, name);
  }
  if (!is_there(name)) {
    return fail(
        Code::not_found,
        fmt::format("no cluster '{}': neither a file nor one of `hearth catalog ls clusters` or `machines`",
                    name));
  }
  const std::string text = TRY(read_text_file(name, text_bytes_max));
  return plan::parse_cluster(catalog, text, name);
}

Result<std::vector<plan::ModelCard>> load_cards(const plan::Catalog& catalog,
                                                const std::string& model,
                                                const std::vector<std::string>& quants,
                                                const StopToken& stop) {
  std::vector<plan::ModelCard> cards;
  if (net::is_url(model) || is_there(model)) {
    if (!quants.empty()) {
      return fail(Code::invalid_argument,
                  fmt::format("--quant {}: chooses among the variants of a model of the catalogue; {} is a file "
                              "and has one. Leave it out, or name that variant's file",
                              quants.front(), model));
    }
    const auto files = TRY(open_model(model, stop));
    const auto shape = TRY(model::read_shape(files));
    plan::ModelCard card =
        TRY(plan::card_of_shape(shape, catalog, files.shards.front().path.stem().string()));
    cards.push_back(std::move(card));
    return cards;
  }
  std::vector<std::string> names = quants;
  if (names.empty()) {
    // A single variant needs no name; otherwise the error of an empty one lists what there is.
    const plan::Model* known = catalog.model(model);
    const bool single = known && known->variants.size() == 1;
    names.push_back(single ? known->variants.front().name : "");
  }
  for (const std::string& name : names) {
    plan::ModelCard card = TRY(plan::card_of(catalog, model, name));
    cards.push_back(std::move(card));
  }
  return cards;
}

}  // namespace hearth::cli
