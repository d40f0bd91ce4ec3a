#pragma once
// What an answer declares as its result, found in what it wrote around it. Pure; nothing here fails, an
// answer without the thing asked for gives nothing.

#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/json.h"

namespace hearth::eval {

// The text behind the last "Answer:" that begins a line, Markdown's marks around it dropped.
std::optional<std::string> declared_answer(std::string_view answer);
// The last fenced block that is JSON; without one, the whole answer, or the last value in it that
// begins with '{' or '[' at the start of a line.
std::optional<Json> declared_json(std::string_view answer);
// The last fenced block that defines `function` (or a class of that name), else the last block, else
// the whole answer if it defines it.
std::optional<std::string> declared_code(std::string_view answer, std::string_view function);

// Letters small, spaces single, quotes, Markdown's marks and a full stop around it dropped. For ASCII;
// other characters are compared as they are.
std::string normal_text(std::string_view text);

}  // namespace hearth::eval
