#include "hearth/chat/chatml_format.h"

#include <array>

#include "hearth/chat/hermes_parser.h"
#include "hearth/chat/python_json.h"
#include "hearth/chat/tag_parser.h"
#include "hearth/chat/turn_walk.h"

namespace hearth::chat {
namespace {

// The first two end a turn.
constexpr std::array<std::string_view, 9> all_markers = {
    "<|im_end|>", "<|endoftext|>", "<|im_start|>",    "<think>",         "</think>",
    "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"};
constexpr std::size_t end_token_count = 2;
constexpr std::string_view coder_default_system =
    "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks.";

std::string_view strip_newlines(std::string_view text) { return trim(text, "\n"); }

class ChatMlFormat final : public Format {
 public:
  explicit ChatMlFormat(ChatMlTraits traits) : traits_(traits) {}

  std::string_view name() const override { return traits_.name; }
  bool can_think() const override { return traits_.thinking != ChatMlTraits::Thinking::never; }
  std::span<const std::string_view> markers() const override { return all_markers; }
  std::span<const std::string_view> end_tokens() const override {
    return std::span(all_markers).first(end_token_count);
  }
  bool raw_string_arguments() const override { return tags(); }
  Trigger call_trigger() const override { return {{"<tool_call>"}, {}}; }

  std::unique_ptr<OutputParser> make_parser(ParserOptions options) const override {
    return tags() ? make_tag_parser(std::move(options)) : make_hermes_parser(std::move(options));
  }

  Result<Rendering> render(const Conversation& conversation,
                           const RenderOptions& options) const override {
    Rendering out;
    SegmentList list(all_markers);
    const std::size_t first = render_system(list, conversation);
    TurnWalk walk(conversation, options);
    for (std::size_t i = 0; i < first; ++i) walk.next(conversation.messages[i]);
    const std::size_t question = last_question(conversation.messages);
    for (std::size_t i = first; i < conversation.messages.size(); ++i) {
      const Message& message = conversation.messages[i];
      const TurnRecord* record = walk.next(message);
      if (message.role == Role::assistant) {
        ++(record != nullptr ? out.turns_remembered : out.turns_rendered);
        const bool last = i + 1 == conversation.messages.size();
        const bool think = options.preserve_thinking
                               ? can_think()
                               : reference_thinks(message, i > question, last);
        render_answer(list, message, record, think);
      } else {
        render_other(list, conversation.messages, i);
      }
    }
    if (options.generation_prompt) {
      open_answer(list, options.thinking);
      out.thinking_open = traits_.prompt_opens && can_think() && options.thinking;
    }
    out.segments = list.take();
    return out;
  }

  Result<std::string> call_section(GbnfBuilder& grammar, const CallGrammar& calls) const override {
    std::string any;
    for (std::size_t i = 0; i < calls.tools.size(); ++i) {
      if (!any.empty()) any += " | ";
      any += tags() ? gbnf_literal("\n<function=" + calls.tools[i].name + ">\n") + " " +
                          calls.arguments[i] + " " + gbnf_literal("</function>\n")
                    : gbnf_literal("\n{\"name\": " + dump_json(Json(calls.tools[i].name)) +
                                   ", \"arguments\": ") +
                          " " + calls.arguments[i] + " " + gbnf_literal("}\n");
    }
    const std::string call = grammar.add(
        "call", grammar.marker("<tool_call>") + " (" + any + ") " + grammar.marker("</tool_call>"));
    return grammar.add("section", call + (calls.parallel ? " (\"\\n\" " + call + ")*" : ""));
  }

 private:
  bool tags() const { return traits_.tools != ChatMlTraits::Tools::hermes; }

  static void open(SegmentList& list, std::string_view role) {
    list.markup("<|im_start|>");
    list.literal(role);
    list.literal("\n");
  }
  static void close(SegmentList& list) {
    list.markup("<|im_end|>");
    list.literal("\n");
  }
  std::string_view content(const std::string& text) const {
    return traits_.trims_text ? trim(text) : std::string_view(text);
  }

  // The system turn with the tools in it; the number of messages that it used up.
  std::size_t render_system(SegmentList& list, const Conversation& conversation) const {
    const bool given =
        !conversation.messages.empty() && conversation.messages[0].role == Role::system;
    const bool coder = traits_.tools == ChatMlTraits::Tools::coder;
    const std::string_view text = given ? content(conversation.messages[0].text)
                                        : std::string_view();
    if (!given && conversation.tools.empty()) return 0;
    open(list, "system");
    if (conversation.tools.empty()) {
      list.foreign(text);
    } else if (traits_.tools == ChatMlTraits::Tools::tag_json) {
      chatml_tool_section(list, traits_.tools, conversation.tools);
      if (!text.empty()) list.literal("\n\n");
      list.foreign(text);
    } else {
      list.foreign(given ? text : coder ? coder_default_system : std::string_view());
      if (given || coder) list.literal("\n\n");
      chatml_tool_section(list, traits_.tools, conversation.tools);
    }
    close(list);
    return given ? 1 : 0;
  }

