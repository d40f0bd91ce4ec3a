#pragma once
// The files of one item's folder to an Item. Pure. Form: docs/formats/eval_item.md.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/toml_entry.h"
#include "hearth/eval/suite/item.h"

namespace hearth::eval {

struct ItemFiles {
  std::string id;      // its folder, relative to the suite
  std::string folder;  // as messages name it
  std::map<std::string, std::string_view, std::less<>> files;  // by path within the folder

  const std::string_view* find(std::string_view path) const {
    const auto found = files.find(path);
    return found == files.end() ? nullptr : &found->second;
  }
  std::string name_of(std::string_view path) const { return folder + "/" + std::string(path); }
};

// Nothing when a problem was found.
std::optional<Item> read_item(const ItemFiles& files, TomlProblems& problems);

// What a grader needs beside its own table of item.toml. `documents` is what placeholders of the prompt stand for.
struct GraderContext {
  const ItemFiles& files;
  const Json& toml;  // the whole of item.toml
  TomlProblems& problems;
  std::map<std::string, std::string>& documents;
  std::vector<SampleAnswer>& answers;
};
GraderSpec read_grader(const GraderContext& context);
// Tables without what parse_toml notes about their lines.
Json without_lines(const Json& value);

}  // namespace hearth::eval
