// Any text as a key, a certificate or a request: facts, or a refusal.
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/net/x509.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto facts = read_certificate(text)) {
    CHECK(facts->certificate_sha256.size() == 64 && facts->public_key_sha256.size() == 64);
  }
  static const std::string key = *make_private_key();
  static const std::string authority =
      *make_self_signed(key, {.common_name = "fuzz",
                              .dns_names = {},
                              .serial = 1,
                              .not_before = {},
                              .expires = std::chrono::sys_seconds(std::chrono::hours(1)),
                              .is_authority = true,
                              .authority_domain = "hearth.internal"});
  if (const auto made = sign_request(text, {.common_name = "x"}, authority, key)) {
    CHECK(check_signed_by(*made, authority));
  }
  (void)split_certificates(text);
  (void)check_key_of(text, text);
  return 0;
}
