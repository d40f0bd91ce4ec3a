#include "hearth/eval/kl/scored_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace hearth::eval {

std::string_view token_kind_name(TokenKind kind) {
  static constexpr std::array<std::string_view, token_kinds> names = {
      "text", "read", "thinking", "answer", "tool_call", "control"};
  return names[static_cast<std::size_t>(kind)];
}

Result<> check_windows(const WindowOptions& options) {
  if (options.window_tokens >= 2 && options.window_tokens <= window_tokens_max) return {};
  return fail(Code::invalid_argument,
              fmt::format("a window of {} tokens: expected 2 to {}, for example 4096",
                          options.window_tokens, window_tokens_max));
}

std::vector<ScoreBlock> plan_blocks(std::span<const std::uint32_t> text_tokens,
                                    const WindowOptions& options) {
  std::vector<ScoreBlock> out;
  const std::uint32_t step = std::max(1u, options.window_tokens / 2);
  for (std::uint32_t text = 0; text < text_tokens.size(); ++text) {
    const std::uint32_t count = text_tokens[text];
    std::uint32_t begin = 0;
    std::uint32_t from = std::max(1u, options.skip_tokens);
    while (from < count) {
      while (from >= begin + options.window_tokens) begin += step;
      const std::uint32_t window_end = std::min(count, begin + options.window_tokens);
      while (from < window_end) {
        const std::uint32_t end = std::min(window_end, from + block_positions);
        out.push_back({text, begin, from, end});
        from = end;
      }
    }
  }
  return out;
}

}  // namespace hearth::eval
