#pragma once
// How many tokens a request's prompt has, told by whoever would answer it. Private to gateway.
//
// A request that would go to the Anthropic API is counted there, if its label lets it out; one that would go
// to another service is estimated with the tokenizer here, or, where no model is served, by its bytes.

#include "hearth/gateway/answering.h"

namespace hearth::gateway {

struct TokenCount {
  std::uint64_t tokens = 0;
  std::string by;     // "local", the upstream that counted, or "estimate"
  std::string route;  // for X-Hearth-Route; empty without routes
  seal::Label label = seal::Label::open;
};
ApiResult<TokenCount> count_tokens_of(const AnsweringParts& parts, const Dialect& dialect, const net::Request& http);

}  // namespace hearth::gateway
