#pragma once
// What a web server says of a file before anything of it is downloaded.

#include "hearth/fetch/web_get.h"

namespace hearth::fetch {

struct RemoteFacts {
  net::Url url;  // as given; redirects are followed again when it is downloaded
  std::optional<std::uint64_t> size_bytes;  // absent: the server does not tell
  bool gives_ranges = false;
  std::string version;  // ETag; empty when there is none
  std::optional<Digest256> sha256;
};

// Asks for the first byte. Errors: what the server said (refusal_of), a web page where a file was
// expected (unsupported), sizes that contradict each other (corrupt).
Result<RemoteFacts> inspect(net::HttpClient& http, const net::Url& url, const GetLimits& limits,
                            const StopToken& stop);

}  // namespace hearth::fetch
