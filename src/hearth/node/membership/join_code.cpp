#include "hearth/node/membership/join_code.h"

#include <fmt/format.h>

#include <array>

#include "hearth/net/x509.h"
#include "hearth/node/membership/machine_name.h"

namespace hearth::node {
namespace {

constexpr std::string_view mark = "hearth-1";
constexpr std::size_t secret_bytes = 16;
constexpr std::size_t digest_digits = 32;
constexpr std::size_t check_digits = 4;
constexpr std::size_t code_bytes_max = 512;

std::unexpected<Error> bad(std::string_view what) {
  return fail(Code::invalid_argument,
              fmt::format("this is not a join code: {}; hearth cluster invite prints one, "
                          "'{}/MACHINE@HOST:PORT/...'", what, mark));
}

std::string check_of(std::string_view front) {
  return blake2b(as_byte_span(front)).hex().substr(0, check_digits);
}

std::string front_of(const JoinCode& code) {
  return fmt::format("{}/{}@{}/{}/{}", mark, code.machine, code.address.text(), code.secret,
                     code.authority_sha256);
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && from_hex(text).has_value();
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace

Result<JoinCode> make_join_code(std::string machine, net::Address address,
                                std::string_view authority_pem) {
  JoinCode out;
  out.machine = std::move(machine);
  out.address = std::move(address);
  out.secret = to_hex(net::random_secret(secret_bytes));
  out.authority_sha256 =
      TRY(net::read_certificate(authority_pem)).certificate_sha256.substr(0, digest_digits);
  return out;
}

std::string join_code_text(const JoinCode& code) {
  const std::string front = front_of(code);
  return front + "/" + check_of(front);
}

Result<JoinCode> parse_join_code(std::string_view text) {
  text = trim(text);
  if (text.size() > code_bytes_max) return bad("it is too long");
  std::array<std::string_view, 5> parts;
  std::string_view rest = text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto end = rest.find('/');
    if ((end == rest.npos) != (i + 1 == parts.size())) return bad("it does not have five parts");
    parts[i] = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), parts[i].size() + 1));
  }
  if (parts[0] != mark) return bad(fmt::format("it does not begin with {}", mark));
  const std::string_view front = text.substr(0, text.size() - parts[4].size() - 1);
  if (parts[4] != check_of(front)) return bad("it was changed or cut while it was copied");
  JoinCode out;
  const auto at = parts[1].find('@');
  if (at == parts[1].npos) return bad("it names no machine");
  out.machine = parts[1].substr(0, at);
  TRY(check_machine_name(out.machine));
  out.address = TRY(net::parse_address(parts[1].substr(at + 1)));
  if (out.address.is_unix() || out.address.tls || out.address.port == 0) return bad("its address");
  if (!is_hex(parts[2], 2 * secret_bytes)) return bad("its secret");
  if (!is_hex(parts[3], digest_digits)) return bad("its authority");
  out.secret = parts[2];
  out.authority_sha256 = parts[3];
  return out;
}

Result<net::TlsIdentity> invited_identity(const JoinCode& code) {
  const Digest256 seed = Blake2b().update("hearth invited key 1\n").update(code.secret).finish();
  net::TlsIdentity out;
  out.private_key_pem = TRY(net::make_private_key_of_seed(seed));
  // The clocks of the two machines need not agree: the invite says until when, not this.
  out.certificate_pem = TRY(net::make_self_signed(
      out.private_key_pem, {.common_name = "invited",
                            .dns_names = {},
                            .serial = 1,
                            .not_before = {},
                            .expires = std::chrono::sys_days(std::chrono::year(2100) / 1 / 1),
                            .is_authority = false,
                            .authority_domain = {}}));
  return out;
}

Result<std::string> invited_key_digest(const JoinCode& code) {
  const auto identity = TRY(invited_identity(code));
  return TRY(net::read_certificate(identity.certificate_pem)).public_key_sha256;
}

}  // namespace hearth::node
