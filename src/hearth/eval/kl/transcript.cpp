#include "hearth/eval/kl/transcript.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace hearth::eval {
namespace {

Result<std::string> read_content(const Json& message, const std::string& path) {
  const Json* content = message.find("content");
  if (content == nullptr || content->is_null()) return std::string();
  if (content->is_string()) return content->as_string();
  if (!content->is_array()) {
    return fail(Code::invalid_argument,
                path + ".content: expected a string or a list of text parts");
  }
  std::string out;
  for (const Json& part : content->as_array()) {
    out += TRY(get<std::string>(part, "text", path + ".content[]"));
  }
  return out;
}

Result<chat::ToolCall> read_call(const Json& json, const std::string& path) {
  chat::ToolCall out;
  out.id = TRY(get<std::string>(json, "id", path));
  const Json* function = json.find("function");
  if (function == nullptr) return fail(Code::invalid_argument, path + ".function: is missing");
  out.name = TRY(get<std::string>(*function, "name", path + ".function"));
  const Json* arguments = function->find("arguments");
  if (arguments == nullptr) return out;
  if (!arguments->is_string()) {
    out.arguments = *arguments;
    return out;
  }
  if (const auto parsed = parse_json(arguments->as_string()); parsed && parsed->is_object()) {
    out.arguments = *parsed;
  } else {
    out.raw_arguments = arguments->as_string();
  }
  return out;
}

Result<chat::Message> read_message(const Json& json, const std::string& path) {
  using chat::Role;
  chat::Message out;
  const auto role = TRY(get<std::string>(json, "role", path));
  if (role == "system" || role == "developer") out.role = Role::system;
  else if (role == "user") out.role = Role::user;
  else if (role == "assistant") out.role = Role::assistant;
  else if (role == "tool") out.role = Role::tool;
  else {
    return fail(Code::invalid_argument,
                fmt::format("{}.role: '{}'; expected system, user, assistant or tool", path, role));
  }
  out.text = TRY(read_content(json, path));
  if (out.role == Role::tool) out.call_id = TRY(get<std::string>(json, "tool_call_id", path));
  if (out.role != Role::assistant) return out;
  out.thinking = TRY(get_or<std::string>(json, "reasoning_content", "", path));
  const Json* calls = json.find("tool_calls");
  if (calls == nullptr || !calls->is_array()) return out;
  for (std::size_t i = 0; i < calls->as_array().size(); ++i) {
    out.calls.push_back(
        TRY(read_call(calls->as_array()[i], fmt::format("{}.tool_calls[{}]", path, i))));
  }
  return out;
}

Result<chat::Tool> read_tool(const Json& json, const std::string& path) {
  const Json* function = json.find("function");
  if (function == nullptr) return fail(Code::invalid_argument, path + ".function: is missing");
  chat::Tool out;
  out.name = TRY(get<std::string>(*function, "name", path));
  out.description = TRY(get_or<std::string>(*function, "description", "", path));
  if (const Json* parameters = function->find("parameters")) out.parameters = *parameters;
  return out;
}

// What the assistant wrote, as bytes [begin, end) of the rendered conversation.
struct Turn {
  std::size_t begin = 0, end = 0;
  bool thinking_open = false;
};

Result<std::vector<Turn>> find_turns(const chat::Conversation& conversation,
                                     const chat::Format& format) {
  std::vector<Turn> out;
  chat::Conversation part{.tools = conversation.tools, .messages = {}};
  for (const chat::Message& message : conversation.messages) {
    if (message.role == chat::Role::assistant) {
      const chat::Rendering before = TRY(format.render(part, {.generation_prompt = true}));
      part.messages.push_back(message);
      const chat::Rendering after = TRY(format.render(part, {.generation_prompt = false}));
      const std::string asked = before.flat(), written = after.flat();
      const auto parted = std::ranges::mismatch(asked, written);
      out.push_back({static_cast<std::size_t>(parted.in1 - asked.begin()), written.size(),
                     before.thinking_open && parted.in1 == asked.end()});
    } else {
      part.messages.push_back(message);
    }
  }
  return out;
}

std::optional<TokenKind> kind_of(std::span<const chat::Event> events) {
  std::optional<TokenKind> out;
  for (const chat::Event& event : events) {
    switch (event.kind) {
      case chat::Event::Kind::thinking: out = TokenKind::thinking; break;
      case chat::Event::Kind::content: out = TokenKind::answer; break;
      case chat::Event::Kind::call_begin:
      case chat::Event::Kind::call_arguments:
      case chat::Event::Kind::call_end: return TokenKind::tool_call;
      case chat::Event::Kind::finish: break;
    }
  }
  return out;
}

// Kinds of the segments, one for each. A text that the parser holds back (a call's name before its
// arguments begin) is of the kind that comes out next.
std::vector<TokenKind> segment_kinds(const chat::Rendering& rendering, std::span<const Turn> turns,
                                     const chat::Conversation& conversation,
                                     const chat::Format& format) {
  std::vector<TokenKind> out;
  std::unique_ptr<chat::OutputParser> parser;
  std::vector<std::size_t> held_back;
  std::size_t offset = 0;
  const auto settle = [&](TokenKind kind) {
    for (const std::size_t i : held_back) out[i] = kind;
    held_back.clear();
  };
  for (const chat::Segment& segment : rendering.segments) {
    const std::size_t end = offset + segment.text.size();
    while (!turns.empty() && offset >= turns.front().end) {
      settle(TokenKind::answer);
      turns = turns.subspan(1);
      parser.reset();
    }
    const bool is_markup = segment.kind == chat::Segment::Kind::markup;
    out.push_back(is_markup ? TokenKind::control : TokenKind::read);
    if (!turns.empty() && end > turns.front().begin) {
      const Turn& turn = turns.front();
      if (!parser) {
        parser = format.make_parser({.tools = conversation.tools,
                                     .thinking_open = turn.thinking_open,
                                     .token_markers = {}});
      }
      const std::size_t skip = offset < turn.begin ? turn.begin - offset : 0;
      const auto found = kind_of(parser->push(std::string_view(segment.text).substr(skip)));
      if (!is_markup) held_back.push_back(out.size() - 1);
      if (found) settle(*found);
    }
    offset = end;
  }
  settle(TokenKind::answer);
  return out;
}

void append(ScoredText& out, std::span<const Token> tokens, TokenKind kind) {
  out.tokens.insert(out.tokens.end(), tokens.begin(), tokens.end());
  out.kinds.resize(out.tokens.size(), kind);
}

void begin_with_bos(ScoredText& out, const TextTokenizer& tokenizer, TokenKind kind) {
  if (tokenizer.bos < 0 || (!out.tokens.empty() && out.tokens.front() == tokenizer.bos)) return;
  out.tokens.insert(out.tokens.begin(), tokenizer.bos);
  out.kinds.insert(out.kinds.begin(), kind);
}

}  // namespace

