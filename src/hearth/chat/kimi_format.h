#pragma once
// Kimi K2 and its successors: one markup, four ways to use it.

#include "hearth/chat/format.h"

namespace hearth::chat {

struct KimiTraits {
  enum class Tools : std::uint8_t { json_spaced, json_compact, typescript };
  std::string_view name = "kimi-k2";
  std::string_view default_system;  // inserted when the first message is not a system message
  Tools tools = Tools::json_spaced;
  bool thinking = false;         // assistant turns carry a <think> block
  bool prompt_opens = false;     // the generation prompt writes <think> itself
};

std::unique_ptr<Format> make_kimi_format(KimiTraits traits);

}  // namespace hearth::chat
