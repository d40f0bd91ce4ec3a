#pragma once
// Puts a text of ours into an answer of the Anthropic API that is otherwise passed on: behind the thinking
// that it begins with, which must stay in front when the client sends it back, and before everything else.
// Bytes in, bytes out, however they were cut. Pure; one thread. Private to gateway.

#include <string>

#include "hearth/net/sse.h"

namespace hearth::gateway {

class WarningInsert {
 public:
  WarningInsert(std::string text, bool streamed) : text_(std::move(text)), streamed_(streamed) {}
  // What can go on to the client; empty: more is needed.
  std::string push(ByteSpan piece);
  // The answer is over: what was held back. What is no answer of that API goes on as it came.
  std::string finish();

 private:
  std::string event(net::SseEvent event);
  std::string own_block() const;

  const std::string text_;
  const bool streamed_;
  net::SseParser parser_;
  std::string held_;
  std::int64_t blocks_ = 0;  // that the service has begun
  bool inserted_ = false;
  bool lost_ = false;        // too large to be looked into
};

}  // namespace hearth::gateway
