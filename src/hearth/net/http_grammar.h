#pragma once
// HTTP/1.1 request grammar: bytes to a head, and chunked bodies to bytes. Boost.Beast stops in
// http_grammar.cpp. No I/O; one thread. Private to net.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hearth/base/bytes.h"
#include "hearth/net/http_message.h"

namespace hearth::net {

// Why a request is not served, and with which status it is answered; 0: not at all, just close.
struct Refusal {
  int status = 0;
  Error error;
};

struct HeadLimits {
  std::size_t bytes_max = 0;
  std::size_t fields_max = 0;
};

struct RequestHead {
  Request request;  // without body, remote and stop
  bool keep_alive = false;
  bool http_1_0 = false;
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0;  // 0 when chunked
};

class RequestParser {
 public:
  explicit RequestParser(HeadLimits limits);
  ~RequestParser();

  // Takes bytes from the front of `input` and says how many; the rest is offered again with more
  // behind it. Never takes bytes beyond the head.
  std::size_t put_head(ByteSpan input, std::optional<Refusal>& refusal);
  bool head_done() const;
  // Checks what the grammar leaves open. Once, after head_done().
  RequestHead take_head(std::optional<Refusal>& refusal);

  // For chunked bodies, after the head: the same way of taking; body bytes go to `sink`, whose
  // error ends it with 413.
  std::size_t put_body(ByteSpan input, const std::function<Result<>(ByteSpan)>& sink,
                       std::optional<Refusal>& refusal);
  bool body_done() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace hearth::net
