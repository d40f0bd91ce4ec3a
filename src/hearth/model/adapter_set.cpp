#include "hearth/model/adapter_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace hearth::model {
namespace {

constexpr double scale_max = 1000;

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return out;
}

// Takes ":REST" off the end of `text` where `read` can read REST.
template <class Read>
auto take_suffix(std::string_view& text, Read read) -> decltype(read(text)) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return {};
  auto value = read(text.substr(colon + 1));
  if (value) text = text.substr(0, colon);
  return value;
}

std::optional<LayerRange> read_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return {};
  const auto first = whole_number<std::uint32_t>(text.substr(0, dash));
  const auto last = whole_number<std::uint32_t>(text.substr(dash + 1));
  if (!first || !last) return {};
  return LayerRange{*first, *last};
}

bool is_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= adapter_name_bytes_max && std::ranges::all_of(name, is_allowed);
}

Result<> check_file(const AdapterFile& file) {
  const std::string name = file.path.string();
  if (name.empty()) return fail(Code::invalid_argument, "a file has no name");
  if (!(std::abs(file.scale) <= scale_max)) {
    return fail(Code::invalid_argument,
                fmt::format("{}: the scale is {}; expected -{} to {}, usually near 1", name, file.scale,
                            scale_max, scale_max));
  }
  // The engine computes with 32 bits, and leaves out what has the scale 0.
  if (file.scale != 0 && std::abs(file.scale) < double{std::numeric_limits<float>::min()}) {
    return fail(Code::invalid_argument,
                fmt::format("{}: the engine would take the scale {} for 0; say 0", name, file.scale));
  }
  if (!file.layers) return {};
  if (file.kind == AdapterKind::lora) {
    return fail(Code::invalid_argument, fmt::format("{}: layers are chosen for control vectors only", name));
  }
  if (file.layers->first == 0 || file.layers->first > file.layers->last) {
    return fail(Code::invalid_argument,
                fmt::format("{}: layers {} to {}; expected FIRST-LAST from 1 on: nothing can be added to layer 0",
                            name, file.layers->first, file.layers->last));
  }
  return {};
}

Json file_json(const AdapterFile& file) {
  Json out = Json::object({{"path", file.path.string()}, {"scale", file.scale}});
  if (file.layers) {
    out.set("first", file.layers->first);
    out.set("last", file.layers->last);
  }
  return out;
}

Result<> add_files(const Json& json, std::string_view key, AdapterKind kind, std::vector<AdapterFile>& files) {
  const Json* list = json.find(key);
  if (list == nullptr) return {};
  if (!list->is_array()) return fail(Code::invalid_argument, fmt::format("{}: expected a list", key));
  for (const Json& item : list->as_array()) {
    AdapterFile file{.kind = kind};
    file.path = TRY(get<std::string>(item, "path", key));
    file.scale = TRY(get_or<double>(item, "scale", 1.0));
    if (const auto first = TRY(find<std::uint32_t>(item, "first"))) {
      const auto last = TRY(get<std::uint32_t>(item, "last", key));
      file.layers = LayerRange{*first, last};
    }
    files.push_back(std::move(file));
  }
  return {};
}

}  // namespace

Result<AdapterFile> parse_adapter_file(AdapterKind kind, std::string_view text) {
  AdapterFile out{.kind = kind};
  if (kind == AdapterKind::control_vector) out.layers = take_suffix(text, read_range);
  out.scale = take_suffix(text, whole_number<double>).value_or(1.0);
  out.path = text;
  TRY(check_file(out));
  return out;
}

Result<> add_adapter_file(std::vector<AdapterSet>& sets, AdapterKind kind, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == text.npos || !is_name(text.substr(0, equals))) {
    return fail(Code::invalid_argument,
                fmt::format("'{}' is not NAME=FILE, for example myvoice=voice.gguf:0.8", text));
  }
  auto file = TRY(parse_adapter_file(kind, text.substr(equals + 1)));
  const std::string_view name = text.substr(0, equals);
  auto set = std::ranges::find(sets, name, &AdapterSet::name);
  if (set == sets.end()) set = sets.insert(sets.end(), {.name = std::string(name), .files = {}});
  set->files.push_back(std::move(file));
  return {};
}

Result<> check_adapter_sets(std::span<const AdapterSet> sets) {
  if (sets.size() > adapter_sets_max) {
    return fail(Code::invalid_argument,
                fmt::format("{} adapters are too many; at most {}", sets.size(), adapter_sets_max));
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const AdapterSet& set = sets[i];
    if (!is_name(set.name)) {
      return fail(Code::invalid_argument,
                  fmt::format("adapter '{}': a name has letters, digits, '-', '_' and '.', at most {}", set.name,
                              adapter_name_bytes_max));
    }
    if (std::ranges::count(sets.first(i), set.name, &AdapterSet::name) > 0) {
      return fail(Code::invalid_argument, fmt::format("adapter '{}' is there twice; give each a name of its own", set.name));
    }
    if (set.files.empty() || set.files.size() > adapters_max) {
      return fail(Code::invalid_argument, fmt::format("adapter '{}' has {} files; expected 1 to {}", set.name,
                                                      set.files.size(), adapters_max));
    }
    for (const AdapterFile& file : set.files) {
      if (auto checked = check_file(file); !checked) {
        return std::unexpected(with_context(std::move(checked).error(), fmt::format("adapter '{}'", set.name)));
      }
    }
  }
  return {};
}

Error no_such_adapter(std::string_view name, std::span<const NamedAdapters> loaded) {
  std::string names;
  for (const NamedAdapters& set : loaded) names += (names.empty() ? "" : ", ") + set.name;
  return {Code::invalid_argument, fmt::format("there is no adapter '{}'; the model was started with {}", name,
                                              names.empty() ? "none" : names)};
}

Json adapter_set_json(const AdapterSet& set) {
  Json loras = Json::array();
  Json vectors = Json::array();
  for (const AdapterFile& file : set.files) {
    (file.kind == AdapterKind::lora ? loras : vectors).push(file_json(file));
  }
  return Json::object({{"name", set.name}, {"lora", std::move(loras)}, {"control_vector", std::move(vectors)}});
}

Result<AdapterSet> adapter_set_from_json(const Json& json) {
  AdapterSet set;
  set.name = TRY(get<std::string>(json, "name"));
  TRY(add_files(json, "lora", AdapterKind::lora, set.files));
  TRY(add_files(json, "control_vector", AdapterKind::control_vector, set.files));
  TRY(check_adapter_sets(std::span(&set, 1)));
  return set;
}

Json named_adapters_json(std::span<const NamedAdapters> sets) {
  Json out = Json::array();
  for (const NamedAdapters& set : sets) {
    out.push(Json::object({{"name", set.name}, {"adapters", adapters_json(set.adapters)}}));
  }
  return out;
}

Result<std::vector<NamedAdapters>> named_adapters_from_json(const Json& json) {
  std::vector<NamedAdapters> out;
  const Json* list = json.find("adapter_sets");
  if (list == nullptr) return out;
  if (!list->is_array() || list->as_array().size() > adapter_sets_max) {
    return fail(Code::invalid_argument, fmt::format("adapter_sets: expected a list of at most {}", adapter_sets_max));
  }
  for (const Json& item : list->as_array()) {
    NamedAdapters named;
    named.name = TRY(get<std::string>(item, "name", "adapter_sets"));
    named.adapters = TRY(adapters_from_json(item));
    out.push_back(std::move(named));
  }
  return out;
}

}  // namespace hearth::model
