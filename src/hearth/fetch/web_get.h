#pragma once
// One GET of a file, through redirects, and what the servers on the way claim about the file.
//
// Follows a bounded number of redirects, never from https to http. The reply may have any status.
// One thread. Errors: unsupported (too many redirects), permission (from https to http), and those
// of the HTTP client.

#include <memory>
#include <optional>
#include <string>

#include "hearth/base/clock.h"
#include "hearth/base/digest.h"
#include "hearth/base/stop.h"
#include "hearth/net/http_client.h"
#include "hearth/net/url.h"

namespace hearth::fetch {

struct GetLimits {
  Duration head_time_max = std::chrono::seconds(20);  // of each reply, redirects too
  Duration stall_time_max{};  // without a byte; zero: only deadlines end a read
  std::uint32_t redirects_max = 5;
};

// What a host says of the file as a whole. Sources: RFC 9110 (ETag), RFC 9530 (Repr-Digest), RFC
// 3230 (Digest), and X-Linked-ETag / X-Linked-Size of Hugging Face, which come with its redirect.
struct HostClaims {
  std::optional<Digest256> sha256;
  std::optional<std::uint64_t> size_bytes;
};
// Those of one more reply are added; the first to say something wins.
void add_claims(HostClaims& claims, const net::Headers& headers);

struct GetResult {
  std::unique_ptr<net::ResponseStream> reply;
  net::Url url;  // that the reply came from
  HostClaims claims;
};
Result<GetResult> get_following(net::HttpClient& http, net::Url from, const net::Headers& headers,
                                const GetLimits& limits, const StopToken& stop);

// What a reply that is no file means, with the way to mend it.
std::unexpected<Error> refusal_of(const net::ResponseStream& reply);
// A page for people, where a file was expected.
bool is_web_page(const net::ResponseStream& reply);
std::unexpected<Error> web_page_refusal();

}  // namespace hearth::fetch
