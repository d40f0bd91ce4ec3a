#pragma once
// A request and an answer in terms that no API sees: what passes between a dialect (Anthropic
// Messages, OpenAI chat, ...) and the rest of the gateway, and between the clients of other
// services and whoever asks them. Values without behaviour.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/json.h"
#include "hearth/chat/message.h"
#include "hearth/model/hand_off_facts.h"
#include "hearth/model/token.h"

namespace hearth::chat {

// Why a request is refused or an answer broken off. Each dialect has its own words and status for
// each kind.
struct ApiError {
  enum class Kind : std::uint8_t {
    invalid_request,
    authentication,
    permission,
    not_found,
    too_large,       // the body
    prompt_too_long, // prompt_tokens and prompt_tokens_max are set
    rate_limit,
    overloaded,      // the queue is full, the worker is not ready
    timed_out,
    internal,
    bad_upstream,  // another service broke its contract or refuses our key; not the client's doing
  };
  Kind kind = Kind::internal;
  std::string message;  // what, where, what was expected; never prompt text
  std::string field{};  // "messages[2].content[0].type"; empty when it is no single field's fault
  std::uint32_t prompt_tokens = 0;
  std::uint32_t prompt_tokens_max = 0;
  std::optional<Duration> retry_after{};
  bool may_pass = false;  // trouble of another service that the same request may not meet again

  bool operator==(const ApiError&) const = default;
};

template <class T>
using ApiResult = std::expected<T, ApiError>;

// What a client may choose about sampling. Absent: the model's own recommendation.
struct SamplingChoice {
  std::optional<double> temperature, top_p, min_p, repeat_penalty, frequency_penalty,
      presence_penalty;
  std::optional<int> top_k;
  std::optional<std::uint32_t> seed;
  std::vector<std::pair<Token, double>> logit_bias;
};

// For raw continuation, without any chat format.
using RawPrompt = std::variant<std::string, std::vector<Token>>;

struct ChatRequest {
  std::string model;  // as the client wrote it; every name is served
  Conversation conversation;
  std::optional<RawPrompt> raw_prompt;  // then there is no conversation
  bool continues_last = false;  // the last message is an assistant's, and the answer goes on with it
  ToolChoice tool_choice;
  ResponseFormat response_format;
  std::optional<bool> thinking;           // absent: as the model is used to
  std::optional<std::uint32_t> tokens_max;  // absent: to the end of the window. 0: prefill only
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;  // with a raw prompt: the answer is as long as it may be, for measurements
  SamplingChoice sampling;
  int logprobs = -1;  // alternatives told with each token; -1: no logprobs at all
  bool stream = false;
  std::string session_key;     // from the body, if the dialect has one; tells conversations apart
  bool marks_cache = false;    // some cache_control was there
  Json extra;                  // what this dialect's writer needs again; opaque to all others
  std::vector<std::string> notes;  // for the log: what was ignored; no prompt text
};

struct Usage {
  std::uint32_t prompt_tokens = 0;  // all of them
  std::uint32_t cached_tokens = 0;  // of those: their KV was there
  std::uint32_t answer_tokens = 0;
  std::uint32_t thinking_tokens = 0;  // of those
  std::uint32_t other_precision_tokens = 0;  // of the prompt: KV of another quantisation of the model
  bool operator==(const Usage&) const = default;
};

// One sampled token with its alternatives.
struct TokenChoice {
  std::string text;
  double logprob = 0;
  std::vector<std::pair<std::string, double>> top;
  bool operator==(const TokenChoice&) const = default;
};

struct AnswerEvent {
  enum class Kind : std::uint8_t {
    thinking,  // text: a piece
    text,      // text: a piece
    call,      // whole: id, name, and text is one JSON object that fits the tool's schema
  };
  Kind kind = Kind::text;
  std::string text;
  std::string id{};    // outward, unique in the conversation
  std::string name{};
  std::vector<TokenChoice> choices{};  // with logprobs: the tokens behind a piece of text
  bool operator==(const AnswerEvent&) const = default;
};

// What an answer took, by whoever computed it.
struct AnswerTimes {
  double prompt_ms = 0;  // until the prompt was read; waiting for a place is not counted
  double answer_ms = 0;  // from the first token to the last
  std::optional<model::HandOffFacts> hand_off{};
  bool operator==(const AnswerTimes&) const = default;
};

struct AnswerEnd {
  enum class Reason : std::uint8_t { end_turn, tokens_max, stop_string, calls };
  Reason reason = Reason::end_turn;
  std::string stop_string{};
  Usage usage;
  std::optional<AnswerTimes> times{};  // where they are known
  bool operator==(const AnswerEnd&) const = default;
};

// Neighbouring pieces joined.
struct WholeAnswer {
  std::vector<AnswerEvent> events;
  AnswerEnd end;
};

// What is known of an answer before its first token; the same for every client that reads it.
struct AnswerInfo {
  std::string id;       // 24 letters and digits; dialects put their prefix before it
  std::string handle;   // names the remembered turn; goes out where clients echo opaque values
  std::string model;    // the name that answers carry
  std::int64_t created_s = 0;  // since 1970
};

}  // namespace hearth::chat
