#pragma once
// Server-sent events, both directions (WHATWG HTML, section 9.2 "Server-sent events"). No I/O.

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"

namespace hearth::net {

inline constexpr std::size_t sse_event_bytes_max_default = 16u << 20;
inline constexpr std::size_t sse_id_bytes_max = 1024;  // a longer id is skipped
inline constexpr std::string_view sse_content_type = "text/event-stream";

struct SseEvent {
  std::string event;  // empty when the sender gave no name ("message" to a browser)
  std::string data;   // lines joined by newlines
  std::string id;     // the last id seen on this stream, as the specification has it
  bool operator==(const SseEvent&) const = default;
};

// "event: name\ndata: ...\n\n"; without a name no event line. Newlines in data make more lines;
// `name` and `id` must have none (CHECK).
std::string sse_event(std::string_view name, std::string_view data, std::string_view id = {});
// ": text\n\n": keeps the connection visibly alive.
std::string sse_comment(std::string_view text);

// Pieces in, events out; how the bytes were cut makes no difference. Lines end with LF, CR or
// CRLF. An event without data is not reported, an unfinished one at the end is dropped. `retry`
// and unknown fields are skipped. One thread.
class SseParser {
 public:
  explicit SseParser(std::size_t event_bytes_max = sse_event_bytes_max_default)
      : event_bytes_max_(event_bytes_max) {}

  // corrupt when one event is larger than the limit; the parser is then of no more use.
  Result<> push(ByteSpan piece);
  std::optional<SseEvent> next();
  // Comments are skipped unless somebody wants them: some servers tell their progress in them.
  // Called within push, before the events of later lines are there.
  void on_comment(std::function<void(std::string_view)> take) { take_comment_ = std::move(take); }

 private:
  Result<> push_byte_run(std::string_view run);
  void end_line();
  void dispatch();

  std::size_t event_bytes_max_;
  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool at_start_ = true;  // a byte order mark may come first
  std::deque<SseEvent> ready_;
  std::function<void(std::string_view)> take_comment_;
};

}  // namespace hearth::net
