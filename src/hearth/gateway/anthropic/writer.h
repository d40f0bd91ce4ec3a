#pragma once
// The streamed answer: message_start, blocks one after another, message_delta, message_stop.

#include "hearth/gateway/dialect.h"

namespace hearth::gateway::anthropic {

std::unique_ptr<AnswerWriter> make_message_writer(const AnswerInfo& info,
                                                  const ChatRequest& request);

}  // namespace hearth::gateway::anthropic
