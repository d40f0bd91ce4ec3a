#pragma once
// Between the neutral request and one kind of service: bytes out, arrivals in. Pure; private to upstream.

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "hearth/net/http_message.h"
#include "hearth/upstream/endpoint.h"
#include "hearth/upstream/keys.h"

namespace hearth::upstream {

// Why a try failed, and whether another may go better.
struct Failure {
  chat::ApiError error;
  bool may_repeat = false;             // time, or another connection, may cure it
  std::optional<Duration> wait = {};   // as the service asks for
};
template <class T = void>
using Attempt = std::expected<T, Failure>;

std::unexpected<Failure> broken(const EndpointSpec& spec, std::string_view what);
std::unexpected<Failure> refused(std::string field, std::string what);  // the request, by us

// One HTTP request, without the key.
struct WireCall {
  std::string target;
  net::Headers headers;
  std::string body;
};

// The body of an answer, in pieces of any size.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  // Appends what became certain. After a Failure the reader is of no more use.
  virtual Attempt<> push(ByteSpan piece, Instant at, std::vector<Arrival>& out) = 0;
  // The body is complete: Answered, unless it was given already, or a Failure when no end was told.
  virtual Attempt<> finish(Instant at, std::vector<Arrival>& out) = 0;
};

Attempt<WireCall> write_chat_call(const EndpointSpec& spec, const chat::ChatRequest& request);
std::unique_ptr<AnswerReader> make_chat_reader(const EndpointSpec& spec, const chat::ChatRequest& request);
Attempt<WireCall> write_messages_call(const EndpointSpec& spec, const chat::ChatRequest& request);
std::unique_ptr<AnswerReader> make_messages_reader(const EndpointSpec& spec, const chat::ChatRequest& request);

// By kind.
Attempt<WireCall> write_call(const EndpointSpec& spec, const chat::ChatRequest& request);
std::unique_ptr<AnswerReader> make_reader(const EndpointSpec& spec, const chat::ChatRequest& request);

// What a reply with a status of 400 or more means, or an error object inside a stream (status 200).
Failure failure_of_reply(const EndpointSpec& spec, int status, const net::Headers& headers, std::string_view body);
Failure failure_in_stream(const EndpointSpec& spec, const Json& error);
// The connection failed.
Failure failure_of_transport(const EndpointSpec& spec, const Error& error);

// "another model answered": the service says it is one that was not asked for.
bool is_other_model(std::string_view asked, std::string_view told);
// The id sent as "model".
std::string model_to_ask(const EndpointSpec& spec, const chat::ChatRequest& request);

}  // namespace hearth::upstream
