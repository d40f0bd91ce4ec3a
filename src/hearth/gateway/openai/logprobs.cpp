#include "hearth/gateway/openai/logprobs.h"

#include <algorithm>

namespace hearth::gateway::openai {
namespace {

// A token may be half a character: its bytes say what its text cannot.
Json token_json(const std::string& text, double logprob) {
  Json bytes = Json::array();
  for (const char c : text) bytes.push(static_cast<unsigned char>(c));
  return Json::object({{"token", text}, {"logprob", logprob}, {"bytes", std::move(bytes)}});
}

std::size_t told(const TokenChoice& choice, int alternatives) {
  return std::min(choice.top.size(), static_cast<std::size_t>(std::max(alternatives, 0)));
}

std::size_t character_count(std::string_view text) {
  const auto is_first = [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_first));
}

}  // namespace

Json token_list_json(const std::vector<TokenChoice>& choices, int alternatives) {
  Json out = Json::array();
  for (const TokenChoice& choice : choices) {
    Json& token = out.push(token_json(choice.text, choice.logprob));
    Json& top = token.set("top_logprobs", Json::array());
    for (std::size_t i = 0; i < told(choice, alternatives); ++i) {
      top.push(token_json(choice.top[i].first, choice.top[i].second));
    }
  }
  return out;
}

Json token_columns_json(const std::vector<TokenChoice>& choices, int alternatives,
                        std::size_t& offset) {
  Json tokens = Json::array();
  Json logprobs = Json::array();
  Json tops = Json::array();
  Json offsets = Json::array();
  for (const TokenChoice& choice : choices) {
    tokens.push(choice.text);
    logprobs.push(choice.logprob);
    Json& top = tops.push(Json::object());
    for (std::size_t i = 0; i < told(choice, alternatives); ++i) {
      top.set(choice.top[i].first, choice.top[i].second);
    }
    offsets.push(offset);
    offset += character_count(choice.text);
  }
  return Json::object({{"tokens", std::move(tokens)},
                       {"token_logprobs", std::move(logprobs)},
                       {"top_logprobs", std::move(tops)},
                       {"text_offset", std::move(offsets)}});
}

}  // namespace hearth::gateway::openai
