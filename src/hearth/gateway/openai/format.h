#pragma once
// What the answer's text must be: response_format of chat, text.format of Responses.

#include "hearth/chat/message.h"
#include "hearth/gateway/fields.h"

namespace hearth::gateway::openai {

// Where a json_schema format has its schema.
enum class SchemaPlace : std::uint8_t {
  inside,  // {"type", "json_schema": {"name", "schema"}}
  beside,  // {"type", "name", "schema"}
};

// nullptr: text.
ApiResult<chat::ResponseFormat> read_format(const Json* format, const std::string& path,
                                            SchemaPlace place);

}  // namespace hearth::gateway::openai
