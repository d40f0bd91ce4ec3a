#include "hearth/cli/plan_files.h"

#include <fmt/format.h>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/model/shards.h"
#include "hearth/plan/cost/shape_card.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t text_bytes_max = 16u << 20;

bool is_url(std::string_view name) { return name.starts_with("http://") || name.starts_with("https://"); }

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

Result<fs::path> user_catalog_path() { return TRY(config_directory()) / "catalog.toml"; }

Result<plan::Catalog> load_catalog_with(const std::vector<std::string>& names) {
  std::vector<std::string> paths = names;
  if (const auto own = user_catalog_path(); own && is_there(*own)) paths.insert(paths.begin(), own->string());
  std::vector<std::string> texts;
  for (const std::string& path : paths) texts.push_back(TRY(read_text_file(path, text_bytes_max)));
  std::vector<plan::CatalogFile> files;
  for (std::size_t i = 0; i < paths.size(); ++i) files.push_back({paths[i], texts[i]});
  return plan::load_shipped(files);
}

Result<> append_checked(const fs::path& path, const std::string& text) {
  std::string whole = is_there(path) ? TRY(read_text_file(path, text_bytes_max)) : std::string();
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
  if (const plan::Cluster* known = catalog.cluster(name)) return plan::resolve_cluster(catalog, *known);
  if (!is_there(name)) {
    return fail(Code::not_found, fmt::format("no cluster '{}': neither a file nor one of `hearth catalog ls clusters`", name));
  }
  return plan::parse_cluster(catalog, TRY(read_text_file(name, text_bytes_max)), name);
}

Result<std::vector<plan::ModelCard>> load_cards(const plan::Catalog& catalog, const std::string& model,
                                                const std::vector<std::string>& quants) {
  std::vector<plan::ModelCard> cards;
  if (is_url(model)) {
    return fail(Code::unsupported, fmt::format("{}: reading a header over HTTP is not built yet; give a local GGUF file "
                                               "(its first shard is enough to name it) or a name of `hearth catalog ls models`", model));
  }
  if (is_there(model)) {
    const auto files = TRY(model::load_model_files(model));
    const auto shape = TRY(model::read_shape(files));
    cards.push_back(TRY(plan::card_of_shape(shape, catalog, fs::path(model).stem().string())));
    return cards;
  }
  if (quants.empty()) {
    const plan::Model* known = catalog.model(model);
    if (known && known->variants.size() == 1) {
      cards.push_back(TRY(plan::card_of(catalog, model, known->variants.front().name)));
      return cards;
    }
  }
  for (const std::string& quant : quants) cards.push_back(TRY(plan::card_of(catalog, model, quant)));
  // Without a quantisation the error of an empty name lists what there is.
  if (cards.empty()) cards.push_back(TRY(plan::card_of(catalog, model, "")));
  return cards;
}

}  // namespace hearth::cli
