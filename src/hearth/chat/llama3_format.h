#pragma once
// Llama 3.1 to 3.3: header tokens, tools declared in the first user message, calls as bare JSON.

#include "hearth/chat/format.h"

namespace hearth::chat {

std::unique_ptr<Format> make_llama3_format();

}  // namespace hearth::chat
