// Member lists as text: JSON, limits, signature.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hearth/net/address.h"
#include "hearth/net/x509.h"
#include "hearth/node/membership/machine_name.h"
#include "hearth/node/membership/members.h"

namespace hearth::node {
namespace {

constexpr std::int64_t format_version = 1;
constexpr std::string_view signed_prefix = "hearth members 1\n";  // of no other signature
constexpr std::size_t cluster_name_bytes_max = 100;
constexpr std::size_t digest_digits = 64;

std::int64_t unix_seconds(std::chrono::sys_seconds time) { return time.time_since_epoch().count(); }

std::unexpected<Error> bad(std::string_view path, std::string_view what) {
  return fail(Code::invalid_argument, fmt::format("{}: {}", path, what));
}

// The array in a member of `object`; none when it is not there.
Result<Json::Array> read_array(const Json& object, std::string_view key, std::string_view path,
                               std::size_t items_max) {
  const Json* found = object.find(key);
  if (found == nullptr) return bad(path, fmt::format("{} is missing", key));
  if (!found->is_array()) return bad(path, fmt::format("{}: expected an array", key));
  if (found->as_array().size() > items_max) {
    return bad(path, fmt::format("{}: at most {} entries", key, items_max));
  }
  return found->as_array();
}

Result<std::string> read_digest(const Json& object, std::string_view key, std::string_view path) {
  auto text = TRY(get<std::string>(object, key, path));
  if (text.size() != digest_digits || !from_hex(text)) {
    return bad(path, fmt::format("{}: expected {} hex digits", key, digest_digits));
  }
  return text;
}

Result<std::string> read_name(const Json& object, std::string_view key, std::string_view path) {
  auto name = TRY(get<std::string>(object, key, path));
  if (const auto good = check_machine_name(name); !good) {
    return bad(path.empty() ? key : path, good.error().message);
  }
  return name;
}

Result<std::chrono::sys_seconds> read_time(const Json& object, std::string_view path) {
  constexpr std::int64_t year_9999 = 253'402'300'799;
  const auto value = TRY(get<std::int64_t>(object, "expires", path));
  if (value < 0 || value > year_9999) return bad(path, "expires: expected seconds since 1970");
  return std::chrono::sys_seconds(std::chrono::seconds(value));
}

Result<IssuedCertificate> read_issued(const Json& json, std::string_view path) {
  IssuedCertificate out;
  out.serial = TRY(get<std::uint64_t>(json, "serial", path));
  out.certificate_sha256 = TRY(read_digest(json, "certificate_sha256", path));
  out.public_key_sha256 = TRY(read_digest(json, "public_key_sha256", path));
  out.expires = TRY(read_time(json, path));
  return out;
}

Result<Member> read_member(const Json& json, const std::string& path) {
  Member out;
  out.name = TRY(read_name(json, "name", path));
  out.address = TRY(get_or<std::string>(json, "address", "", path));
  if (!out.address.empty()) {
    const auto address = net::parse_address(out.address);
    if (!address) return bad(path, address.error().message);
  }
  const auto certificates =
      TRY(read_array(json, "certificates", path, certificates_per_member_max));
  if (certificates.empty()) return bad(path, "certificates: at least one is expected");
  for (const Json& one : certificates) {
    out.certificates.push_back(TRY(read_issued(one, path + ".certificates")));
  }
  return out;
}

Result<RemovedMember> read_removed(const Json& json, const std::string& path) {
  RemovedMember out;
  out.name = TRY(read_name(json, "name", path));
  out.serial_max = TRY(get<std::uint64_t>(json, "serial_max", path));
  out.certificate_sha256 = TRY(read_digest(json, "certificate_sha256", path));
  out.expires = TRY(read_time(json, path));
  return out;
}

Result<> check_list(const MemberList& list) {
  std::set<std::string_view> names;
  for (const Member& member : list.members) {
    if (!names.insert(member.name).second) {
      return bad("members", fmt::format("'{}' is there twice", member.name));
    }
    for (const IssuedCertificate& held : member.certificates) {
      if (held.serial == 0 || held.serial > list.last_serial) {
        return bad("members", fmt::format("'{}' has serial {}, beyond last_serial {}", member.name,
                                          held.serial, list.last_serial));
      }
    }
  }
  if (list.find(list.authority) == nullptr) return bad("authority", "is no member");
  return {};
}

Json to_json(const IssuedCertificate& held) {
  return Json::object({{"serial", held.serial},
                       {"certificate_sha256", held.certificate_sha256},
                       {"public_key_sha256", held.public_key_sha256},
                       {"expires", unix_seconds(held.expires)}});
}

}  // namespace

Json to_json(const MemberList& list) {
  Json members = Json::array();
  for (const Member& member : list.members) {
    Json certificates = Json::array();
    for (const IssuedCertificate& held : member.certificates) certificates.push(to_json(held));
    members.push(Json::object({{"name", member.name},
                               {"address", member.address},
                               {"certificates", std::move(certificates)}}));
  }
  Json removed = Json::array();
  for (const RemovedMember& gone : list.removed) {
    removed.push(Json::object({{"name", gone.name},
                               {"serial_max", gone.serial_max},
                               {"certificate_sha256", gone.certificate_sha256},
                               {"expires", unix_seconds(gone.expires)}}));
  }
  return Json::object({{"format", format_version},
                       {"cluster", list.cluster},
                       {"authority", list.authority},
                       {"version", list.version},
                       {"last_serial", list.last_serial},
                       {"members", std::move(members)},
                       {"removed", std::move(removed)}});
}

Result<MemberList> parse_members(std::string_view text) {
  if (text.size() > members_bytes_max) {
    return bad("members", fmt::format("at most {} bytes", members_bytes_max));
  }
  const Json json = TRY(parse_json(text));
  const auto format = TRY(get<std::int64_t>(json, "format"));
  if (format != format_version) {
    return fail(Code::unsupported, fmt::format("a member list of format {}; this Hearth reads format {}",
                                               format, format_version));
  }
  MemberList out;
  out.cluster = TRY(get<std::string>(json, "cluster"));
  if (out.cluster.size() > cluster_name_bytes_max) return bad("cluster", "the name is too long");
  out.authority = TRY(read_name(json, "authority", ""));
  out.version = TRY(get<std::uint64_t>(json, "version"));
  out.last_serial = TRY(get<std::uint64_t>(json, "last_serial"));
  const auto members = TRY(read_array(json, "members", "", members_max));
  for (std::size_t i = 0; i < members.size(); ++i) {
    out.members.push_back(TRY(read_member(members[i], fmt::format("members[{}]", i))));
  }
  const auto removed = TRY(read_array(json, "removed", "", removed_max));
  for (std::size_t i = 0; i < removed.size(); ++i) {
    out.removed.push_back(TRY(read_removed(removed[i], fmt::format("removed[{}]", i))));
  }
  TRY(check_list(out));
  return out;
}

Result<std::string> sign_members(const MemberList& list, std::string_view authority_key_pem) {
  const std::string line = dump_json(to_json(list));
  const std::string signature =
      TRY(net::sign_text(authority_key_pem, std::string(signed_prefix) + line));
  return line + "\n" + dump_json(Json::object({{"signature", signature}})) + "\n";
}

Result<MemberList> open_members(std::string_view text, std::string_view authority_pem) {
  if (text.size() > members_bytes_max) {
    return bad("members", fmt::format("at most {} bytes", members_bytes_max));
  }
  const auto end = text.find('\n');
  if (end == text.npos) return fail(Code::corrupt, "a member list without its signature");
  const std::string_view line = text.substr(0, end);
  const Json second = TRY(parse_json(text.substr(end + 1)));
  const auto signature = TRY(get<std::string>(second, "signature"));
  TRY(net::check_signature(authority_pem, std::string(signed_prefix) + std::string(line), signature));
  return parse_members(line);
}

}  // namespace hearth::node
