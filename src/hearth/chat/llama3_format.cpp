#include "hearth/chat/llama3_format.h"

#include <array>

#include "hearth/chat/llama3_parser.h"
#include "hearth/chat/python_json.h"
#include "hearth/chat/turn_walk.h"

namespace hearth::chat {
namespace {

// The first three end a turn.
constexpr std::array<std::string_view, 7> all_markers = {
    "<|eot_id|>",          "<|eom_id|>",        "<|end_of_text|>", "<|begin_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|python_tag|>"};
constexpr std::size_t end_token_count = 3;

constexpr std::string_view tool_head =
    "Given the following functions, please respond with a JSON for a function call with its proper "
    "arguments that best answers the given prompt.\n\nRespond in the format {\"name\": function "
    "name, \"parameters\": dictionary of argument name and its value}.Do not use variables.\n\n";

class Llama3Format final : public Format {
 public:
  std::string_view name() const override { return "llama3"; }
  bool can_think() const override { return false; }
  std::span<const std::string_view> markers() const override { return all_markers; }
  std::span<const std::string_view> end_tokens() const override {
    return std::span(all_markers).first(end_token_count);
  }
  // The parser passes over blanks and the tag before the object.
  Trigger call_trigger() const override {
    return {{}, R"(^(?:[ \t\r\n]|<\|python_tag\|>)*(\{)[\s\S]*$)"};
  }

  std::unique_ptr<OutputParser> make_parser(ParserOptions options) const override {
    return make_llama3_parser(std::move(options));
  }

  Result<Rendering> render(const Conversation& conversation,
                           const RenderOptions& options) const override {
    Rendering out;
    SegmentList list(all_markers);
    list.markup("<|begin_of_text|>");
    const std::size_t first = render_system(list, conversation, options);
    TurnWalk walk(conversation, options);
    for (std::size_t i = 0; i < first; ++i) walk.next(conversation.messages[i]);
    bool tools_due = !conversation.tools.empty();
    if (tools_due && first < conversation.messages.size() &&
        conversation.messages[first].role != Role::user) {
      render_tools(list, conversation.tools, {});
      tools_due = false;
    }
    for (std::size_t i = first; i < conversation.messages.size(); ++i) {
      const Message& message = conversation.messages[i];
      const TurnRecord* record = walk.next(message);
      if (tools_due) {
        render_tools(list, conversation.tools, message.text);
        tools_due = false;
      } else if (message.role == Role::assistant) {
        ++(record != nullptr ? out.turns_remembered : out.turns_rendered);
        render_answer(list, message, record);
      } else {
        render_other(list, message);
      }
    }
    if (options.generation_prompt) open(list, "assistant");
    out.segments = list.take();
    return out;
  }

  Result<std::string> call_section(GbnfBuilder& grammar, const CallGrammar& calls) const override {
    std::string any;
    for (std::size_t i = 0; i < calls.tools.size(); ++i) {
      if (!any.empty()) any += " | ";
      any += gbnf_literal("{\"name\": " + dump_json(Json(calls.tools[i].name)) +
                          ", \"parameters\": ") +
             " " + calls.arguments[i] + " \"}\"";
    }
    // The template knows one call per turn.
    return grammar.add("section", any);
  }

 private:
  static void open(SegmentList& list, std::string_view role) {
    list.markup("<|start_header_id|>");
    list.literal(role);
    list.markup("<|end_header_id|>");
    list.literal("\n\n");
  }
  static void close(SegmentList& list) { list.markup("<|eot_id|>"); }

  static std::size_t render_system(SegmentList& list, const Conversation& conversation,
                                   const RenderOptions& options) {
    const bool given =
        !conversation.messages.empty() && conversation.messages[0].role == Role::system;
    open(list, "system");
    if (!conversation.tools.empty()) list.literal("Environment: ipython\n");
    list.literal("Cutting Knowledge Date: December 2023\nToday Date: ");
    list.foreign(options.date);
    list.literal("\n\n");
    if (given) list.foreign(trim(conversation.messages[0].text));
    close(list);
    return given ? 1 : 0;
  }

  static void render_tools(SegmentList& list, const std::vector<Tool>& tools,
                           std::string_view question) {
    open(list, "user");
    list.literal(tool_head);
    for (const Tool& tool : tools) {
      list.foreign(python_json(tool_json(tool), JsonSpacing::indented));
      list.literal("\n\n");
    }
    list.foreign(trim(question));
    close(list);
  }

  static void render_other(SegmentList& list, const Message& message) {
    if (message.role == Role::tool) {
      open(list, "ipython");
      list.foreign(python_json(Json(message.text)));  // the template prints a string as JSON
    } else {
      open(list, role_name(message.role));
      list.foreign(trim(message.text));
    }
    close(list);
  }

  static void render_answer(SegmentList& list, const Message& message, const TurnRecord* record) {
    open(list, "assistant");
    if (record != nullptr) {
      list.tokens(record->tokens);
    } else if (message.calls.empty()) {
      list.foreign(trim(message.text));
    }
    for (std::size_t i = 0; i < message.calls.size() && record == nullptr; ++i) {
      const ToolCall& call = message.calls[i];
      list.literal(i == 0 ? "{\"name\": \"" : "; {\"name\": \"");
      list.foreign(call.name);
      list.literal("\", \"parameters\": ");
      list.foreign(call.raw_arguments.empty() ? python_json(call.arguments) : call.raw_arguments);
      list.literal("}");
    }
    close(list);
  }
};

}  // namespace

std::unique_ptr<Format> make_llama3_format() { return std::make_unique<Llama3Format>(); }

}  // namespace hearth::chat
