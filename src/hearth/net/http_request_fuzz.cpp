// Any bytes a client may send, through the whole server side of a connection, over memory. Cut in
// two at a place of the input's choosing: the answers must not depend on it.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "hearth/base/check.h"
#include "hearth/net/http_connection.h"

namespace {

using namespace hearth;
using namespace hearth::net;

const Router& router() {
  static const Router routes = [] {
    Router out;
    out.add("GET", "/a/{name}", [](Request& request, const PathParams& params) -> Result<Response> {
      return Response::text(200, params["name"] + std::to_string(request.query.size()));
    });
    out.add("POST", "/echo", [](Request& request, const PathParams&) -> Result<Response> {
      return Response::bytes(std::move(request.body));
    }, {.body_bytes_max = 1000});
    return out;
  }();
  return routes;
}

// A stream that gives `text` in two reads and keeps what is written.
class Script final : public Stream {
 public:
  Script(std::string_view text, std::size_t cut) : text_(text), cut_(cut) {}
  Result<std::size_t> read_some(std::span<std::byte> out, Deadline, const StopToken&) override {
    const std::size_t end = at_ < cut_ ? cut_ : text_.size();
    const std::size_t count = std::min(out.size(), end - at_);
    if (count > 0) std::memcpy(out.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }
  Result<> write_parts(std::span<const ByteSpan> parts, Deadline, const StopToken&) override {
    for (const ByteSpan part : parts) written.append(as_text(part));
    return {};
  }
  void shutdown_read() override {}
  void shutdown_write() override {}
  void close() override {}
  bool poll_peer_closed() override { return false; }
  std::string peer() const override { return "script"; }

  std::string written;

 private:
  std::string_view text_;
  std::size_t cut_;
  std::size_t at_ = 0;
};

std::string converse(std::string_view text, std::size_t cut) {
  static const HttpServerOptions options = [] {
    HttpServerOptions out;
    out.header_bytes_max = 2048;
    out.header_count_max = 20;
    return out;
  }();
  Script stream(text, cut);
  serve_connection(stream, {router(), options, nullptr, {}});
  // Whether a body has to be asked for does depend on the cut.
  constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
  std::string& out = stream.written;
  for (auto at = out.find(interim); at != out.npos; at = out.find(interim)) {
    out.erase(at, interim.size());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string whole = converse(text, 0);
  CHECK(whole.empty() || whole.starts_with("HTTP/1.1 "));
  CHECK(whole == converse(text, std::min<std::size_t>(data[0], text.size())));
  return 0;
}
