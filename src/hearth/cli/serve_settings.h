#pragma once
// The table of settings behind hearth.toml and the flags of hearth serve. Private to serve_config.cpp.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/cli/serve_config.h"

namespace hearth::cli {

enum class SettingKind : std::uint8_t { text, integer, number, toggle, list, named_numbers, named_texts };

struct Setting {
  std::string section, key;
  std::string flag;  // empty: in the file only
  std::string help;
  std::string example;  // a right value, as TOML
  SettingKind kind = SettingKind::text;
  double lowest = 0, highest = 0;            // of numbers
  std::vector<std::string> allowed{};        // of texts; empty: any
  std::function<void(ServeConfig&, const Json&)> set;  // the kind and range are right
};

const std::vector<Setting>& settings();

// "a,b" is two names: on the command line that is shorter than the flag twice.
std::vector<std::string> split_names(const Json& list);
// "studio=819"
std::optional<std::pair<std::string, double>> named_number(std::string_view text);

}  // namespace hearth::cli