  // Everything but answers.
  void render_other(SegmentList& list, const std::vector<Message>& messages, std::size_t i) const {
    const Message& message = messages[i];
    if (message.role == Role::tool) {
      render_result(list, messages, i);
      return;
    }
    if (message.role == Role::system && !traits_.late_system) {
      open(list, "user");
      list.literal("<system-reminder>\n");
      list.foreign(content(message.text));
      list.literal("\n</system-reminder>");
    } else {
      open(list, role_name(message.role));
      list.foreign(content(message.text));
    }
    close(list);
  }

  // Neighbouring results share one user turn.
  void render_result(SegmentList& list, const std::vector<Message>& messages, std::size_t i) const {
    const bool coder = traits_.tools == ChatMlTraits::Tools::coder;
    if (i == 0 || messages[i - 1].role != Role::tool) {
      list.markup("<|im_start|>");
      list.literal(coder ? "user\n" : "user");
    }
    if (!coder) list.literal("\n");
    list.markup("<tool_response>");
    list.literal("\n");
    list.foreign(content(messages[i].text));
    list.literal("\n");
    list.markup("</tool_response>");
    if (coder) list.literal("\n");
    if (i + 1 == messages.size() || messages[i + 1].role != Role::tool) close(list);
  }

  bool reference_thinks(const Message& message, bool after_question, bool last) const {
    switch (traits_.thinking) {
      case ChatMlTraits::Thinking::never: return false;
      case ChatMlTraits::Thinking::qwen3:
        return after_question && (last || !message.thinking.empty());
      case ChatMlTraits::Thinking::qwen35: return after_question;
    }
    return false;
  }

  void open_answer(SegmentList& list, bool thinking) const {
    open(list, "assistant");
    if (!can_think()) return;
    if (!thinking) {
      think_block(list, {});
    } else if (traits_.prompt_opens) {
      list.markup("<think>");
      list.literal("\n");
    }
  }

  static void think_block(SegmentList& list, std::string_view thinking) {
    list.markup("<think>");
    list.literal("\n");
    list.foreign(thinking);
    list.literal("\n");
    list.markup("</think>");
    list.literal("\n\n");
  }

  void render_answer(SegmentList& list, const Message& message, const TurnRecord* record,
                     bool think) const {
    if (record != nullptr) {
      open_answer(list, record->thinking_on);
      list.tokens(record->tokens);
      close(list);
      return;
    }
    open(list, "assistant");
    std::string_view text = content(message.text);
    if (traits_.tools == ChatMlTraits::Tools::coder && !message.calls.empty()) text = trim(text);
    if (think) {
      think_block(list, traits_.trims_text ? trim(message.thinking)
                                           : strip_newlines(message.thinking));
      text = text.substr(std::min(text.size(), text.find_first_not_of('\n')));
    }
    list.foreign(text);
    for (std::size_t i = 0; i < message.calls.size(); ++i) {
      if (i > 0) {
        list.literal("\n");
      } else if (!trim(text).empty() || (!tags() && !text.empty())) {
        list.literal(tags() ? "\n\n" : "\n");
      }
      list.markup("<tool_call>");
      tags() ? tag_call(list, message.calls[i]) : hermes_call(list, message.calls[i]);
      list.markup("</tool_call>");
    }
    close(list);
  }

  static void hermes_call(SegmentList& list, const ToolCall& call) {
    list.literal("\n{\"name\": \"");
    list.foreign(call.name);
    list.literal("\", \"arguments\": ");
    list.foreign(call.raw_arguments.empty() ? python_json(call.arguments) : call.raw_arguments);
    list.literal("}\n");
  }

  void tag_call(SegmentList& list, const ToolCall& call) const {
    list.literal("\n<function=");
    list.foreign(call.name);
    list.literal(">\n");
    if (!call.raw_arguments.empty()) {
      list.foreign(call.raw_arguments);
      list.literal("\n");
    }
    for (const auto& [name, value] : call.arguments.as_object()) {
      list.literal("<parameter=");
      list.foreign(name);
      list.literal(">\n");
      list.foreign(traits_.json_scalars && !value.is_string() ? python_json(value)
                                                              : python_str(value));
      list.literal("\n</parameter>\n");
    }
    list.literal("</function>\n");
  }

  ChatMlTraits traits_;
};

}  // namespace

std::unique_ptr<Format> make_chatml_format(ChatMlTraits traits) {
  return std::make_unique<ChatMlFormat>(traits);
}

}  // namespace hearth::chat
