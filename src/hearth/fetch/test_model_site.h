#pragma once
// A web server of model files on loopback that misbehaves as a test asks. For tests of this module.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hearth/net/content_range.h"
#include "hearth/net/http_router.h"
#include "support/kimi_header.h"

namespace hearth::fetch {

using net::Response;
using testing::GgufWriter;
using testing::VirtualSource;

// Kimi K2.6 with a vocabulary of its own size: 5 MB of header, 584 GB of file.
inline const GgufWriter& kimi() {
  static const GgufWriter writer = [] {
    GgufWriter w = testing::kimi_header();
    std::vector<std::string> words;
    for (int i = 0; i < 163'840; ++i) words.push_back("token_" + std::to_string(i));
    w.texts("tokenizer.ggml.tokens", words);
    return w;
  }();
  return writer;
}

// Gives bytes of `file`, then ends; or cuts the connection where `cut_after` says.
class FileBody final : public net::BodySource {
 public:
  FileBody(VirtualSource file, std::uint64_t begin, std::uint64_t end, std::uint64_t cut_after,
           std::atomic<std::uint64_t>& served)
      : file_(std::move(file)), at_(begin), end_(end), cut_at_(begin + cut_after), served_(served) {}
  Result<ByteSpan> next(const StopToken&) override {
    if (at_ >= cut_at_) return fail(Code::unavailable, "cut here");
    const std::uint64_t stop = std::min({at_ + piece_bytes, end_, cut_at_});
    piece_.resize(static_cast<std::size_t>(stop - at_));
    TRY(file_.read_at(at_, piece_));
    at_ = stop;
    served_ += piece_.size();
    return ByteSpan(piece_);
  }

 private:
  static constexpr std::uint64_t piece_bytes = 16 * 1024;
  VirtualSource file_;
  std::uint64_t at_, end_, cut_at_;
  std::atomic<std::uint64_t>& served_;
  Bytes piece_;
};

inline constexpr std::uint64_t never = 1ULL << 62;

// A well-behaved server of one folder, with the ways to misbehave that a test asks for.
struct Site {
  std::map<std::string, VirtualSource> files{};
  std::function<void(std::uint64_t call, Response&)> tamper{};  // of the reply's head
  std::function<std::optional<Response>(std::uint64_t call, const net::Request&)> instead{};
  std::function<std::uint64_t(std::uint64_t call)> cut_after{};
  std::uint64_t more_bytes = 0;  // than announced
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> served{0};

  net::Router router() {
    net::Router out;
    out.add("GET", "/{rest*}", [this](net::Request& request, const net::PathParams& params) {
      return answer(request, params["rest"]);
    });
    return out;
  }

  Result<Response> answer(const net::Request& request, const std::string& name) {
    const std::uint64_t call = ++calls;
    if (instead) {
      if (auto other = instead(call, request)) return std::move(*other);
    }
    const auto found = files.find(name);
    if (found == files.end()) return Response::text(404, "not here");
    unsigned long long first = 0, last = 0;
    const std::string range(request.headers.get("Range"));
    if (std::sscanf(range.c_str(), "bytes=%llu-%llu", &first, &last) != 2) {
      return fail(Code::invalid_argument, "no range");
    }
    const std::uint64_t size = found->second.size_bytes();
    const std::uint64_t end = std::min<std::uint64_t>(last + 1, size);
    Response reply = Response::stream(
        std::make_unique<FileBody>(found->second, first, end + more_bytes,
                                   cut_after ? cut_after(call) : never, served),
        "application/octet-stream");
    reply.status = 206;
    reply.headers.set("Content-Range", net::content_range_text(
                                           {.span = net::ContentRange::Span{first, end - 1}, .total_bytes = size}));
    reply.headers.set("ETag", "\"one\"");
    if (tamper) tamper(call, reply);
    return reply;
  }
};

inline Site kimi_site() { return {.files = {{"kimi.gguf", VirtualSource(kimi())}}}; }

inline Response redirect(std::string location, int status = 302) {
  Response out = Response::empty(status);
  out.headers.set("Location", std::move(location));
  return out;
}

}  // namespace hearth::fetch
