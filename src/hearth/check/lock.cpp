#include "hearth/check/lock.h"

#include <fmt/format.h>

#include <filesystem>

#include "hearth/base/toml.h"

namespace hearth::check {
namespace {

constexpr std::int64_t format_version = 1;

// A TOML basic string.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// One table of the file, for errors that say where.
struct Place {
  const Json& table;
  std::string name;  // "hearth.lock"
  std::string section;

  std::unexpected<Error> bad(std::string_view key, std::string_view expected) const {
    return fail(Code::invalid_argument, fmt::format("{}:{}: {}: {}: expected {}; hearth check --pin writes it anew", name,
                                                   toml_line(table, key), section, key, expected));
  }
  Result<std::string> text(std::string_view key) const {
    auto value = get_or<std::string>(table, key, "");
    if (!value) return bad(key, "a text in quotes");
    return value;
  }
  Result<std::uint64_t> number(std::string_view key) const {
    const auto value = get_or<std::uint64_t>(table, key, 0);
    if (!value) return bad(key, "a whole number");
    return *value;
  }
};

Result<LockedShard> read_shard(const Place& place) {
  LockedShard out;
  out.file = TRY(place.text("file"));
  out.bytes = TRY(place.number("bytes"));
  const std::string hex = TRY(place.text("sha256"));
  if (out.file.empty()) return place.bad("file", "the name of a shard");
  if (hex.empty()) return out;
  const auto digest = Digest256::parse(hex);
  if (!digest) return place.bad("sha256", "64 hexadecimal characters");
  out.sha256 = *digest;
  return out;
}

// Calls `read` with each table of the array `key`.
template <class T, class Read>
Result<std::vector<T>> read_tables(const Place& parent, std::string_view key, const Read& read) {
  std::vector<T> out;
  const Json* list = parent.table.find(key);
  if (list == nullptr) return out;
  if (!list->is_array()) return parent.bad(key, fmt::format("[[{}]] tables", key));
  if (list->as_array().size() > lock_entries_max) return parent.bad(key, fmt::format("at most {} of them", lock_entries_max));
  for (const Json& table : list->as_array()) {
    if (!table.is_object()) return parent.bad(key, fmt::format("[[{}]] tables", key));
    out.push_back(TRY(read(Place{table, parent.name, fmt::format("[[{}]]", key)})));
  }
  return out;
}

Result<LockedModel> read_model(const Place& place) {
  LockedModel out;
  out.path = TRY(place.text("path"));
  out.url = TRY(place.text("url"));
  out.template_sha256 = TRY(place.text("template_sha256"));
  out.shards = TRY(read_tables<LockedShard>(place, "shard", read_shard));
  if (out.path.empty()) return place.bad("path", "the path of a GGUF file");
  if (out.shards.empty()) return place.bad("shard", "at least one [[model.shard]]");
  return out;
}

Result<LockedLink> read_link(const Place& place) {
  LockedLink out;
  out.interface = TRY(place.text("interface"));
  out.mbit_s = TRY(place.number("mbit_s"));
  out.mtu_bytes = TRY(place.number("mtu_bytes"));
  if (out.interface.empty()) return place.bad("interface", "the name of a network interface");
  return out;
}

Result<LockedEndpoint> read_endpoint(const Place& place) {
  LockedEndpoint out;
  out.kind = TRY(place.text("kind"));
  out.url = TRY(place.text("url"));
  if (out.url.empty()) return place.bad("url", "where the service answers");
  return out;
}

Result<Versions> read_versions(const Place& root) {
  Versions out;
  const Json* table = root.table.find("versions");
  if (table == nullptr) return out;
  if (!table->is_object()) return root.bad("versions", "a table [versions]");
  for (const auto& [key, value] : table->as_object()) {
    if (key == lines_member) continue;
    if (!value.is_string()) return Place{*table, root.name, "[versions]"}.bad(key, "a text in quotes");
    out.emplace(key, value.as_string());
  }
  return out;
}

// All of it as keys and values.
Versions flat(const Lock& lock) {
  Versions out = lock.versions;
  for (const LockedModel& model : lock.models) {
    out["template of " + model.path] = model.template_sha256;
    for (const LockedShard& shard : model.shards) {
      out["file " + shard.file] = fmt::format("{} bytes, SHA-256 {}", shard.bytes, shard.sha256 ? shard.sha256->hex() : "unknown");
    }
  }
  for (const LockedLink& link : lock.links) out["link " + link.interface] = fmt::format("{} Mbit/s, MTU {}", link.mbit_s, link.mtu_bytes);
  for (const LockedEndpoint& endpoint : lock.endpoints) out["service " + endpoint.url] = endpoint.kind;
  return out;
}

std::string file_name_of(std::string_view path) { return std::filesystem::path(path).filename().string(); }

}  // namespace

const LockedModel* Lock::find_model(std::string_view path) const {
  for (const LockedModel& model : models) {
    if (model.path == path) return &model;
  }
  for (const LockedModel& model : models) {
    for (const LockedShard& shard : model.shards) {
      if (shard.file == file_name_of(path)) return &model;
    }
  }
  return nullptr;
}

std::string lock_text(const Lock& lock) {
  std::string out = fmt::format("# Written by `hearth check --pin`; what it holds is in docs/check.md.\nformat = {}\n\n[versions]\n",
                                format_version);
  for (const auto& [key, value] : lock.versions) out += fmt::format("{} = {}\n", toml_text(key), toml_text(value));
  for (const LockedModel& model : lock.models) {
    out += fmt::format("\n[[model]]\npath = {}\nurl = {}\ntemplate_sha256 = {}\n", toml_text(model.path), toml_text(model.url),
                       toml_text(model.template_sha256));
    for (const LockedShard& shard : model.shards) {
      out += fmt::format("[[model.shard]]\nfile = {}\nbytes = {}\nsha256 = {}\n", toml_text(shard.file), shard.bytes,
                         toml_text(shard.sha256 ? shard.sha256->hex() : ""));
    }
  }
  for (const LockedLink& link : lock.links) {
    out += fmt::format("\n[[link]]\ninterface = {}\nmbit_s = {}\nmtu_bytes = {}\n", toml_text(link.interface), link.mbit_s,
                       link.mtu_bytes);
  }
  for (const LockedEndpoint& endpoint : lock.endpoints) {
    out += fmt::format("\n[[endpoint]]\nkind = {}\nurl = {}\n", toml_text(endpoint.kind), toml_text(endpoint.url));
  }
  return out;
}

Result<Lock> parse_lock(std::string_view text, std::string_view name) {
  const Json toml = TRY(parse_toml(text, name));
  const Place root{toml, std::string(name), "top"};
  if (TRY(root.number("format")) != format_version) return root.bad("format", "1");
  Lock out;
  out.versions = TRY(read_versions(root));
  out.models = TRY(read_tables<LockedModel>(root, "model", read_model));
  out.links = TRY(read_tables<LockedLink>(root, "link", read_link));
  out.endpoints = TRY(read_tables<LockedEndpoint>(root, "endpoint", read_endpoint));
  return out;
}

std::string version_diff(const Versions& pinned, const Versions& now) {
  std::string out;
  for (const auto& [key, value] : now) {
    const auto old = pinned.find(key);
    if (old != pinned.end() && old->second == value) continue;
    if (old != pinned.end()) out += fmt::format("- {} = {}\n", key, old->second);
    out += fmt::format("+ {} = {}\n", key, value);
  }
  return out;
}

std::string lock_diff(const Lock& pinned, const Lock& now) {
  const Versions old = flat(pinned), fresh = flat(now);
  std::string out = version_diff(old, fresh);
  for (const auto& [key, value] : old) {
    if (!fresh.contains(key)) out += fmt::format("- {} = {}\n", key, value);
  }
  return out;
}

Findings version_findings(const Versions& pinned, const Versions& now) {
  Findings out;
  for (const auto& [key, value] : now) {
    const auto old = pinned.find(key);
    if (old == pinned.end()) {
      out.push_back({"version.unpinned", Severity::note, fmt::format("+ {} = {}", key, value),
                     "pin it with hearth check --pin"});
    } else if (old->second != value) {
      out.push_back({"version.skew", Severity::blocks, fmt::format("- {} = {}\n         + {} = {}", key, old->second, key, value),
                     "install the pinned version again, or measure anew and pin this one with hearth check --pin"});
    }
  }
  return out;
}

}  // namespace hearth::check
