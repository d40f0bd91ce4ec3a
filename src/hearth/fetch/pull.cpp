#include "hearth/fetch/pull.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <limits>

#include "hearth/base/file.h"
#include "hearth/model/shards.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

// A disk that is full to its last byte troubles everything else on the machine.
constexpr std::uint64_t reserve_bytes = 256ULL << 20;

// A server does not choose where on this disk its file goes.
Result<std::string> local_name(const net::Url& url) {
  std::string name = TRY(net::file_name_of(url));
  if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos) return name;
  return fail(Code::invalid_argument, fmt::format("{}: the address does not end in the name of a file", url.shown()));
}

Result<> check_room(const PullPlan& plan, const fs::path& folder, const PullOptions& options) {
  if (plan.total_bytes > options.bytes_max) {
    return fail(Code::resource_exhausted, fmt::format("the model has {} bytes; at most {} are allowed (--size-max-gb)",
                                                     plan.total_bytes, options.bytes_max));
  }
  const std::uint64_t missing = plan.total_bytes - std::min(plan.total_bytes, plan.present_bytes);
  if (missing == 0) return {};
  const std::uint64_t room = TRY(options.free_bytes ? options.free_bytes(folder) : free_bytes_at(folder));
  if (room >= missing && room - missing >= reserve_bytes) return {};
  return fail(Code::resource_exhausted,
             fmt::format("{} bytes are still to come and {} has {} free, of which {} stay free; make room or name "
                         "another folder with --to", missing, folder.string(), room, reserve_bytes));
}

}  // namespace

Result<std::uint64_t> free_bytes_at(const fs::path& path) {
  struct statvfs info {};
  if (::statvfs(path.empty() ? "." : path.c_str(), &info) != 0) return fail_errno("look at the disk of", path, errno);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<std::string> url_of_name(std::string_view name, std::string_view host, std::string_view revision) {
  const std::size_t owner = name.find('/');
  const std::size_t repository = owner == std::string_view::npos ? owner : name.find('/', owner + 1);
  if (owner == 0 || repository == std::string_view::npos || repository == owner + 1 || !name.ends_with(".gguf")) {
    return fail(Code::invalid_argument,
               fmt::format("'{}' is neither a URL, nor a model of hearth.lock, nor OWNER/REPOSITORY/FILE.gguf, such as "
                           "unsloth/Kimi-K2.6-GGUF/UD-Q4_K_XL/Kimi-K2.6-UD-Q4_K_XL-00001-of-00013.gguf", name));
  }
  std::string path;
  for (std::size_t begin = repository + 1; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    path += "/" + net::percent_encode(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return fmt::format("{}/{}/resolve/{}{}", host, name.substr(0, repository), net::percent_encode(revision), path);
}

Result<PullPlan> plan_pull(net::HttpClient& http, std::string_view url, const fs::path& folder,
                           const PullOptions& options, const StopToken& stop) {
  const net::Url first = TRY(net::parse_url(url));
  const std::string file_name = TRY(local_name(first));
  const auto split = model::parse_shard_name(file_name);
  const std::uint32_t count = split ? split->count : 1;
  if (!options.sha256.empty() && options.sha256.size() != count) {
    return fail(Code::invalid_argument, fmt::format("{} digests for {} files", options.sha256.size(), count));
  }
  const GetLimits limits{.head_time_max = options.download.file.head_time_max,
                         .stall_time_max = options.download.file.stall_time_max,
                         .redirects_max = options.download.file.redirects_max};
  PullPlan plan;
  for (std::uint32_t number = 1; number <= count; ++number) {
    const net::Url place =
        split ? net::with_file_name(first, model::shard_file_name({split->stem, number, count})) : first;
    RemoteFacts facts = TRY(inspect(http, place, limits, stop));
    if (!facts.size_bytes) {
      return fail(Code::unsupported, fmt::format("{}: the server does not tell how large the file is, so nobody can tell "
                                                "whether it fits or arrived whole", place.shown()));
    }
    const std::string name = TRY(local_name(place));
    if (*facts.size_bytes > std::numeric_limits<std::uint64_t>::max() - plan.total_bytes) {
      return fail(Code::resource_exhausted, fmt::format("{}: the server says {} bytes; that is no model", place.shown(), *facts.size_bytes));
    }
    plan.total_bytes += *facts.size_bytes;
    plan.present_bytes += std::min(*facts.size_bytes, bytes_present(facts, folder / name));
    plan.files.push_back(std::move(facts));
  }
  TRY(check_room(plan, folder, options));
  return plan;
}

Result<std::vector<Downloaded>> pull(net::HttpClient& http, const PullPlan& plan, const fs::path& folder,
                                     const PullOptions& options, const StopToken& stop) {
  std::vector<Downloaded> out;
  std::uint64_t before_bytes = 0;
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    const RemoteFacts& facts = plan.files[i];
    const std::string name = TRY(local_name(facts.url));
    DownloadOptions own = options.download;
    if (!options.sha256.empty()) own.sha256 = options.sha256[i];
    own.progress = [&](std::uint64_t done_bytes) {
      if (options.progress) options.progress(name, before_bytes + done_bytes, plan.total_bytes);
    };
    out.push_back(TRY(download(http, facts, folder / name, own, stop)));
    before_bytes += *facts.size_bytes;
  }
  return out;
}

}  // namespace hearth::fetch
