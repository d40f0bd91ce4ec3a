#pragma once
// The gateway's own words for what chat/exchange.h defines.

#include "hearth/chat/exchange.h"
#include "hearth/engine/sampling.h"

namespace hearth::gateway {

using chat::AnswerEnd;
using chat::AnswerEvent;
using chat::AnswerInfo;
using chat::ApiError;
using chat::ApiResult;
using chat::ChatRequest;
using chat::RawPrompt;
using chat::SamplingChoice;
using chat::TokenChoice;
using chat::Usage;
using chat::WholeAnswer;

}  // namespace hearth::gateway
