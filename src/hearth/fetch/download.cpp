#include "hearth/fetch/download.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "hearth/base/guarded.h"
#include "hearth/base/thread.h"
#include "hearth/fetch/file_digests.h"
#include "hearth/fetch/part_file.h"
#include "hearth/model/gguf.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

// What the connections of one download share.
struct Shared {
  net::HttpClient& http;
  const RemoteFacts& facts;
  const DownloadOptions& options;
  PartFile& part;
  StopSource stop{};  // the first that fails ends the others
  Guarded<std::optional<Error>> failure{};
  Guarded<std::uint64_t> fetched_bytes{};

  void fail_with(Error error) {
    failure.with([&](std::optional<Error>& first) {
      if (!first) first = std::move(error);
    });
    stop.request_stop();
  }
  void fetched(std::uint64_t bytes) {
    fetched_bytes.with([&](std::uint64_t& sum) {
      sum += bytes;
      if (options.progress) options.progress(part.bytes_done());
    });
  }
};

Result<> check_version(const RemoteFile& file, const RemoteFacts& facts) {
  if (file.size_bytes() == facts.size_bytes && file.version() == facts.version) return {};
  return fail(Code::corrupt, "the file on the server changed while it was downloaded; start again, and what is "
                             "there will be thrown away");
}

Result<> fetch_pieces(Shared& shared) {
  auto next = shared.part.take();
  if (!next) return {};
  const auto file = TRY(RemoteFile::open(shared.http, shared.facts.url, shared.options.file, shared.stop.token()));
  TRY(check_version(*file, shared.facts));
  Bytes buffer;
  for (; next; next = shared.part.take()) {
    buffer.resize(static_cast<std::size_t>(next->bytes));
    if (auto read = file->read_at(next->offset, buffer); !read) {
      shared.part.give_back(*next);
      return read;
    }
    TRY(shared.part.put(*next, buffer));
    shared.fetched(next->bytes);
  }
  return {};
}

Result<std::uint64_t> fetch_by_ranges(net::HttpClient& http, const RemoteFacts& facts, const FileDescriptor& locked,
                                      const fs::path& target, const DownloadOptions& options, const StopToken& stop) {
  const auto part = TRY(PartFile::open(locked, target, {.size_bytes = *facts.size_bytes, .etag = facts.version},
                                       options.piece_bytes));
  Shared shared{.http = http, .facts = facts, .options = options, .part = *part};
  const StopCallback from_outside(stop, [&] { shared.stop.request_stop(); });
  if (options.progress) options.progress(part->bytes_done());
  {
    std::vector<Thread> connections;
    for (std::uint32_t i = 0; i < std::max(1U, options.connections); ++i) {
      connections.push_back(Thread("pull", [&shared] {
        if (auto done = fetch_pieces(shared); !done) shared.fail_with(std::move(done).error());
      }));
    }
  }
  const Result<> saved = part->save();
  if (stop.stop_requested()) return fail(Code::cancelled, "the download was interrupted; the same command goes on with it");
  if (auto failure = shared.failure.with([](auto& first) { return first; })) return std::unexpected(*std::move(failure));
  TRY(saved);
  return shared.fetched_bytes.with([](std::uint64_t sum) { return sum; });
}

Result<std::uint64_t> read_stream(net::HttpClient& http, const RemoteFacts& facts, const FileDescriptor& locked,
                                  const fs::path& path, const DownloadOptions& options, const StopToken& stop) {
  const auto got = TRY(get_following(http, facts.url, {}, {.head_time_max = options.file.head_time_max,
                                                          .stall_time_max = options.file.stall_time_max,
                                                          .redirects_max = options.file.redirects_max}, stop));
  if (got.reply->status() != 200) return refusal_of(*got.reply);
  if (::ftruncate(locked.get(), 0) != 0) return fail_errno("empty", path, errno);
  std::uint64_t at = 0;
  for (;;) {
    const ByteSpan piece = TRY(got.reply->read(Deadline::never()));
    if (piece.empty()) break;
    if (at + piece.size() > *facts.size_bytes) {
      return fail(Code::corrupt, fmt::format("the server announced {} bytes and sends more", *facts.size_bytes));
    }
    TRY(write_at(locked, at, piece, path));
    at += piece.size();
    if (options.progress) options.progress(at);
  }
  if (at == *facts.size_bytes) return at;
  return fail(Code::unavailable, fmt::format("the server announced {} bytes and sent {}", *facts.size_bytes, at));
}

