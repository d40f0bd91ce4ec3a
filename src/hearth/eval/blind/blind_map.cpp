#include "hearth/eval/blind/blind_map.h"

#include <algorithm>
#include <array>

#include "hearth/base/check.h"
#include "hearth/base/file.h"

#include <fcntl.h>
#include <unistd.h>

namespace hearth::eval {
namespace {

constexpr std::string_view format_name = "hearth blinding map 1";

std::string id_of(std::string_view nonce, std::string_view subject) {
  return Blake2b().update_sized(nonce).update_sized(subject).finish().hex().substr(0, id_hex_digits);
}

}  // namespace

const std::string* BlindMap::subject_of(std::string_view id) const {
  const auto found = std::ranges::lower_bound(entries, id, {}, &BlindEntry::id);
  return found != entries.end() && found->id == id ? &found->subject : nullptr;
}

BlindMap make_blind_map(std::span<const std::string> subjects, std::string nonce) {
  BlindMap out{.nonce = std::move(nonce), .entries = {}};
  for (const std::string& subject : subjects) out.entries.push_back({id_of(out.nonce, subject), subject});
  std::ranges::sort(out.entries, {}, &BlindEntry::id);
  CHECK(std::ranges::adjacent_find(out.entries, {}, &BlindEntry::id) == out.entries.end());
  return out;
}

Digest256 commitment(const BlindMap& map) {
  Blake2b hash;
  hash.update_sized(map.nonce);
  for (const BlindEntry& entry : map.entries) hash.update_sized(entry.id).update_sized(entry.subject);
  return hash.finish();
}

Json blind_map_json(const BlindMap& map) {
  Json entries = Json::array();
  for (const BlindEntry& entry : map.entries) entries.push(Json::array({entry.id, entry.subject}));
  return Json::object({{"format", format_name}, {"nonce", map.nonce}, {"entries", std::move(entries)}});
}

Result<BlindMap> parse_blind_map(std::string_view text) {
  const Json json = TRY(parse_json(text));
  const std::string format = TRY(get<std::string>(json, "format"));
  if (format != format_name) return fail(Code::corrupt, "not a blinding map: its format is \"" + format + "\"");
  BlindMap out;
  out.nonce = TRY(get<std::string>(json, "nonce"));
  const Json* entries = json.find("entries");
  if (!entries || !entries->is_array()) return fail(Code::corrupt, "entries: expected a list");
  for (const Json& entry : entries->as_array()) {
    if (!entry.is_array() || entry.as_array().size() != 2 || !entry.as_array()[0].is_string() ||
        !entry.as_array()[1].is_string()) {
      return fail(Code::corrupt, "entries: expected pairs of an id and a subject");
    }
    out.entries.push_back({entry.as_array()[0].as_string(), entry.as_array()[1].as_string()});
  }
  if (!std::ranges::is_sorted(out.entries, {}, &BlindEntry::id))
    return fail(Code::corrupt, "entries: not in order of their ids");
  return out;
}

Result<std::string> secure_nonce() {
  const FileDescriptor random(::open("/dev/urandom", O_RDONLY | O_CLOEXEC));
  std::array<std::byte, 32> bytes;
  if (!random.valid() || ::read(random.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno("read", "/dev/urandom", errno);
  }
  return to_hex(bytes);
}

}  // namespace hearth::eval
