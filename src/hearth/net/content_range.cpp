#include "hearth/net/content_range.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "hearth/net/http_message.h"

namespace hearth::net {
namespace {

constexpr std::uint64_t number_max = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t shown_bytes_max = 120;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out > number_max) return {};
  return out;
}

std::optional<ContentRange::Span> parse_span(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return {};
  const auto first = parse_number(text.substr(0, dash));
  const auto last = parse_number(text.substr(dash + 1));
  if (!first || !last || *first > *last) return {};
  return ContentRange::Span{*first, *last};
}

}  // namespace

Result<ContentRange> parse_content_range(std::string_view text) {
  const auto bad = [&] {
    return fail(Code::corrupt, fmt::format("Content-Range '{}': expected 'bytes FIRST-LAST/TOTAL'",
                                           text.substr(0, shown_bytes_max)));
  };
  const std::size_t blank = text.find(' ');
  const std::size_t slash = text.find('/');
  if (blank == text.npos || slash == text.npos || slash < blank ||
      !equals_ignoring_case(text.substr(0, blank), "bytes")) {
    return bad();
  }
  const std::string_view span_text = text.substr(blank + 1, slash - blank - 1);
  const std::string_view total_text = text.substr(slash + 1);
  ContentRange out;
  if (span_text != "*") {
    out.span = parse_span(span_text);
    if (!out.span) return bad();
  }
  if (total_text != "*") {
    out.total_bytes = parse_number(total_text);
    if (!out.total_bytes) return bad();
  }
  if (!out.span && !out.total_bytes) return bad();
  if (out.span && out.total_bytes && out.span->last >= *out.total_bytes) return bad();
  return out;
}

std::string content_range_text(const ContentRange& range) {
  return fmt::format(
      "bytes {}/{}",
      range.span ? fmt::format("{}-{}", range.span->first, range.span->last) : std::string("*"),
      range.total_bytes ? std::to_string(*range.total_bytes) : std::string("*"));
}

}  // namespace hearth::net
