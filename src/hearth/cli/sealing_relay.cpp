#include "hearth/cli/sealing_relay.h"

#include <algorithm>
#include <array>

#include "hearth/seal/rules.h"

namespace hearth::cli {
namespace {

// Of one connection, not of what goes over it.
constexpr std::array<std::string_view, 9> hop_headers = {"connection", "content-length", "expect", "keep-alive", "proxy-connection",
                                                         "te", "trailer", "transfer-encoding", "upgrade"};

net::Headers passed_on(const net::Headers& headers) {
  net::Headers out;
  for (const auto& [name, value] : headers) {
    const bool is_hop = std::ranges::any_of(hop_headers, [&](std::string_view hop) { return net::equals_ignoring_case(name, hop); });
    if (!is_hop) out.add(name, value);
  }
  return out;
}

std::string target_of(const net::Request& request) {
  std::string out = request.path;
  for (const auto& [name, value] : request.query) {
    out += (out.size() == request.path.size() ? '?' : '&') + net::percent_encode(name) + '=' + net::percent_encode(value);
  }
  return out;
}

// What the gateway says, as it says it; the request's body lives as long.
class PassedBody final : public net::BodySource {
 public:
  PassedBody(Buffer sent, std::unique_ptr<net::ResponseStream> stream) : sent_(std::move(sent)), stream_(std::move(stream)) {}
  Result<ByteSpan> next(const StopToken&) override { return stream_->read(Deadline::never()); }  // the stream has the same token

 private:
  const Buffer sent_;
  std::unique_ptr<net::ResponseStream> stream_;
};

}  // namespace

net::Router sealing_relay(net::Address gateway, net::HttpClient& http) {
  const auto pass = [gateway = std::move(gateway), &http](net::Request& request, const net::PathParams&) -> Result<net::Response> {
    net::ClientRequest out{.method = request.method == "HEAD" ? "GET" : request.method, .address = gateway, .target = target_of(request),
                           .headers = passed_on(request.headers)};
    out.headers.set(seal::label_header, std::string(seal::label_name(seal::Label::sealed)));
    Buffer body = std::move(request.body);
    if (!body.span().empty()) out.body = {body.span()};
    auto stream = TRY(http.open_stream(out, Deadline::never(), request.stop));
    net::Response reply;
    reply.status = stream->status();
    reply.headers = passed_on(stream->headers());
    if (reply.status == 204 || reply.status == 304) return reply;  // these have none
    reply.body = std::make_unique<PassedBody>(std::move(body), std::move(stream));
    return reply;
  };
  net::Router router;
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    router.add(method, "/{rest*}", pass, {.body_bytes_max = relayed_body_bytes_max});
  }
  return router;
}

}  // namespace hearth::cli
