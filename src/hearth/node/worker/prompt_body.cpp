#include "hearth/node/worker/prompt_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>


namespace hearth::node {
namespace {

constexpr std::byte head_end{'\n'};

bool is_token(std::int64_t id, std::uint32_t vocabulary) {
  return id >= 0 && id <= INT32_MAX && (vocabulary == 0 || id < vocabulary);
}

std::unexpected<Error> not_a_token(std::size_t index, std::string_view where,
                                   std::uint32_t vocabulary) {
  return fail(Code::invalid_argument, fmt::format("{}[{}]: not a token id of this model (0 to {})", where,
                                                  index, vocabulary > 0 ? vocabulary - 1 : INT32_MAX));
}

Result<std::vector<Token>> tokens_from_bytes(ByteSpan bytes, std::uint32_t vocabulary) {
  if (bytes.size() % sizeof(Token) != 0) {
    return fail(Code::invalid_argument,
                fmt::format("tokens: {} bytes after the head; expected 4 for each token id", bytes.size()));
  }
  std::vector<Token> out(bytes.size() / sizeof(Token));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  const auto bad = std::ranges::find_if(out, [&](Token id) { return !is_token(id, vocabulary); });
  if (bad != out.end()) {
    return not_a_token(static_cast<std::size_t>(bad - out.begin()), "tokens", vocabulary);
  }
  return out;
}

}  // namespace

std::string prompt_head(const Json& head) { return dump_json(head) + static_cast<char>(head_end); }

Result<PromptBody> read_prompt(std::string_view content_type, ByteSpan body,
                               std::uint32_t vocabulary) {
  PromptBody out;
  if (content_type != prompt_type) {
    out.head = TRY(parse_json(as_text(body)));
    out.tokens = TRY(tokens_from_json(out.head, "tokens", vocabulary));
    return out;
  }
  const auto end = std::ranges::find(body, head_end);
  if (end == body.end()) {
    return fail(Code::invalid_argument, fmt::format("the body has no line break; {} is a line of JSON, then "
                                                    "token ids of 4 bytes each", prompt_type));
  }
  const auto head_bytes = static_cast<std::size_t>(end - body.begin());
  out.head = TRY(parse_json(as_text(body.first(head_bytes))));
  out.tokens = TRY(tokens_from_bytes(body.subspan(head_bytes + 1), vocabulary));
  return out;
}

Json tokens_json(std::span<const Token> tokens) {
  Json::Array out;
  out.reserve(tokens.size());
  for (const Token token : tokens) out.emplace_back(token);
  return Json::array(std::move(out));
}

Result<std::vector<Token>> tokens_from_json(const Json& object, std::string_view key,
                                            std::uint32_t vocabulary) {
  const Json* list = object.find(key);
  if (list == nullptr || !list->is_array()) {
    return fail(Code::invalid_argument, fmt::format("{}: expected an array of token ids", key));
  }
  std::vector<Token> out;
  out.reserve(list->as_array().size());
  for (const Json& item : list->as_array()) {
    const std::int64_t id = item.is_integer() ? item.as_integer() : -1;
    if (!is_token(id, vocabulary)) return not_a_token(out.size(), key, vocabulary);
    out.push_back(static_cast<Token>(id));
  }
  return out;
}

}  // namespace hearth::node
