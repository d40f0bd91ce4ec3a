#pragma once
// One API that clients speak: JSON to ChatRequest, answers to bytes. Pure: no sockets, no clock, no
// engine. A dialect is immutable and serves many threads; a writer serves one answer and one thread.
//
// Adding one: implement Dialect in gateway/NAME/, route its path in add_answers() of gateway.cpp, put golden
// transcripts into tests/golden/gateway/NAME/.

#include <memory>
#include <string>
#include <string_view>

#include "hearth/gateway/api.h"
#include "hearth/gateway/prompt_read.h"

namespace hearth::gateway {

// Writes server-sent events, appended to `out`. Called in this order: begin, then heartbeat and
// event in any mixture, then exactly one of end and error.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  // `usage` has the prompt's counts; cached_tokens may turn out to be more at the end.
  virtual void begin(const Usage& usage, std::string& out) = 0;
  // Keeps the client from giving up while nothing else is to be said. While the prompt is being read, a
  // comment says how far.
  virtual void heartbeat(const PromptRead& read, std::string& out) = 0;
  virtual void event(const AnswerEvent& event, std::string& out) = 0;
  virtual void end(const AnswerEnd& end, std::string& out) = 0;
  virtual void error(const ApiError& error, std::string& out) = 0;
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual std::string_view name() const = 0;
  // Unknown fields are ignored; wrong types are invalid_request with the field's path. `counting`:
  // only the prompt matters, fields that generation needs may be absent.
  virtual ApiResult<ChatRequest> parse(const Json& body, bool counting) const = 0;
  virtual std::unique_ptr<AnswerWriter> make_writer(const AnswerInfo& info,
                                                    const ChatRequest& request) const = 0;
  virtual Json whole(const AnswerInfo& info, const ChatRequest& request,
                     const WholeAnswer& answer) const = 0;

  virtual int error_status(const ApiError& error) const = 0;
  virtual Json error_body(const ApiError& error, std::string_view request_id) const = 0;
  // The client understands this error only as an event of a stream (begin, then error).
  virtual bool tells_in_stream(const ApiError&) const { return false; }
  // Outward ids of calls begin with it: "toolu_", "call_".
  virtual std::string_view call_id_prefix() const = 0;
};

std::unique_ptr<Dialect> make_anthropic_messages();
std::unique_ptr<Dialect> make_openai_chat();
std::unique_ptr<Dialect> make_openai_completions();
std::unique_ptr<Dialect> make_openai_responses();

}  // namespace hearth::gateway
