#pragma once
// Answers of the Responses API. The whole answer is what the stream's last event carries.

#include <memory>

#include "hearth/gateway/dialect.h"

namespace hearth::gateway::openai {

std::unique_ptr<AnswerWriter> make_responses_writer(const AnswerInfo& info,
                                                    const ChatRequest& request);
Json whole_response(const AnswerInfo& info, const ChatRequest& request, const WholeAnswer& answer);

}  // namespace hearth::gateway::openai