Result<std::uint64_t> fetch_whole(net::HttpClient& http, const RemoteFacts& facts, const FileDescriptor& locked,
                                  const fs::path& target, const DownloadOptions& options, const StopToken& stop) {
  std::error_code ignored;
  fs::remove(state_path(target), ignored);  // of pieces that the stream writes over
  for (std::uint32_t attempt = 1;; ++attempt) {
    auto bytes = read_stream(http, facts, locked, part_path(target), options, stop);
    const bool may_pass = !bytes && (bytes.error().code == Code::unavailable || bytes.error().code == Code::timed_out);
    if (bytes || !may_pass) return bytes;
    if (attempt == options.streams_max) {
      return fail(bytes.error().code, fmt::format("gave up after {} tries from the beginning, because this server gives "
                                                  "no ranges: {}", attempt, bytes.error().message));
    }
  }
}

Result<> check_gguf(const fs::path& file, const fs::path& name) {
  if (name.extension() != ".gguf") return {};
  const auto header = model::read_gguf_file(file);
  if (header) return {};
  return fail(Code::corrupt, fmt::format("what the server sent is not this model: {}", header.error().message));
}

// Digest, and for GGUF the header, of a file that is as long as it should be.
Result<Downloaded> check(const RemoteFacts& facts, const fs::path& file, const fs::path& name,
                         const DownloadOptions& options, const StopToken& stop) {
  DigestMemory nothing;
  auto digests = digest_files({file}, 1, nothing, {}, stop);
  Downloaded out{.file = name, .bytes = *facts.size_bytes, .sha256 = TRY(std::move(digests.front().sha256))};
  const auto expected = options.sha256 ? options.sha256 : facts.sha256;
  if (expected && out.sha256 != *expected) {
    return fail(Code::corrupt, fmt::format("{}: SHA-256 is {}, {} says {}", file.string(), out.sha256.hex(),
                                          options.sha256 ? "the lock or the command line" : "the host", expected->hex()));
  }
  out.was_checked = expected.has_value();
  TRY(check_gguf(file, name));
  return out;
}

Result<Downloaded> check_existing(const RemoteFacts& facts, const fs::path& target, const DownloadOptions& options,
                                  const StopToken& stop) {
  std::error_code ignored;
  const std::uint64_t bytes = fs::file_size(target, ignored);
  auto checked = bytes == *facts.size_bytes
                     ? check(facts, target, target, options, stop)
                     : Result<Downloaded>(fail(Code::corrupt, fmt::format("{} has {} bytes, on the server it has {}",
                                                                         target.string(), bytes, *facts.size_bytes)));
  if (checked || checked.error().code == Code::cancelled) return checked;
  return fail(checked.error().code, checked.error().message + "; move it away, and the download begins anew");
}

}  // namespace

std::uint64_t bytes_present(const RemoteFacts& facts, const fs::path& target) {
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(target, error);
  if (!error) return bytes;
  if (!facts.size_bytes || !facts.gives_ranges) return 0;
  const auto state = kept_state(target, {.size_bytes = *facts.size_bytes, .etag = facts.version});
  return state ? state->bytes_done() : 0;
}

Result<Downloaded> download(net::HttpClient& http, const RemoteFacts& facts, const fs::path& target,
                            const DownloadOptions& options, const StopToken& stop) {
  if (!facts.size_bytes || *facts.size_bytes == 0) {
    return fail(Code::unsupported, fmt::format("{}: the server does not tell how large the file is", facts.url.shown()));
  }
  std::error_code ignored;
  if (fs::exists(target, ignored)) return check_existing(facts, target, options, stop);
  const FileDescriptor locked = TRY(lock_part(target));
  if (fs::exists(target, ignored)) {  // finished by somebody else since we looked
    fs::remove(part_path(target), ignored);
    return check_existing(facts, target, options, stop);
  }
  const auto fetched = facts.gives_ranges ? fetch_by_ranges(http, facts, locked, target, options, stop)
                                          : fetch_whole(http, facts, locked, target, options, stop);
  if (!fetched) return std::unexpected(with_context(fetched.error(), facts.url.shown()));
  auto out = check(facts, part_path(target), target, options, stop);
  if (!out) {
    // Damaged all the same: nothing of it is worth keeping.
    if (out.error().code == Code::corrupt) {
      fs::remove(part_path(target), ignored);
      fs::remove(state_path(target), ignored);
    }
    return out;
  }
  out->fetched_bytes = *fetched;
  // Under its name it is whole, whenever the power fails.
  if (::fsync(locked.get()) != 0) return fail_errno("sync", part_path(target), errno);
  std::error_code error;
  fs::rename(part_path(target), target, error);
  if (error) return fail_errno("rename to", target, error.value());
  fs::remove(state_path(target), ignored);
  return out;
}

}  // namespace hearth::fetch
