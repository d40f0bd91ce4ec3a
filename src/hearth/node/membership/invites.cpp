#include "hearth/node/membership/invites.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/base/json.h"

namespace hearth::node {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t invite_bytes_max = 4096;
constexpr std::size_t digest_digits = 64;
constexpr std::string_view extension = ".json";

bool is_digest(std::string_view text) { return text.size() == digest_digits && from_hex(text); }

fs::path path_of(const fs::path& directory, std::string_view digest) {
  return directory / fmt::format("{}{}", digest, extension);
}

Result<Invite> read_invite(const fs::path& path, std::string_view digest) {
  const std::string text = TRY(read_text_file(path, invite_bytes_max));
  const Json json = TRY(parse_json(text));
  Invite out{std::string(digest), TRY(get<std::string>(json, "machine")), {}};
  const auto expires = TRY(get<std::int64_t>(json, "expires"));
  out.expires = std::chrono::sys_seconds(std::chrono::seconds(expires));
  return out;
}

// Every invite file, readable or not (then without a time: expired).
std::vector<Invite> all_invites(const fs::path& directory) {
  std::vector<Invite> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != extension || !is_digest(name)) continue;
    auto invite = read_invite(entry.path(), name);
    out.push_back(invite ? *std::move(invite) : Invite{name, {}, {}});
  }
  std::ranges::sort(out, {}, &Invite::expires);
  return out;
}

}  // namespace

Result<> add_invite(const fs::path& directory, const Invite& invite, std::chrono::sys_seconds now,
                    FileSystem& files) {
  CHECK(is_digest(invite.public_key_sha256));
  TRY(files.create_directories(directory));
  std::size_t open = 0;
  for (const Invite& one : all_invites(directory)) {
    if (one.expires > now) {
      ++open;
    } else {
      TRY(files.remove(path_of(directory, one.public_key_sha256)));
    }
  }
  if (open >= open_invites_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} invites are open, the most there may be; they expire by themselves",
                            open));
  }
  const std::string text = dump_json(Json::object(
      {{"machine", invite.machine}, {"expires", invite.expires.time_since_epoch().count()}}));
  const ByteSpan bytes = as_byte_span(text);
  return files.write_atomically(path_of(directory, invite.public_key_sha256), {&bytes, 1},
                                Durability::survives_process);
}

Result<std::optional<Invite>> find_invite(const fs::path& directory,
                                          std::string_view public_key_sha256,
                                          std::chrono::sys_seconds now) {
  CHECK(is_digest(public_key_sha256));
  auto invite = read_invite(path_of(directory, public_key_sha256), public_key_sha256);
  if (!invite && invite.error().code == Code::not_found) return std::optional<Invite>();
  if (!invite) return std::unexpected(invite.error());
  if (invite->expires <= now) return std::optional<Invite>();
  return std::optional<Invite>(*std::move(invite));
}

Result<bool> take_invite(const fs::path& directory, std::string_view public_key_sha256) {
  CHECK(is_digest(public_key_sha256));
  const fs::path path = path_of(directory, public_key_sha256);
  std::error_code error;
  const bool taken = fs::remove(path, error);
  if (error) return fail_errno("remove", path, error.value());
  return taken;
}

std::vector<Invite> open_invites(const fs::path& directory, std::chrono::sys_seconds now) {
  std::vector<Invite> out = all_invites(directory);
  std::erase_if(out, [&](const Invite& invite) { return invite.expires <= now; });
  return out;
}

}  // namespace hearth::node
