#include "hearth/fetch/remote_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hearth/fetch/web_get.h"

namespace hearth::fetch {
namespace {

// Enough for most headers of later shards, and less than one round trip's worth of waiting.
constexpr std::size_t beginning_bytes = 64U << 10;
constexpr std::uint32_t pause_doublings_max = 4;

// Where a redirect led may have been valid for minutes only.
bool may_have_expired(int status) {
  return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

bool worth_another_try(Code code) { return code == Code::unavailable || code == Code::timed_out; }

}  // namespace

RemoteFile::RemoteFile(net::HttpClient& http, net::Url url, RemoteFileOptions options,
                       StopToken stop)
    : http_(http), url_(url), options_(options), stop_(std::move(stop)), resolved_(std::move(url)) {}

Result<std::unique_ptr<RemoteFile>> RemoteFile::open(net::HttpClient& http, net::Url url,
                                                     RemoteFileOptions options, StopToken stop) {
  std::unique_ptr<RemoteFile> file(new RemoteFile(http, std::move(url), options, std::move(stop)));
  Bytes room(beginning_bytes);
  Part part{.first = 0, .out = room};
  if (auto filled = file->fill(part); !filled) {
    return std::unexpected(with_context(std::move(filled).error(), file->url_.shown()));
  }
  room.resize(part.filled);
  file->beginning_ = std::move(room);
  return file;
}

Result<> RemoteFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  if (offset > size_bytes_ || size_bytes_ - offset < out.size()) {
    return fail(Code::corrupt, fmt::format("offset {}: wanted {} bytes of {}", offset, out.size(),
                                          size_bytes_));
  }
  Part part{.first = offset, .out = out};
  if (offset < beginning_.size()) {
    part.filled = std::min(out.size(), beginning_.size() - static_cast<std::size_t>(offset));
    std::memcpy(out.data(), beginning_.data() + offset, part.filled);
  }
  return fill(part);
}

// Until the part is whole. Each attempt goes on where the last one ended.
Result<> RemoteFile::fill(Part& part) {
  std::uint32_t in_vain = 0;
  while (part.filled < part.out.size()) {
    if (size_bytes_ > 0 && part.first + part.filled == size_bytes_) return {};
    const std::size_t before = part.filled;
    const Result<> fetched = fetch(part);
    if (fetched) continue;
    if (!worth_another_try(fetched.error().code)) return fetched;
    ++cuts_;
    in_vain = part.filled > before ? 0 : in_vain + 1;
    if (in_vain == options_.attempts_max || cuts_ > options_.cuts_max) {
      return fail(fetched.error().code,
                 fmt::format("gave up at byte {} after {} cuts: {}", part.first + part.filled,
                             cuts_, fetched.error().message));
    }
    const auto pause = options_.pause * (1 << std::min(in_vain, pause_doublings_max));
    if (stopped_while_waiting(stop_, Deadline::after(pause))) {
      return fail(Code::cancelled, "reading was cancelled");
    }
  }
  return {};
}

Result<> RemoteFile::fetch(Part& part) {
  const auto reply = TRY(ask(part));
  const auto span = TRY(check_reply(*reply, part));
  return read_body(*reply, span.bytes(), part);
}

Result<> RemoteFile::read_body(net::ResponseStream& reply, std::uint64_t bytes, Part& part) {
  const Deadline deadline = Deadline::after(options_.body_time_max);
  std::uint64_t left = bytes;
  for (;;) {
    const ByteSpan piece = TRY(reply.read(deadline));
    if (piece.empty()) break;
    if (piece.size() > left) {
      return fail(Code::corrupt, fmt::format("the server announced {} bytes and sends more", bytes));
    }
    std::memcpy(part.out.data() + part.filled, piece.data(), piece.size());
    part.filled += piece.size();
    fetched_bytes_ += piece.size();
    left -= piece.size();
  }
  if (left == 0) return {};
  return fail(Code::corrupt, fmt::format("the server announced {} bytes and sent {}", bytes,
                                        bytes - left));
}

Result<std::unique_ptr<net::ResponseStream>> RemoteFile::ask(const Part& part) {
  auto reply = TRY(follow(resolved_, part));
  if (resolved_ == url_ || !may_have_expired(reply->status())) return reply;
  return follow(url_, part);
}

Result<std::unique_ptr<net::ResponseStream>> RemoteFile::follow(net::Url from, const Part& part) {
  const std::uint64_t begin = part.first + part.filled;
  const std::uint64_t last = part.first + part.out.size() - 1;
  auto got = TRY(get_following(http_, std::move(from), {{"Range", fmt::format("bytes={}-{}", begin, last)}},
                               {.head_time_max = options_.head_time_max,
                                .stall_time_max = options_.stall_time_max,
                                .redirects_max = options_.redirects_max},
                               stop_));
  resolved_ = std::move(got.url);
  if (!claims_.sha256) claims_.sha256 = got.claims.sha256;
  if (!claims_.size_bytes) claims_.size_bytes = got.claims.size_bytes;
  return std::move(got.reply);
}

Result<net::ContentRange::Span> RemoteFile::check_reply(const net::ResponseStream& reply,
                                                        const Part& part) {
  const int status = reply.status();
  if (status >= 200 && status < 300 && status != 206) {
    if (is_web_page(reply)) return web_page_refusal();
    return fail(Code::unsupported, "the server answers a request for the first bytes with the whole file; a "
                                   "header can only be read from a server with range requests. Download the "
                                   "file, or its first shard, and give its path");
  }
  if (status != 206) return refusal_of(reply);
  const std::string_view encoding = reply.headers().get("Content-Encoding", "identity");
  if (!net::equals_ignoring_case(encoding, "identity")) {
    return fail(Code::unsupported, fmt::format("the server sends the file encoded as {}",
                                              encoding.substr(0, 40)));
  }
  const std::string* field = reply.headers().find("Content-Range");
  if (field == nullptr) return fail(Code::corrupt, "a partial reply that does not say which part");
  const net::ContentRange range = TRY(net::parse_content_range(*field));
  if (!range.total_bytes) {
    return fail(Code::unsupported, "the server does not tell how large the file is");
  }
  const std::uint64_t begin = part.first + part.filled;
  const std::uint64_t end = part.first + part.out.size();
  if (!range.span || range.span->first != begin || range.span->last >= end) {
    return fail(Code::corrupt, fmt::format("asked for bytes {} to {}, the server sends '{}'", begin,
                                          end - 1, field->substr(0, 120)));
  }
  TRY(check_version(reply, *range.total_bytes));
  return *range.span;
}

Result<> RemoteFile::check_version(const net::ResponseStream& reply, std::uint64_t total_bytes) {
  const std::string version(reply.headers().get("ETag"));
  if (size_bytes_ == 0) {
    size_bytes_ = total_bytes;
    version_ = version;
    return {};
  }
  if (total_bytes != size_bytes_) {
    return fail(Code::corrupt, fmt::format("the file on the server changed while it was read: the server said {} bytes, "
                                           "now it says {}; try again", size_bytes_, total_bytes));
  }
  if (!version.empty() && !version_.empty() && version != version_) {
    return fail(Code::corrupt, "the file on the server changed while it was read; try again");
  }
  return {};
}

}  // namespace hearth::fetch
