#include "hearth/net/ndjson.h"

#include <fmt/format.h>

namespace hearth::net {

std::string ndjson_line(const Json& value) { return dump_json(value) + '\n'; }

Result<> NdjsonReader::push(ByteSpan piece) {
  buffer_.erase(0, line_start_);
  searched_ -= line_start_;
  line_start_ = 0;
  // Each line of the piece must fit, and so must what is left over for the next one.
  std::size_t line_bytes = buffer_.size();
  for (std::string_view rest = as_text(piece); !rest.empty();) {
    const auto newline = rest.find('\n');
    line_bytes += newline == rest.npos ? rest.size() : newline;
    if (line_bytes > line_bytes_max_) {
      return fail(Code::corrupt,
                  fmt::format("a line of more than {} bytes; they are the limit", line_bytes_max_));
    }
    if (newline == rest.npos) break;
    line_bytes = 0;
    rest.remove_prefix(newline + 1);
  }
  buffer_.append(as_text(piece));
  return {};
}

std::optional<std::string_view> NdjsonReader::next_line() {
  for (;;) {
    const auto newline = buffer_.find('\n', searched_);
    if (newline == buffer_.npos) {
      searched_ = buffer_.size();
      return {};
    }
    std::string_view line(buffer_.data() + line_start_, newline - line_start_);
    line_start_ = searched_ = newline + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) return line;
  }
}

Result<std::optional<Json>> NdjsonReader::next() {
  const auto line = next_line();
  if (!line) return std::optional<Json>();
  auto value = parse_json(*line);
  if (!value) {
    return fail(Code::corrupt, fmt::format("a line that is not JSON: {}", value.error().message));
  }
  return std::optional<Json>(*std::move(value));
}

Result<> NdjsonReader::finish() const {
  if (line_start_ < buffer_.size()) {
    return fail(Code::corrupt, fmt::format("the stream ends inside a line, after {} of its bytes",
                                           buffer_.size() - line_start_));
  }
  return {};
}

}  // namespace hearth::net
