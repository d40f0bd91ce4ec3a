#include "hearth/net/sse.h"

#include <fmt/format.h>

#include "hearth/base/check.h"

namespace hearth::net {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

void append_data_lines(std::string& out, std::string_view data) {
  for (;;) {
    const auto end = data.find_first_of("\r\n");
    out.append("data: ").append(data.substr(0, end)).push_back('\n');
    if (end == data.npos) return;
    data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
}

}  // namespace

std::string sse_event(std::string_view name, std::string_view data, std::string_view id) {
  CHECK(name.find_first_of("\r\n") == name.npos);
  CHECK(id.find_first_of(std::string_view("\r\n\0", 3)) == id.npos);
  std::string out;
  out.reserve(name.size() + data.size() + id.size() + 32);
  if (!name.empty()) out.append("event: ").append(name).push_back('\n');
  if (!id.empty()) out.append("id: ").append(id).push_back('\n');
  append_data_lines(out, data);
  out.push_back('\n');
  return out;
}

std::string sse_comment(std::string_view text) {
  CHECK(text.find_first_of("\r\n") == text.npos);
  return fmt::format(": {}\n\n", text);
}

Result<> SseParser::push(ByteSpan piece) {
  std::string_view rest = as_text(piece);
  while (!rest.empty()) {
    if (after_cr_ && rest.front() == '\n') {  // the second half of a CRLF
      after_cr_ = false;
      rest.remove_prefix(1);
      continue;
    }
    after_cr_ = false;
    const auto end = rest.find_first_of("\r\n");
    TRY(push_byte_run(rest.substr(0, end)));
    if (end == rest.npos) return {};
    after_cr_ = rest[end] == '\r';
    rest.remove_prefix(end + 1);
    end_line();
  }
  return {};
}

Result<> SseParser::push_byte_run(std::string_view run) {
  if (line_.size() + event_.data.size() + event_.event.size() + run.size() > event_bytes_max_) {
    return fail(Code::corrupt, fmt::format("an event of more than {} bytes; they are the limit",
                                           event_bytes_max_));
  }
  line_.append(run);
  return {};
}

void SseParser::end_line() {
  std::string_view line = line_;
  if (at_start_ && line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
  at_start_ = false;
  if (line.empty()) {
    dispatch();
  } else {
    const auto colon = line.find(':');
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (colon == 0) {
      if (take_comment_) take_comment_(value);
    } else if (field == "data") {
      if (has_data_) event_.data.push_back('\n');
      event_.data.append(value);
      has_data_ = true;
    } else if (field == "event") {
      event_.event = value;
    } else if (field == "id" && value.size() <= sse_id_bytes_max &&
               value.find('\0') == value.npos) {
      event_.id = value;
    }
  }
  line_.clear();
}

void SseParser::dispatch() {
  if (has_data_) ready_.push_back(event_);
  event_.event.clear();  // the id stays, as the specification has it
  event_.data.clear();
  has_data_ = false;
}

std::optional<SseEvent> SseParser::next() {
  if (ready_.empty()) return {};
  std::optional<SseEvent> out(std::move(ready_.front()));
  ready_.pop_front();
  return out;
}

}  // namespace hearth::net
