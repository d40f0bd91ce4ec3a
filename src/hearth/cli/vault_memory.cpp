#include "hearth/cli/vault_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "hearth/base/json.h"
#include "hearth/vault/sealed_log.h"

namespace hearth::cli {
namespace {

using session::MemoryFiles;

constexpr std::string_view collection_prefix = "memory-";
constexpr std::string_view file_name = "memory";
constexpr std::string_view kept_in = "its history (hearth memory history)";
constexpr std::uint32_t version_type = 1;
constexpr std::size_t name_bytes_max = 64;

Result<std::string> collection_of(std::string_view name) {
  const std::string_view rest = name.substr(std::min(name.size(), vault_memory_prefix.size()));
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (is_vault_memory(name) && !rest.empty() && rest.size() <= name_bytes_max && std::ranges::all_of(rest, is_plain)) {
    return std::string(collection_prefix) + std::string(rest);
  }
  return fail(Code::invalid_argument, fmt::format("memory in the vault is {}NAME, of letters, digits, '-' and '_', at most {} of them; "
                                                  "for example {}diary", vault_memory_prefix, name_bytes_max, vault_memory_prefix));
}

Result<bool> is_there(vault::KeySource& keys, const std::string& collection) {
  const auto all = TRY(keys.collections());
  return std::ranges::find(all, collection) != all.end();
}

std::unexpected<Error> no_such(const std::string& name) {
  return fail(Code::not_found, fmt::format("no memory {0} in the vault; hearth memory import DIR --memory {0} makes it", name));
}

std::string record_text(const MemoryVersion& version) {
  Json out = Json::object({{"stamp", version.stamp}, {"path", version.path}});
  if (version.text) out.set("text", *version.text);
  if (version.set_aside) out.set("set_aside", true);
  return dump_json(out);
}

Result<MemoryVersion> version_of(const vault::SealedRecord& record) {
  const Json json = TRY(parse_json(as_text(record.text)));
  MemoryVersion out{.stamp = TRY(get<std::string>(json, "stamp")), .path = TRY(get<std::string>(json, "path")), .text = {},
                    .set_aside = TRY(get_or<bool>(json, "set_aside", false))};
  if (json.find("text") != nullptr) out.text = TRY(get<std::string>(json, "text"));
  return out;
}

MemoryFiles newest(const std::vector<MemoryVersion>& history) {
  MemoryFiles out;
  for (const MemoryVersion& version : history) {
    if (!version.set_aside) session::apply_changes(out, {{version.path, version.text}});
  }
  return out;
}

std::optional<std::string> text_in(const MemoryFiles& files, const std::string& path) {
  const auto found = files.find(path);
  return found == files.end() ? std::nullopt : std::optional(found->second);
}

// Whoever writes has the file alone.
Result<FileDescriptor> take(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return fail_errno("open", path, errno);
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno("lock", path, errno);
  }
  return file;
}

}  // namespace

bool is_vault_memory(std::string_view name) { return name.starts_with(vault_memory_prefix); }

Result<std::unique_ptr<VaultMemory>> VaultMemory::open(std::shared_ptr<vault::KeySource> keys, std::string name, bool make) {
  const std::string collection = TRY(collection_of(name));
  if (!make && !TRY(is_there(*keys, collection))) return no_such(name);
  auto key = TRY(keys->key(collection));
  const auto folder = TRY(keys->folder(collection));
  return std::unique_ptr<VaultMemory>(new VaultMemory(std::move(name), std::move(key), folder / file_name));
}

Result<std::vector<std::string>> VaultMemory::list(vault::KeySource& keys) {
  const auto collections = TRY(keys.collections());
  std::vector<std::string> out;
  for (const std::string& collection : collections) {
    if (!collection.starts_with(collection_prefix)) continue;
    out.push_back(std::string(vault_memory_prefix) + collection.substr(collection_prefix.size()));
  }
  std::ranges::sort(out);
  return out;
}

Result<> VaultMemory::forget(vault::KeySource& keys, const std::string& name) {
  const std::string collection = TRY(collection_of(name));
  if (!TRY(is_there(keys, collection))) return no_such(name);
  return keys.forget(collection);
}

Result<std::vector<MemoryVersion>> VaultMemory::history(std::vector<std::string>* damaged) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file_, error);
  if (error || bytes < vault::sealed_records_offset) return std::vector<MemoryVersion>();  // nothing was written yet
  auto contents = TRY(vault::read_sealed_log(file_, *key_));
  std::vector<MemoryVersion> out;
  for (const vault::SealedRecord& record : contents.records) {
    auto version = version_of(record);
    if (version) out.push_back(*std::move(version));
    else contents.damage.push_back(fmt::format("record {}: {}", record.index, version.error().message));
  }
  if (!contents.damage.empty() && damaged == nullptr) {
    return fail(Code::corrupt, fmt::format("memory {} is damaged: {}; hearth memory history shows what is readable, and a backup of the "
                                           "vault has it whole", name_, contents.damage.front()));
  }
  if (damaged != nullptr) *damaged = std::move(contents.damage);
  return out;
}

Result<MemoryFiles> VaultMemory::read() { return newest(TRY(history())); }

Result<session::FoldReport> VaultMemory::fold(const MemoryFiles& known, const MemoryFiles& wanted, std::string_view stamp) {
  const FileDescriptor alone = TRY(take(file_));
  const MemoryFiles now = newest(TRY(history()));
  MemoryFiles after = now;
  session::FoldReport report{.written = {}, .removed = {}, .conflicts = {}, .backup = {}, .set_aside = std::string(kept_in)};
  std::vector<MemoryVersion> versions;
  for (const session::MemoryChange& change : session::changes_between(known, wanted)) {
    TRY(session::check_memory_path(change.path));
    if (change.text) TRY(session::check_memory_text(change.path, *change.text));
    const auto here = text_in(now, change.path);
    if (here == change.text) continue;
    const bool lost = here != text_in(known, change.path);
    if (!lost) session::apply_changes(after, {change});
    (lost ? report.conflicts : change.text ? report.written : report.removed).push_back(change.path);
    versions.push_back({std::string(stamp), change.path, change.text, lost});
  }
  TRY(session::check_memory_files(after));
  if (!versions.empty()) TRY(write(versions));
  return report;
}

Result<> VaultMemory::write(const std::vector<MemoryVersion>& versions) {
  std::uint64_t bytes = 0;
  for (const MemoryVersion& version : versions) bytes += version.text.value_or("").size();
  std::error_code ignored;
  if (std::filesystem::file_size(file_, ignored) + bytes > vault_memory_bytes_max) {
    return fail(Code::resource_exhausted, fmt::format("all versions of {} are more than {} bytes; begin anew with hearth memory import {} "
                                                      "--memory {}NAME", name_, vault_memory_bytes_max, name_, vault_memory_prefix));
  }
  vault::SealedLog log = TRY(vault::SealedLog::open(file_, *key_));
  for (const MemoryVersion& version : versions) {
    const std::string text = record_text(version);
    TRY(log.append(version_type, as_byte_span(text)));
  }
  return {};
}

}  // namespace hearth::cli
