#pragma once
// Tools that clients name by a type instead of a schema and run themselves: shell, text editor,
// memory. The declaration that a model needs is ours; argument names are those that clients expect
// (type files of @anthropic-ai/sdk 1.12.0, Beta...Command).

#include <optional>
#include <string_view>

#include "hearth/chat/message.h"

namespace hearth::chat {

// nullopt when the type is none of them. Later versions of a known tool count as the latest.
std::optional<Tool> client_tool(std::string_view type);

}  // namespace hearth::chat
