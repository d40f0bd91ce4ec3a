// Backup, restore and wiping: they move or destroy what lies on the disk and need no key.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hearth/base/digest.h"
#include "hearth/base/json.h"
#include "hearth/vault/vault.h"

namespace hearth::vault {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view list_name = "backup.json";
constexpr std::string_view key_name = "vault.key";
constexpr std::string_view copy_name = "vault.key.copy";
constexpr std::string_view temporary_suffix = ".tmp";
constexpr std::uint64_t file_bytes_max = 4ull << 30;
constexpr std::uint64_t list_bytes_max = 256ull << 20;
constexpr std::int64_t list_version = 1;
constexpr std::size_t overwrite_bytes = 4096;

// Regular files below `directory`, relative, sorted. Links are neither followed nor taken.
Result<std::vector<fs::path>> files_below(const fs::path& directory) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->symlink_status().type() == fs::file_type::regular) out.push_back(it->path().lexically_relative(directory));
  }
  if (error) return fail_errno("list", directory, error.value());
  std::ranges::sort(out);
  return out;
}

bool is_empty_or_absent(const fs::path& directory) {
  std::error_code error;
  const bool is_empty = fs::is_empty(directory, error);
  return error ? !fs::exists(directory, error) : is_empty;
}

// A name in a backup's list must stay inside the vault.
bool is_plain(const fs::path& name) {
  return !name.empty() && name.is_relative() && name == name.lexically_normal() &&
         std::ranges::none_of(name, [](const fs::path& part) { return part == ".." || part == "."; });
}

Result<> put(const fs::path& path, ByteSpan bytes) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return fail_errno("create", path.parent_path(), error.value());
  return real_file_system()->write_atomically(path, {&bytes, 1}, Durability::survives_power_loss);
}

// What a disk does with overwritten blocks is its own affair; the key that was in them is random and
// wrapped, so this is the second line.
void overwrite(const fs::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return;
  std::error_code ignored;
  std::uint64_t left = fs::file_size(path, ignored);
  Bytes noise(overwrite_bytes);
  while (!ignored && left > 0) {
    fill_with_random(noise);
    const ssize_t done = ::write(file.get(), noise.data(), std::min<std::uint64_t>(left, noise.size()));
    if (done <= 0) break;
    left -= static_cast<std::uint64_t>(done);
  }
  (void)::fsync(file.get());
}

}  // namespace

Result<CopyReport> backup_vault(const fs::path& directory, const fs::path& to) {
  if (!Vault::exists(directory)) return fail(Code::not_found, "no vault at " + directory.string());
  if (!is_empty_or_absent(to)) return fail(Code::invalid_argument, to.string() + " is not empty; a backup takes a folder of its own");
  CopyReport report;
  Json files = Json::array();
  for (const fs::path& name : TRY(files_below(directory))) {
    if (name.string().ends_with(temporary_suffix)) continue;
    const auto bytes = read_file(directory / name, file_bytes_max);
    if (!bytes) {
      report.damaged.push_back(name.string() + ": " + bytes.error().message);
      continue;
    }
    TRY(put(to / name, *bytes));
    files.push(Json::object({{"name", name.string()}, {"bytes", bytes->size()}, {"blake2b", blake2b(*bytes).hex()}}));
    ++report.files;
    report.bytes += bytes->size();
  }
  // Last: a backup without its list is not one.
  const std::string list = dump_json(Json::object({{"version", list_version}, {"files", std::move(files)}}), 1);
  TRY(put(to / list_name, as_byte_span(list)));
  return report;
}

Result<CopyReport> restore_vault(const fs::path& backup, const fs::path& directory) {
  if (Vault::exists(directory)) {
    return fail(Code::invalid_argument, "there is a vault at " + directory.string() + "; move it away or wipe it first");
  }
  const std::string text = TRY(read_text_file(backup / list_name, list_bytes_max));
  const Json list = TRY(parse_json(text));
  if (TRY(get<std::int64_t>(list, "version")) != list_version) return fail(Code::unsupported, "the backup is of another version");
  const Json* files = list.find("files");
  if (files == nullptr || !files->is_array()) return fail(Code::corrupt, "the backup's list names no files");
  CopyReport report;
  std::vector<std::pair<fs::path, Bytes>> keys_last;
  for (const Json& entry : files->as_array()) {
    const fs::path name = TRY(get<std::string>(entry, "name"));
    const auto digest = TRY(get<std::string>(entry, "blake2b"));
    if (!is_plain(name)) {
      report.damaged.push_back(name.string() + ": a name that leads out of the vault");
      continue;
    }
    auto bytes = read_file(backup / name, file_bytes_max);
    if (!bytes || blake2b(*bytes).hex() != digest) {
      report.damaged.push_back(name.string() + ": " + (bytes ? "not the bytes that were backed up" : bytes.error().message));
      continue;
    }
    ++report.files;
    report.bytes += bytes->size();
    if (name == key_name || name == copy_name) keys_last.emplace_back(name, *std::move(bytes));
    else TRY(put(directory / name, *bytes));
  }
  if (keys_last.empty()) return fail(Code::corrupt, "neither copy of vault.key in the backup is whole: nothing in it can be opened");
  for (const auto& [name, bytes] : keys_last) TRY(put(directory / name, bytes));
  std::error_code ignored;
  fs::permissions(directory, fs::perms::owner_all, ignored);
  return report;
}

Result<WipeReport> wipe_vault(const fs::path& directory) {
  if (!Vault::exists(directory)) return fail(Code::not_found, "no vault at " + directory.string());
  WipeReport report;
  std::vector<fs::path> names = TRY(files_below(directory));
  const auto is_key = [](const fs::path& name) { return name == key_name || name == copy_name || name.extension() == ".key"; };
  std::ranges::stable_partition(names, is_key);
  for (const fs::path& name : names) {
    if (is_key(name)) {
      overwrite(directory / name);
      ++report.keys;
    }
    TRY(real_file_system()->remove(directory / name));
    ++report.files;
  }
  std::error_code error;
  fs::remove_all(directory, error);
  if (error) return fail_errno("remove", directory, error.value());
  return report;
}

// A collection's files go too, but it is the key that counts: it goes first.
Result<> Vault::forget(std::string_view collection) {
  return keys_.with([&](Keys& keys) -> Result<> {
    const fs::path path = key_path(collection);
    std::error_code error;
    const fs::path data = directory_ / "data" / file_name(collection);
    const bool has_key = fs::exists(path, error);
    // Without its key, what it sealed is noise that an interrupted call or a damaged backup left.
    if (!has_key && !fs::exists(data, error)) return fail(Code::not_found, fmt::format("the vault has no collection {}", collection));
    if (has_key) {
      overwrite(path);
      TRY(real_file_system()->remove(path));
    }
    if (const auto found = keys.by_name.find(collection); found != keys.by_name.end()) keys.by_name.erase(found);
    fs::remove_all(data, error);
    if (error) return fail_errno("remove", data, error.value());
    return {};
  });
}

}  // namespace hearth::vault
