#pragma once
// An HttpClient that adds headers to every request of another one: which session asks, what of its
// prompt is to be kept, and how far it may travel. Thread-safe as the other one is.

#include "hearth/net/http_client.h"

namespace hearth::session {

class HeaderClient final : public net::HttpClient {
 public:
  // `inner` outlives this.
  HeaderClient(net::HttpClient& inner, net::Headers headers) : inner_(inner), headers_(std::move(headers)) {}
  Result<net::ClientReply> send(const net::ClientRequest& request, Deadline deadline, const StopToken& stop) override {
    return inner_.send(with_headers(request), deadline, stop);
  }
  Result<std::unique_ptr<net::ResponseStream>> open_stream(const net::ClientRequest& request, Deadline head_deadline,
                                                           const StopToken& stop) override {
    return inner_.open_stream(with_headers(request), head_deadline, stop);
  }

 private:
  net::ClientRequest with_headers(net::ClientRequest request) const {
    for (const auto& [name, value] : headers_) request.headers.set(name, value);
    return request;
  }

  net::HttpClient& inner_;
  const net::Headers headers_;
};

}  // namespace hearth::session
