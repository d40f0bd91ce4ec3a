#pragma once
// Catalogue files to a checked Catalog. Pure: the caller reads the files.
//
// The four files that ship are embedded (shipped_files). Files of the user come after them: an
// entry with the key (or id) of an earlier one replaces it whole, others are added.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/plan/catalog/catalog.h"

namespace hearth::plan {

struct CatalogFile {
  std::string name{};  // for messages
  std::string_view text;
};

// hardware.toml, models.toml, engines.toml, measurements.toml as built in.
std::vector<CatalogFile> shipped_files();

// invalid_argument with one line per problem: wrong kinds, values outside their range, missing
// sources, unknown keys, references to nothing, doubled keys within one file.
Result<Catalog> load_catalog(std::span<const CatalogFile> files);

// The shipped files, then `user_files`. The shipped ones are sound: a test loads them.
Result<Catalog> load_shipped(std::span<const CatalogFile> user_files = {});

// Everything that is wrong across entries: unknown models in measurements, links of a cluster …
std::vector<std::string> check_references(const Catalog& catalog);

// The text `hearth catalog add` appends to the user's file. `kind` is machine, link, model,
// quantisation, engine or measurement; fields are KEY=VALUE with VALUE in TOML, or plain text. The
// entry is checked by loading it on top of what ships. Kinds: see the message for a wrong one.
Result<std::string> render_new_entry(std::string_view kind, std::span<const std::string> fields);

}  // namespace hearth::plan
