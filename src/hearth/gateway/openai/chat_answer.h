#pragma once
// Answers of chat completions: as a stream of chunks, and whole.

#include "hearth/gateway/dialect.h"

namespace hearth::gateway::openai {

std::unique_ptr<AnswerWriter> make_chat_writer(const AnswerInfo& info, const ChatRequest& request);
Json whole_chat_answer(const AnswerInfo& info, const ChatRequest& request,
                       const WholeAnswer& answer);

}  // namespace hearth::gateway::openai
