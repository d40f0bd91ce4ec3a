#pragma once
// LoRA adapters and control vectors as somebody names them: a set has a name and the files that are
// applied together. Plain values and their text; what the files must be like says adapter_files.h.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/model/layout_identity.h"

namespace hearth::model {

inline constexpr std::size_t adapter_sets_max = 64;
inline constexpr std::size_t adapter_name_bytes_max = 64;

enum class AdapterKind : std::uint8_t { lora, control_vector };

struct AdapterFile {
  AdapterKind kind = AdapterKind::lora;
  std::filesystem::path path;
  double scale = 1;                    // 0: listed, but does nothing
  std::optional<LayerRange> layers{};  // of a control vector; absent: every layer it has
  bool operator==(const AdapterFile&) const = default;
};

struct AdapterSet {
  std::string name;
  std::vector<AdapterFile> files;
  bool operator==(const AdapterSet&) const = default;
};

// A loaded set, as the KV layout has it.
struct NamedAdapters {
  std::string name;
  std::vector<Adapter> adapters;
  bool operator==(const NamedAdapters&) const = default;
};

// "FILE", "FILE:0.5"; of a control vector also "FILE:0.5:10-20". A colon that no number follows
// belongs to the file's name.
Result<AdapterFile> parse_adapter_file(AdapterKind kind, std::string_view text);
// Adds the file of "NAME=FILE…" to the set of that name, which may be new.
Result<> add_adapter_file(std::vector<AdapterSet>& sets, AdapterKind kind, std::string_view text);

// What can be said without opening a file: names that may stand behind a model's, each once, and
// scales that mean something. invalid_argument names the set.
Result<> check_adapter_sets(std::span<const AdapterSet> sets);

Error no_such_adapter(std::string_view name, std::span<const NamedAdapters> loaded);

Json adapter_set_json(const AdapterSet& set);
Result<AdapterSet> adapter_set_from_json(const Json& json);
Json named_adapters_json(std::span<const NamedAdapters> sets);
// The member "adapter_sets" of `json`; none when it is missing.
Result<std::vector<NamedAdapters>> named_adapters_from_json(const Json& json);

}  // namespace hearth::model
