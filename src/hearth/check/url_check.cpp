#include "hearth/check/url_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/model/shards.h"

namespace hearth::check {
namespace {

UrlFacts look_at(net::HttpClient& http, const net::Url& url, std::string file, const fetch::GetLimits& limits,
                 const StopToken& stop) {
  UrlFacts out{.file = std::move(file), .url = url.shown()};
  const auto facts = fetch::inspect(http, url, limits, stop);
  if (!facts) {
    out.fault = facts.error().message;
    return out;
  }
  out.size_bytes = facts->size_bytes;
  out.gives_ranges = facts->gives_ranges;
  out.sha256 = facts->sha256;
  return out;
}

void one_url(const UrlFacts& facts, const LockedModel* pinned, Findings& out) {
  if (!facts.fault.empty()) {
    out.push_back({"url.unreachable", Severity::blocks, facts.fault, "find another address for the model and pin that one"});
    return;
  }
  if (!facts.gives_ranges) {
    out.push_back({"url.no_ranges", Severity::warning, facts.url + ": the server gives no ranges",
                   "a cut download begins anew: prefer a host with range requests"});
  }
  if (!facts.size_bytes) {
    out.push_back({"url.no_size", Severity::blocks, facts.url + ": the server does not tell how large the file is",
                   "use a host that tells; hearth model pull refuses this one"});
  }
  if (pinned == nullptr) return;
  const auto locked = std::ranges::find(pinned->shards, facts.file, &LockedShard::file);
  if (locked == pinned->shards.end()) return;
  if (facts.size_bytes && *facts.size_bytes != locked->bytes) {
    out.push_back({"url.wrong_size", Severity::blocks,
                   fmt::format("{} has {} bytes, pinned are {}", facts.url, *facts.size_bytes, locked->bytes),
                   "the host has another release: pin that one, or find the pinned one elsewhere"});
  } else if (facts.sha256 && locked->sha256 && *facts.sha256 != *locked->sha256) {
    out.push_back({"url.wrong_digest", Severity::blocks,
                   fmt::format("{}: the host says SHA-256 {}, pinned is {}", facts.url, facts.sha256->hex(), locked->sha256->hex()),
                   "the host has another release: pin that one, or find the pinned one elsewhere"});
  }
}

}  // namespace

std::vector<UrlFacts> gather_urls(net::HttpClient& http, std::string_view url, const fetch::GetLimits& limits,
                                  const StopToken& stop) {
  const auto first = net::parse_url(url);
  const auto name = first ? net::file_name_of(*first) : Result<std::string>(std::unexpected(first.error()));
  if (!name) return {{.file = {}, .url = std::string(url.substr(0, url.find('?'))), .fault = name.error().message}};
  const auto split = model::parse_shard_name(*name);
  if (!split) return {look_at(http, *first, *name, limits, stop)};
  std::vector<UrlFacts> out;
  for (std::uint32_t number = 1; number <= std::min(split->count, model::shard_count_max); ++number) {
    const std::string file = model::shard_file_name({split->stem, number, split->count});
    out.push_back(look_at(http, net::with_file_name(*first, file), file, limits, stop));
  }
  return out;
}

Findings url_findings(const std::vector<UrlFacts>& urls, const LockedModel* pinned) {
  Findings out;
  for (const UrlFacts& facts : urls) one_url(facts, pinned, out);
  return out;
}

}  // namespace hearth::check
