#include "hearth/fetch/web_get.h"

#include <fmt/format.h>

#include <charconv>

#include "hearth/net/http_error.h"

namespace hearth::fetch {
namespace {

constexpr std::size_t sha256_hex_characters = 64;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// A strong ETag of 64 hexadecimal characters is the SHA-256 of the file on the hosts that matter.
std::optional<Digest256> digest_of_etag(std::string_view etag) {
  if (etag.size() == sha256_hex_characters + 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, sha256_hex_characters);
  }
  if (etag.size() != sha256_hex_characters) return std::nullopt;
  const auto digest = Digest256::parse(etag);
  return digest ? std::optional(*digest) : std::nullopt;
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// 32 bytes are 43 characters and one '='.
std::optional<Digest256> digest_of_base64(std::string_view text) {
  constexpr std::size_t characters = 43;
  if (text.size() != characters + 1 || text.back() != '=') return std::nullopt;
  Digest256 out;
  std::size_t filled = 0;
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : text.substr(0, characters)) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    if (filled < out.bytes.size()) out.bytes[filled++] = static_cast<std::byte>((bits >> bit_count) & 0xFF);
  }
  return out;
}

// "sha-256=:BASE64:, md5=:…:" of Repr-Digest, or "SHA-256=BASE64" of Digest.
std::optional<Digest256> digest_of_field(std::string_view field) {
  while (!field.empty()) {
    const std::size_t comma = std::min(field.find(','), field.size());
    std::string_view item = field.substr(0, comma);
    field.remove_prefix(std::min(comma + 1, field.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos || !net::equals_ignoring_case(item.substr(0, equals), "sha-256")) continue;
    item.remove_prefix(equals + 1);
    if (item.size() > 2 && item.front() == ':' && item.back() == ':') item = item.substr(1, item.size() - 2);
    if (const auto digest = digest_of_base64(item)) return digest;
  }
  return std::nullopt;
}

}  // namespace

void add_claims(HostClaims& claims, const net::Headers& headers) {
  for (const char* name : {"X-Linked-ETag", "ETag"}) {
    if (!claims.sha256) claims.sha256 = digest_of_etag(headers.get(name));
  }
  for (const char* name : {"Repr-Digest", "Digest"}) {
    if (!claims.sha256) claims.sha256 = digest_of_field(headers.get(name));
  }
  const std::string_view size = headers.get("X-Linked-Size");
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), bytes);
  if (!claims.size_bytes && !size.empty() && error == std::errc() && end == size.data() + size.size()) {
    claims.size_bytes = bytes;
  }
}

Result<GetResult> get_following(net::HttpClient& http, net::Url from, const net::Headers& headers,
                                const GetLimits& limits, const StopToken& stop) {
  HostClaims claims;
  for (std::uint32_t hops = 0; hops <= limits.redirects_max; ++hops) {
    net::ClientRequest request;
    request.address = from.address;
    request.target = from.target;
    request.headers = headers;
    request.headers.set("Accept-Encoding", "identity");
    request.stall_time_max = limits.stall_time_max;
    auto reply = TRY(http.open_stream(request, Deadline::after(limits.head_time_max), stop));
    add_claims(claims, reply->headers());
    if (!is_redirect(reply->status())) return GetResult{std::move(reply), std::move(from), claims};
    net::Url next = TRY(net::resolve_location(from, reply->headers().get("Location")));
    if (from.address.tls && !next.address.tls) {
      return fail(Code::permission, fmt::format("redirects from https to {}; refused, because then "
                                               "anybody on the way could change the file",
                                               next.shown()));
    }
    from = std::move(next);
  }
  return fail(Code::unsupported, fmt::format("more than {} redirects in a row; give the address "
                                            "they end at", limits.redirects_max));
}

std::unexpected<Error> refusal_of(const net::ResponseStream& reply) {
  Error error = net::error_of_reply(reply.status(), {}, "the server says");
  if (reply.status() == 404 || reply.status() == 410) {
    error.code = Code::not_found;
    error.message += "; there is no such file on the server";
  } else if (error.code == Code::permission) {
    error.message += "; the server wants a login: download the file there and give its path";
  } else if (reply.status() == 416) {
    error = Error{Code::corrupt,
                  fmt::format("the server says that the file has no such bytes ({})",
                              reply.headers().get("Content-Range", "no size given"))};
  } else if (reply.status() == 429 || reply.status() >= 500) {
    error.code = Code::unavailable;  // may pass
  }
  return std::unexpected(std::move(error));
}

bool is_web_page(const net::ResponseStream& reply) {
  return reply.headers().get("Content-Type").starts_with("text/html");
}

std::unexpected<Error> web_page_refusal() {
  return fail(Code::unsupported, "this is a web page, not a file; give the address of the download (on "
                                 "huggingface.co: /resolve/ instead of /blob/)");
}

}  // namespace hearth::fetch
