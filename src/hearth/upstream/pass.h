#pragma once
// A request of the Anthropic API that goes on to the Anthropic API as it came: images, betas, signed
// thinking and tools of the service itself survive, which a translation through our own terms would lose.
// The reply comes back as it is, errors included: clients recover by their wording. Pure, but for PassedReply.

#include <memory>
#include <optional>
#include <string>

#include "hearth/upstream/endpoint.h"

namespace hearth::upstream {

struct PassedRequest {
  std::string target;   // "/v1/messages"
  std::string body;
  net::Headers headers;  // of the client's, those that are part of the dialect
};

// `body` as it goes out: the service's own model, no metadata (it names a device and a session), and
// without thinking that another service wrote, whose signature would be refused.
std::string pass_body(const EndpointSpec& spec, const Json& body);
net::Headers pass_headers(const net::Headers& of_client);

struct PassedReply {
  std::shared_ptr<const void> owner;  // what the stream still sends
  std::unique_ptr<net::ResponseStream> stream;
};

// Reads along and takes the counts; whatever it does not understand it passes over.
class PassMeter {
 public:
  PassMeter(const EndpointSpec& spec, bool streamed);
  ~PassMeter();
  void push(ByteSpan piece);
  // After the end; nothing when no end was seen.
  std::optional<Answered> answered();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::upstream
