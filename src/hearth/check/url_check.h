#pragma once
// Can a model be downloaded again: does each of its files answer, with its size, with ranges, and with
// the checksum that is pinned?

#include "hearth/check/lock.h"
#include "hearth/fetch/inspect.h"

namespace hearth::check {

struct UrlFacts {
  std::string file;  // name without folder
  std::string url;   // without its query
  std::string fault; // why nothing is known of it; empty: the rest holds
  std::optional<std::uint64_t> size_bytes;
  bool gives_ranges = false;
  std::optional<Digest256> sha256;
};

// `url`: the only file, or any shard.
std::vector<UrlFacts> gather_urls(net::HttpClient& http, std::string_view url, const fetch::GetLimits& limits,
                                  const StopToken& stop);
// `pinned` may be null: then sizes and checksums are compared with nothing.
Findings url_findings(const std::vector<UrlFacts>& urls, const LockedModel* pinned);

}  // namespace hearth::check
