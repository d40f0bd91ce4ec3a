#pragma once
// The Content-Range field of a reply (RFC 9110, section 14.4): which bytes of how many a body is.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/result.h"

namespace hearth::net {

struct ContentRange {
  // The bytes [first, last], last included as HTTP has it. Absent: none could be given ("*").
  struct Span {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t bytes() const { return last - first + 1; }
    bool operator==(const Span&) const = default;
  };
  std::optional<Span> span;
  std::optional<std::uint64_t> total_bytes;  // absent: "*", the server does not know
  bool operator==(const ContentRange&) const = default;
};

// "bytes 0-1023/4096", "bytes 0-1023/*", "bytes */4096". corrupt for anything else: numbers beyond
// 2^63 - 1, a range that is empty, backwards or beyond the total, "*/*".
Result<ContentRange> parse_content_range(std::string_view text);
std::string content_range_text(const ContentRange& range);

}  // namespace hearth::net
