#pragma once
// A whole model from a web server: its only file, or every shard of it.
//
// Everything is looked at before the first byte is downloaded: each shard answers, all have sizes,
// they are not larger than allowed, and the disk has room. One thread; errors are those of inspect()
// and download(), and resource_exhausted for size and room.

#include <vector>

#include "hearth/fetch/download.h"

namespace hearth::fetch {

struct PullOptions {
  DownloadOptions download;
  std::uint64_t bytes_max = 4'000'000'000'000;  // of all files together
  std::vector<Digest256> sha256;                // of each file in order; empty: what the host says
  std::function<Result<std::uint64_t>(const std::filesystem::path&)> free_bytes;  // empty: ask the system
  std::function<void(std::string_view file, std::uint64_t done_bytes, std::uint64_t total_bytes)> progress;
};

struct PullPlan {
  std::vector<RemoteFacts> files;
  std::uint64_t total_bytes = 0;
  std::uint64_t present_bytes = 0;  // on disk already
};

// `url`: the only file, or any shard.
Result<PullPlan> plan_pull(net::HttpClient& http, std::string_view url, const std::filesystem::path& folder,
                           const PullOptions& options, const StopToken& stop);
Result<std::vector<Downloaded>> pull(net::HttpClient& http, const PullPlan& plan, const std::filesystem::path& folder,
                                     const PullOptions& options, const StopToken& stop);

// https://huggingface.co/… of "OWNER/REPOSITORY/PATH.gguf"; `host` and `revision` are parts of it.
Result<std::string> url_of_name(std::string_view name, std::string_view host, std::string_view revision);

// What the file system of `path` has left for this user.
Result<std::uint64_t> free_bytes_at(const std::filesystem::path& path);

}  // namespace hearth::fetch
