#include "hearth/gateway/prompt_read.h"

#include <fmt/format.h>

#include "hearth/net/sse.h"

namespace hearth::gateway {

std::string reading_comment(const PromptRead& read) {
  if (!read.is_being_read()) return {};
  return net::sse_comment(fmt::format("{} of {} prompt tokens", read.tokens_done, read.tokens_total));
}

}  // namespace hearth::gateway
