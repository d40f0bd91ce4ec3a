#include "hearth/vault/vault.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace hearth::vault {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view key_name = "vault.key";
constexpr std::string_view copy_name = "vault.key.copy";
constexpr std::string_view key_suffix = ".key";

Result<> make_private_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail_errno("create", path, error.value());
  fs::permissions(path, fs::perms::owner_all, error);
  if (error) return fail_errno("make private", path, error.value());
  return {};
}

Result<> write_private(const fs::path& path, ByteSpan bytes) {
  const auto files = real_file_system();
  TRY(files->write_atomically(path, {&bytes, 1}, Durability::survives_power_loss));
  if (::chmod(path.c_str(), 0600) != 0) return fail_errno("make private", path, errno);
  return {};
}

// The copy first: one of the two is whole at any time.
Result<> write_vault_key(const fs::path& directory, ByteSpan bytes) {
  TRY(write_private(directory / copy_name, bytes));
  return write_private(directory / key_name, bytes);
}

Result<VaultKeyFile> read_vault_key(const fs::path& path) {
  const Bytes bytes = TRY(read_file(path, vault_key_file_bytes + 1));
  auto parsed = parse_vault_key_file(bytes);
  if (!parsed) return std::unexpected(with_context(std::move(parsed).error(), path.string()));
  return parsed;
}

struct OpenedKey {
  VaultKeyFile file;
  Secret key;
};

// A damaged file and a wrong passphrase look alike from inside: the copy has a word in it.
Result<OpenedKey> open_vault_key(const fs::path& directory, const Secret& passphrase) {
  std::optional<Error> first;
  for (const std::string_view name : {key_name, copy_name}) {
    auto file = read_vault_key(directory / name);
    if (!file && file.error().code == Code::not_found && !Vault::exists(directory)) {
      return fail(Code::not_found, "no vault at " + directory.string() + "; hearth vault init makes one");
    }
    auto key = file ? open_vault_key_file(*file, passphrase) : Result<Secret>(std::unexpected(file.error()));
    if (key) return OpenedKey{*std::move(file), *std::move(key)};
    // What both say counts: "the passphrase" only if a whole file says so.
    if (!first || key.error().code == Code::permission) first = std::move(key).error();
  }
  return std::unexpected(*std::move(first));
}

Result<> check_passphrase(const Secret& passphrase) {
  const std::size_t bytes = passphrase.span().size();
  if (bytes >= passphrase_bytes_min && bytes <= passphrase_bytes_max) return {};
  return fail(Code::invalid_argument, fmt::format("a passphrase has {} to {} bytes, this one {}", passphrase_bytes_min,
                                                  passphrase_bytes_max, bytes));
}

std::unexpected<Error> too_many() {
  return fail(Code::resource_exhausted, fmt::format("the vault holds {} collections; forget some", collections_max));
}

}  // namespace

bool Vault::exists(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / key_name, ignored) || fs::exists(directory / copy_name, ignored);
}

Result<> Vault::create(const fs::path& directory, const Secret& passphrase, const PassphraseCost& cost) {
  if (exists(directory)) return fail(Code::invalid_argument, "there is a vault at " + directory.string() + " already");
  TRY(check_passphrase(passphrase));
  TRY(make_private_folder(directory));
  TRY(make_private_folder(directory / "keys"));
  TRY(make_private_folder(directory / "data"));
  VaultId id;
  fill_with_random(id);
  const Secret key = TRY(Secret::random(key_bytes));
  const Bytes file = TRY(make_vault_key_file(id, key, passphrase, cost));
  return write_vault_key(directory, file);
}

Result<> Vault::change_passphrase(const fs::path& directory, const Secret& old_passphrase, const Secret& new_passphrase,
                                  const PassphraseCost& cost) {
  TRY(check_passphrase(new_passphrase));
  const OpenedKey opened = TRY(open_vault_key(directory, old_passphrase));
  const Bytes file = TRY(make_vault_key_file(opened.file.id, opened.key, new_passphrase, cost));
  return write_vault_key(directory, file);
}

