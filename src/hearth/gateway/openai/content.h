#pragma once
// Content of messages and results: a string, or a list of parts of which only text is read.

#include <string>

#include "hearth/gateway/fields.h"
#include "hearth/gateway/notes.h"

namespace hearth::gateway::openai {

// Stands between the parts. What the user says is separate texts; what the model said was one.
inline constexpr std::string_view between_user_parts = "\n";
inline constexpr std::string_view between_model_parts = "";

// Null is no text. Empty parts leave no trace, so a string and a list with that one text are the
// same. Images, sounds and files are refused; parts that are not known are dropped with a note.
ApiResult<std::string> read_text(const Json& content, const std::string& path,
                                 std::string_view between, Notes& notes);

}  // namespace hearth::gateway::openai
