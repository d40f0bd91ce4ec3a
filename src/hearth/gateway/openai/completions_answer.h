#pragma once
// Answers of plain completions, streamed and whole.

#include <memory>

#include "hearth/gateway/dialect.h"

namespace hearth::gateway::openai {

std::unique_ptr<AnswerWriter> make_completions_writer(const AnswerInfo& info,
                                                      const ChatRequest& request);
Json whole_completion(const AnswerInfo& info, const ChatRequest& request, const WholeAnswer& answer);

}  // namespace hearth::gateway::openai
