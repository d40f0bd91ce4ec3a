#pragma once
// A file on a web server, read by ranges: model headers, without their gigabytes of weights.
//
// Follows a bounded number of redirects (never from https to http), remembers where they led, and
// asks the first address again when that place has expired. A transfer that is cut goes on where it
// ended, a bounded number of times. Every reply must be the part asked for, of a file of the same
// size and version as before.
//
// One thread. Those of open() name the URL without its query; read_at() leaves that to the caller.
// Errors:
//   not_found, permission   what the server said, or TLS
//   unsupported             a server that ignores Range, or does not tell the size
//   corrupt                 one that contradicts itself: other bytes than asked for, another size
//   unavailable, timed_out  after the last attempt
//   cancelled

#include <memory>
#include <string>

#include "hearth/fetch/web_get.h"
#include "hearth/model/byte_source.h"
#include "hearth/net/content_range.h"
#include "hearth/net/http_client.h"
#include "hearth/net/url.h"

namespace hearth::fetch {

struct RemoteFileOptions {
  Duration head_time_max = std::chrono::seconds(20);  // of each reply, redirects too
  Duration body_time_max = std::chrono::seconds(60);  // of each part
  Duration stall_time_max{};                          // without a byte; zero: body_time_max alone
  std::uint32_t redirects_max = 5;
  std::uint32_t attempts_max = 4;  // in a row that bring no byte
  std::uint32_t cuts_max = 64;     // over the life of this object
  Duration pause = std::chrono::milliseconds(500);  // before a second attempt; then twice as long
};

class RemoteFile final : public model::ByteSource {
 public:
  // Asks for the first bytes, which tell the size. `http` outlives the file.
  static Result<std::unique_ptr<RemoteFile>> open(net::HttpClient& http, net::Url url,
                                                  RemoteFileOptions options, StopToken stop);

  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) override;
  std::uint64_t fetched_bytes() const { return fetched_bytes_; }
  // The ETag; empty when the server gives none.
  const std::string& version() const { return version_; }
  const HostClaims& claims() const { return claims_; }

 private:
  struct Part {
    std::uint64_t first = 0;
    std::span<std::byte> out;
    std::size_t filled = 0;
  };
  RemoteFile(net::HttpClient& http, net::Url url, RemoteFileOptions options, StopToken stop);
  Result<> fill(Part& part);
  Result<> fetch(Part& part);
  Result<> read_body(net::ResponseStream& reply, std::uint64_t bytes, Part& part);
  Result<std::unique_ptr<net::ResponseStream>> ask(const Part& part);
  Result<std::unique_ptr<net::ResponseStream>> follow(net::Url from, const Part& part);
  Result<net::ContentRange::Span> check_reply(const net::ResponseStream& reply, const Part& part);
  Result<> check_version(const net::ResponseStream& reply, std::uint64_t total_bytes);

  net::HttpClient& http_;
  const net::Url url_;
  const RemoteFileOptions options_;
  const StopToken stop_;
  net::Url resolved_;  // where redirects led
  Bytes beginning_;    // what opening brought
  std::string version_;  // the ETag, when there is one
  HostClaims claims_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t fetched_bytes_ = 0;
  std::uint32_t cuts_ = 0;
};

}  // namespace hearth::fetch