Result<std::unique_ptr<Vault>> Vault::unlock(fs::path directory, const Secret& passphrase) {
  const OpenedKey opened = TRY(open_vault_key(directory, passphrase));
  auto vault = std::unique_ptr<Vault>(new Vault(std::move(directory), opened.file.id));
  vault->wrapping_key_ = TRY(derive_key(opened.key, "wrap collection keys"));
  vault->naming_key_ = TRY(derive_key(opened.key, "name files"));
  TRY(vault->read_keys());
  return vault;
}

std::string Vault::file_name(std::string_view collection) const {
  return to_hex(keyed_name(naming_key_, "collection", as_byte_span(collection)));
}

fs::path Vault::key_path(std::string_view collection) const {
  return directory_ / "keys" / (file_name(collection) + std::string(key_suffix));
}

Result<CollectionKey> Vault::read_key(const fs::path& path) const {
  const Bytes bytes = TRY(read_file(path, collection_key_file_bytes_max));
  CollectionKey opened = TRY(open_collection_key_file(id_, wrapping_key_, bytes));
  if (key_path(opened.name) != path) return fail(Code::corrupt, "the key lies under another collection's name");
  return opened;
}

Result<> Vault::read_keys() {
  const fs::path folder = directory_ / "keys";
  TRY(make_private_folder(folder));
  std::error_code error;
  return keys_.with([&](Keys& keys) -> Result<> {
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() != key_suffix) continue;
      if (keys.by_name.size() >= collections_max) return too_many();
      auto opened = read_key(it->path());
      if (opened) keys.by_name.emplace(std::move(opened->name), std::weak_ptr<const Secret>());
      else keys.damaged.push_back(it->path().filename().string() + ": " + opened.error().message);
    }
    if (error) return fail_errno("list", folder, error.value());
    return {};
  });
}

Result<SharedSecret> Vault::key(std::string_view collection) {
  return keys_.with([&](Keys& keys) -> Result<SharedSecret> {
    const auto found = keys.by_name.find(collection);
    if (found != keys.by_name.end()) {
      if (auto held = found->second.lock()) return held;
    }
    const fs::path path = key_path(collection);
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    // A new key makes noise of all that is sealed with the old one: only where there is none, and nothing is sealed.
    if (status.type() == fs::file_type::none) return fail_errno("look at", path, error.value());
    const bool is_there = fs::exists(status);
    const fs::path data = directory_ / "data" / file_name(collection);
    if (!is_there && (found != keys.by_name.end() || (fs::exists(data, error) && !fs::is_empty(data, error)) ||
                      (error && error != std::errc::no_such_file_or_directory))) {
      return fail(Code::corrupt, fmt::format("the key of collection {} is missing, and what it seals is there ({}); restore it from a "
                                             "backup, or forget the collection", collection, path.filename().string()));
    }
    Secret key;
    if (is_there) {
      auto opened = read_key(path);
      if (!opened) {
        return fail(Code::corrupt, fmt::format("the key of collection {} is damaged ({}); restore it from a backup, or "
                                               "forget the collection", collection, path.filename().string()));
      }
      key = std::move(opened->key);
    } else {
      if (keys.by_name.size() >= collections_max) return too_many();
      key = TRY(Secret::random(key_bytes));
      const Bytes file = TRY(make_collection_key_file(id_, wrapping_key_, collection, key));
      TRY(write_private(path, file));
    }
    auto shared = std::make_shared<const Secret>(std::move(key));
    keys.by_name.insert_or_assign(std::string(collection), shared);
    return shared;
  });
}

Result<fs::path> Vault::folder(std::string_view collection) {
  const fs::path path = directory_ / "data" / file_name(collection);
  TRY(make_private_folder(path));
  return path;
}

Result<std::vector<std::string>> Vault::collections() {
  return keys_.with([](const Keys& keys) {
    std::vector<std::string> out;
    for (const auto& [name, key] : keys.by_name) out.push_back(name);
    return out;
  });
}

std::vector<std::string> Vault::damaged_keys() const {
  return keys_.with([](const Keys& keys) { return keys.damaged; });
}

}  // namespace hearth::vault
