#include "hearth/cli/serve_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hearth/base/toml.h"
#include "hearth/base/toml_entry.h"
#include "hearth/cli/serve_settings.h"
#include "hearth/upstream/config.h"

namespace hearth::cli {
namespace {

bool contains(const std::vector<std::string>& texts, std::string_view text) {
  return std::ranges::find(texts, text) != texts.end();
}

std::string expected(const Setting& setting) {
  if (!setting.allowed.empty()) return fmt::format("one of {}", fmt::join(setting.allowed, ", "));
  switch (setting.kind) {
    case SettingKind::text: return "a text";
    case SettingKind::integer:
      return fmt::format("a whole number from {:.0f} to {:.0f}", setting.lowest, setting.highest);
    case SettingKind::number: return fmt::format("a number from {} to {}", setting.lowest, setting.highest);
    case SettingKind::toggle: return "true or false";
    case SettingKind::list: return "a list of texts";
    case SettingKind::named_numbers: return "a list of NAME=NUMBER";
    case SettingKind::named_texts: return "a list of NAME=TEXT";
  }
  return "";
}

bool is_list_of_texts(const Json& value) {
  return value.is_array() && std::ranges::all_of(value.as_array(), [](const Json& v) { return v.is_string(); });
}

bool is_list(SettingKind kind) {
  return kind == SettingKind::list || kind == SettingKind::named_numbers || kind == SettingKind::named_texts;
}

bool fits(const Setting& setting, const Json& value) {
  const auto in_range = [&] { return value.as_double() >= setting.lowest && value.as_double() <= setting.highest; };
  switch (setting.kind) {
    case SettingKind::text:
      return value.is_string() && (setting.allowed.empty() || contains(setting.allowed, value.as_string()));
    case SettingKind::integer: return value.is_integer() && in_range();
    case SettingKind::number: return value.is_number() && in_range();
    case SettingKind::toggle: return value.is_bool();
    case SettingKind::list:
      return is_list_of_texts(value);
    case SettingKind::named_texts:
      return is_list_of_texts(value) && std::ranges::all_of(value.as_array(), [](const Json& v) {
        const std::size_t equals = v.as_string().find('=');
        return equals != std::string::npos && equals > 0 && equals + 1 < v.as_string().size();
      });
    case SettingKind::named_numbers:
      return is_list_of_texts(value) && std::ranges::all_of(split_names(value), [](const std::string& text) {
        return named_number(text).has_value();
      });
  }
  return false;
}

std::string wrong_value(const Setting& setting, std::string_view where, std::string_view shown) {
  return fmt::format("{}: {} is not {}; for example {} = {}", where, shown, expected(setting), setting.key,
                     setting.example);
}

const Setting* find_setting(std::string_view section, std::string_view key) {
  const auto found = std::ranges::find_if(
      settings(), [&](const Setting& s) { return s.section == section && s.key == key; });
  return found == settings().end() ? nullptr : &*found;
}

// The same file may say what other machines run (read by hearth up, assignment_text.h) and where
// requests go (read_routing); adapters are tables of their own (read_adapters).
const std::vector<std::string> sections_of_others = {"models", "machine", "link", "upstream", "routes", "adapter"};

std::string known_names(std::string_view section) {
  std::vector<std::string> names;
  for (const Setting& setting : settings()) {
    const std::string& name = section.empty() ? setting.section : setting.key;
    if ((section.empty() || setting.section == section) && !contains(names, name)) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

// Keys of clients are secrets.
std::string shown_value(const Setting& setting, const Json& value) {
  return contains({"api_keys", "named_keys", "key_labels"}, setting.key) ? "this value" : dump_json(value);
}

void read_section(const Json& table, const std::string& section, std::string_view name, ServeConfig& config,
                  std::vector<std::string>& problems) {
  for (const auto& [key, value] : table.as_object()) {
    if (key == lines_member) continue;
    const std::string where = fmt::format("{}:{}: [{}] {}", name, toml_line(table, key), section, key);
    const Setting* setting = find_setting(section, key);
    if (setting == nullptr) {
      problems.push_back(fmt::format("{}: unknown; [{}] has {}", where, section, known_names(section)));
    } else if (!fits(*setting, value)) {
      problems.push_back(wrong_value(*setting, where, shown_value(*setting, value)));
    } else {
      setting->set(config, value);
    }
  }
}

// A flag's text in the setting's own kind; null when it is not of that kind.
Json flag_value(const Setting& setting, std::span<const std::string> values) {
  if (is_list(setting.kind)) return Json::array({values.begin(), values.end()});
  const std::string& text = values.back();
  if (setting.kind == SettingKind::text) return text;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  constexpr double integer_exact_max = 9007199254740992.0;  // 2^53
  const bool is_whole = std::abs(number) <= integer_exact_max && number == std::floor(number);
  if (setting.kind == SettingKind::integer && is_whole) return static_cast<std::int64_t>(number);
  return number;
}

}  // namespace

std::vector<ServeFlag> serve_flags() {
  std::vector<ServeFlag> out;
  for (const Setting& setting : settings()) {
    if (!setting.flag.empty()) out.push_back({setting.section, setting.flag, setting.help, is_list(setting.kind)});
  }
  return out;
}

Result<> apply_flag(ServeConfig& config, std::string_view flag, std::span<const std::string> values) {
  for (const Setting& setting : settings()) {
    if (setting.flag != flag) continue;
    const Json parsed = flag_value(setting, values);
    if (!fits(setting, parsed)) {
      const std::string_view name = flag.substr(0, flag.find(','));
      return fail(Code::invalid_argument, fmt::format("{}: {} is not {}; for example {} {}", name, values.back(),
                                                      expected(setting), name, setting.example));
    }
    setting.set(config, parsed);
    return {};
  }
  return fail(Code::internal, fmt::format("no setting has the flag {}", flag));
}

namespace {

Result<> read_routing(const Json& root, std::string_view name, ServeConfig& config) {
  const auto part = [&](std::string_view key) {
    const Json* found = root.find(key);
    return found == nullptr ? Json() : *found;
  };
  config.upstreams = TRY(upstream::read_upstreams(part("upstream"), name));
  std::vector<route::Target> targets;
  for (const upstream::EndpointSpec& spec : config.upstreams) targets.push_back({spec.name, spec.reach});
  config.routes = TRY(route::read_routes(part("routes"), name, std::move(targets)));
  return {};
}

void read_files(TomlEntry& entry, std::string_view key, model::AdapterKind kind, model::AdapterSet& set) {
  for (const std::string& text : entry.strings(key)) {
    auto file = model::parse_adapter_file(kind, text);
    if (file) set.files.push_back(*std::move(file));
    else entry.problem(file.error().message);
  }
}

void read_adapters(const Json& root, std::string_view name, ServeConfig& config, TomlProblems& problems) {
  TomlEntry top(root, name, "hearth.toml", problems);
  for (const Json* table : top.tables("adapter")) {
    TomlEntry entry(*table, name, "adapter", problems);
    model::AdapterSet set{.name = entry.text("name"), .files = {}};
    read_files(entry, "lora", model::AdapterKind::lora, set);
    read_files(entry, "control_vector", model::AdapterKind::control_vector, set);
    entry.finish();
    config.adapters.push_back(std::move(set));
  }
}

}  // namespace

Result<> read_serve_config(std::string_view toml, std::string_view name, ServeConfig& config) {
  const Json root = TRY(parse_toml(toml, name));
  std::vector<std::string> problems;
  TRY(read_routing(root, name, config));
  read_adapters(root, name, config, problems);
  for (const auto& [section, table] : root.as_object()) {
    if (section == lines_member || contains(sections_of_others, section)) continue;
    const bool known = std::ranges::any_of(settings(), [&](const Setting& s) { return s.section == section; });
    if (!known || !table.is_object()) {
      problems.push_back(fmt::format("{}:{}: '{}' is not a section; there are {}, for example [serve]", name,
                                     toml_line(root, section), section, known_names("")));
    } else {
      read_section(table, section, name, config, problems);
    }
  }
  if (problems.empty()) return {};
  return fail(Code::invalid_argument, fmt::format("{}", fmt::join(problems, "\n")));
}

}  // namespace hearth::cli
