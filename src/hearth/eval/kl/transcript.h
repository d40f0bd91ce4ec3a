#pragma once
// From a user's text or transcript to tokens of known kinds: a transcript is rendered in the model's
// own chat format, and what the assistant wrote is taken apart by the format's own parser. Pure, but
// for the tokenizer that is handed in.

#include <functional>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/chat/format.h"
#include "hearth/eval/kl/scored_text.h"

namespace hearth::eval {

struct TextTokenizer {
  // `special`: markup becomes control tokens. Of the model's own words only.
  std::function<Result<std::vector<Token>>(std::string_view text, bool special)> tokenize;
  Token bos = -1;  // set where the model's tokenizer wants one in front
};

// One conversation in the form of chat completions: {"messages": [...], "tools": [...]}. Content is a
// string or a list of text parts; of an assistant "reasoning_content" and "tool_calls" are read too.
// invalid_argument, with the path of what is wrong.
Result<chat::Conversation> conversation_from_json(const Json& json);

// Name and class are the caller's to set.
Result<ScoredText> score_plain_text(std::string_view text, const TextTokenizer& tokenizer);
Result<ScoredText> score_transcript(const chat::Conversation& conversation,
                                    const chat::Format& format, const TextTokenizer& tokenizer);

}  // namespace hearth::eval