Result<chat::Conversation> conversation_from_json(const Json& json) {
  const Json* messages = json.find("messages");
  if (messages == nullptr || !messages->is_array() || messages->as_array().empty()) {
    return fail(Code::invalid_argument,
                "messages: expected a list of messages, as in a request of chat completions");
  }
  chat::Conversation out;
  for (std::size_t i = 0; i < messages->as_array().size(); ++i) {
    out.messages.push_back(
        TRY(read_message(messages->as_array()[i], fmt::format("messages[{}]", i))));
  }
  if (const Json* tools = json.find("tools"); tools != nullptr && tools->is_array()) {
    for (std::size_t i = 0; i < tools->as_array().size(); ++i) {
      out.tools.push_back(TRY(read_tool(tools->as_array()[i], fmt::format("tools[{}]", i))));
    }
  }
  return chat::arrange(std::move(out));
}

Result<ScoredText> score_plain_text(std::string_view text, const TextTokenizer& tokenizer) {
  ScoredText out;
  append(out, TRY(tokenizer.tokenize(text, /*special=*/false)), TokenKind::text);
  begin_with_bos(out, tokenizer, TokenKind::text);
  return out;
}

Result<ScoredText> score_transcript(const chat::Conversation& conversation,
                                    const chat::Format& format, const TextTokenizer& tokenizer) {
  const chat::Rendering rendering = TRY(format.render(conversation, {.generation_prompt = false}));
  const std::vector<Turn> turns = TRY(find_turns(conversation, format));
  const std::vector<TokenKind> kinds = segment_kinds(rendering, turns, conversation, format);
  ScoredText out;
  for (std::size_t i = 0; i < rendering.segments.size(); ++i) {
    const chat::Segment& segment = rendering.segments[i];
    const bool special = segment.kind == chat::Segment::Kind::markup;
    append(out, TRY(tokenizer.tokenize(segment.text, special)), kinds[i]);
  }
  begin_with_bos(out, tokenizer, TokenKind::control);
  return out;
}

}  // namespace hearth::eval
