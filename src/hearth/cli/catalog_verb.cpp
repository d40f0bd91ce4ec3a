// hearth catalog ls|show|add

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/plan_files.h"
#include "hearth/cli/verbs.h"
#include "hearth/plan/catalog/view.h"

namespace hearth::cli {
namespace {

struct CatalogFlags {
  std::string what;
  std::vector<std::string> fields;
  std::vector<std::string> files;
  std::filesystem::path output;
  bool json = false;
};

int list(const CatalogFlags& flags) {
  const auto catalog = load_catalog_with(flags.files);
  if (!catalog) return report(catalog.error());
  if (flags.json) {
    const auto entries = plan::list_json(*catalog, flags.what);
    if (!entries) return report(entries.error());
    std::puts(dump_json(*entries, 2).c_str());
    return exit_done;
  }
  const auto text = plan::list_text(*catalog, flags.what);
  if (!text) return report(text.error());
  std::fputs(text->c_str(), stdout);
  return exit_done;
}

int show(const CatalogFlags& flags) {
  const auto catalog = load_catalog_with(flags.files);
  if (!catalog) return report(catalog.error());
  const auto entry = plan::shown_json(*catalog, flags.what);
  if (!entry) return report(entry.error());
  std::fputs(flags.json ? (dump_json(*entry, 2) + "\n").c_str() : plan::shown_text(*entry).c_str(),
             stdout);
  return exit_done;
}

int add(const CatalogFlags& flags) {
  const auto text = plan::render_new_entry(flags.what, flags.fields);
  if (!text) return report(text.error());
  const auto path =
      flags.output.empty() ? user_catalog_path() : Result<std::filesystem::path>(flags.output);
  if (!path) return report(path.error());
  if (const auto done = append_checked(*path, *text); !done) return report(done.error());
  fmt::print("{}added to {}\n", *text, path->string());
  return exit_done;
}

void declare_common(Flags& flags, const std::shared_ptr<CatalogFlags>& own) {
  flags.list("--catalog", own->files, "more catalogue files; they replace entries of the same key");
  flags.toggle("--json", own->json, "one JSON document");
}

}  // namespace

Verb catalog_verb() {
  const auto own = std::make_shared<CatalogFlags>();  // shared by the children's declare and run
  Verb list_child{
      .name = "ls",
      .summary = "machines, links, clusters, models, quantisations, engines or measurements",
      .example = "hearth catalog ls machines",
      .declare =
          [own](Flags& flags) {
            flags.text("kind", own->what, "what to list");
            flags.required();
            declare_common(flags, own);
          },
      .run = [own] { return list(*own); },
      .children = {}};
  Verb show_child{.name = "show",
                  .summary = "everything known about one entry, or all of a kind, with its source",
                  .example = "hearth catalog show dgx-spark",
                  .declare =
                      [own](Flags& flags) {
                        flags.text("key", own->what, "key or id of the entry, or a kind: engines");
                        flags.required();
                        declare_common(flags, own);
                      },
                  .run = [own] { return show(*own); },
                  .children = {}};
  Verb add_child{.name = "add",
                 .summary = "add an entry of your own: a machine, link, model, engine, measurement",
                 .example =
                     "hearth catalog add machine key=my-box backend=cuda memory_bytes=96000000000 "
                     "source=probe",
                 .declare =
                     [own](Flags& flags) {
                       flags.text("kind", own->what,
                                  "machine, link, model, engine, measurement or quantisation");
                       flags.required();
                       flags.list("fields", own->fields, "KEY=VALUE");
                       flags.path("--to", own->output,
                                  "file to append to; else your own catalogue");
                     },
                 .run = [own] { return add(*own); },
                 .children = {}};
  return {.name = "catalog",
          .summary = "what is known about machines, links, models and engines",
          .example = "",
          .declare = {},
          .run = {},
          .children = {std::move(list_child), std::move(show_child), std::move(add_child)}};
}

}  // namespace hearth::cli
