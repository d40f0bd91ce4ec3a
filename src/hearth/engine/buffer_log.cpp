#include "hearth/engine/buffer_log.h"

#include <charconv>
#include <cmath>

namespace hearth::engine {
namespace {

constexpr double mebibyte = 1048576;
constexpr double mebibytes_max = 1e9;  // a petabyte
constexpr std::string_view marker = " buffer size = ";
constexpr std::string_view unit = " MiB";

std::string_view without_blanks(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::uint64_t sum(const std::map<std::string, std::uint64_t>& by_place) {
  std::uint64_t out = 0;
  for (const auto& [place, bytes] : by_place) out += bytes;
  return out;
}

}  // namespace

std::optional<BufferLine> parse_buffer_line(std::string_view line) {
  const std::size_t at = line.find(marker);
  const std::size_t colon = line.find(": ");
  if (at == line.npos || colon == line.npos || colon > at) return {};
  std::string_view number = without_blanks(line.substr(at + marker.size()));
  const std::size_t end = number.find(unit);
  if (end == number.npos) return {};
  number = number.substr(0, end);
  double mebibytes = 0;
  const auto [stop, error] =
      std::from_chars(number.data(), number.data() + number.size(), mebibytes);
  if (error != std::errc() || stop != number.data() + number.size()) return {};
  if (!(mebibytes >= 0 && mebibytes < mebibytes_max)) return {};
  const std::string_view words = without_blanks(line.substr(colon + 2, at - colon - 2));
  const std::size_t blank = words.find(' ');
  if (blank == words.npos) return {};
  return BufferLine{std::string(words.substr(0, blank)),
                    std::string(without_blanks(words.substr(blank))),
                    static_cast<std::uint64_t>(std::llround(mebibytes * mebibyte))};
}

void BufferLog::take(std::string_view text) {
  const auto line = parse_buffer_line(text);
  if (!line) return;
  if (line->kind == "model") weights_bytes_ += line->bytes;
  if (line->kind == "KV" || line->kind == "RS") kv_bytes_ += line->bytes;
  if (line->kind == "compute") compute_bytes_[line->place] = line->bytes;
  if (line->kind == "output") output_bytes_[line->place] = line->bytes;
}

BufferSizes BufferLog::sizes() const {
  return {weights_bytes_, kv_bytes_, sum(compute_bytes_), sum(output_bytes_)};
}

}  // namespace hearth::engine
