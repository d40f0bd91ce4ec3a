// A conversation from anywhere, in every format: refused, or rendered with no whole marker in its
// text, the same each time, and longer conversations never change what shorter ones said.
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/chat/canonical.h"
#include "support/chat_json.h"

namespace {

using namespace hearth;
using namespace hearth::chat;

void check_segments(const Format& format, const Rendering& rendering) {
  for (const Segment& segment : rendering.segments) {
    if (segment.kind != Segment::Kind::text) continue;
    for (const auto marker : format.markers()) {
      CHECK(segment.text.find(marker) == std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  Conversation raw = test::conversation_from_json(*json);
  canonicalise(raw);
  const auto conversation = arrange(std::move(raw));
  if (!conversation) return 0;
  for (const auto name : format_names()) {
    const auto format = make_format(name).value();
    RenderOptions options = test::options_from_json(*json);
    const auto rendering = format->render(*conversation, options);
    if (!rendering) continue;
    check_segments(*format, *rendering);
    CHECK(format->render(*conversation, options)->segments == rendering->segments);
    if (conversation->messages.size() < 2 ||
        conversation->messages.back().role == Role::tool) {
      continue;
    }
    options = {.generation_prompt = false};
    const std::string whole = format->render(*conversation, options)->flat();
    Conversation shorter = *conversation;
    shorter.messages.pop_back();
    // A lone system message is a prefix of its own; a format may need a question for its tools.
    if (shorter.messages.back().role == Role::system) continue;
    CHECK(whole.starts_with(format->render(shorter, options)->flat()));
  }
  return 0;
}
