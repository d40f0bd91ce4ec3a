#pragma once
// One JSON value a line: the stream format between our own processes. No I/O.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::net {

inline constexpr std::size_t ndjson_line_bytes_max_default = 16u << 20;

// Compact, with its newline.
std::string ndjson_line(const Json& value);

// Pieces in, lines out; how the bytes were cut makes no difference. Empty lines are skipped, a
// carriage return before the newline is dropped. One thread.
class NdjsonReader {
 public:
  explicit NdjsonReader(std::size_t line_bytes_max = ndjson_line_bytes_max_default)
      : line_bytes_max_(line_bytes_max) {}

  // Take all lines with next() before the next push. corrupt when a line is too long; the reader
  // is then of no more use.
  Result<> push(ByteSpan piece);
  // The next complete line, valid until the next push.
  std::optional<std::string_view> next_line();
  // The next line as JSON: nothing when more bytes are needed; corrupt when it does not parse.
  Result<std::optional<Json>> next();
  // At the end of the stream: corrupt when a line was left unfinished.
  Result<> finish() const;

 private:
  std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t line_start_ = 0;
  std::size_t searched_ = 0;
};

}  // namespace hearth::net
