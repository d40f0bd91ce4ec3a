#include "hearth/fetch/inspect.h"

#include <fmt/format.h>

#include <charconv>

#include "hearth/net/content_range.h"

namespace hearth::fetch {
namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<RemoteFacts> facts_of(const net::Url& url, const GetResult& got) {
  const net::ResponseStream& reply = *got.reply;
  RemoteFacts facts{.url = url, .size_bytes = {}, .version = std::string(reply.headers().get("ETag")),
                    .sha256 = got.claims.sha256};
  if (is_web_page(reply)) return web_page_refusal();
  if (reply.status() == 206) {
    const net::ContentRange range = TRY(net::parse_content_range(reply.headers().get("Content-Range")));
    facts.size_bytes = range.total_bytes;
    facts.gives_ranges = range.span && range.span->first == 0 && range.total_bytes;
  } else if (reply.status() >= 200 && reply.status() < 300) {
    facts.size_bytes = number_of(reply.headers().get("Content-Length"));
  } else {
    return refusal_of(reply);
  }
  if (facts.size_bytes && got.claims.size_bytes && *facts.size_bytes != *got.claims.size_bytes) {
    return fail(Code::corrupt, fmt::format("the server says {} bytes in one place and {} in another; try another host",
                                          *facts.size_bytes, *got.claims.size_bytes));
  }
  return facts;
}

}  // namespace

Result<RemoteFacts> inspect(net::HttpClient& http, const net::Url& url, const GetLimits& limits,
                            const StopToken& stop) {
  const auto got = get_following(http, url, {{"Range", "bytes=0-0"}}, limits, stop);
  auto facts = got ? facts_of(url, *got) : Result<RemoteFacts>(std::unexpected(got.error()));
  if (!facts) return std::unexpected(with_context(std::move(facts).error(), url.shown()));
  return facts;
}

}  // namespace hearth::fetch
