#include "hearth/chat/kimi_format.h"

#include <array>

#include "hearth/chat/ids.h"
#include "hearth/chat/kimi_parser.h"
#include "hearth/chat/kimi_typescript.h"
#include "hearth/chat/python_json.h"
#include "hearth/chat/turn_walk.h"

namespace hearth::chat {
namespace {

// Kimi's markup. The first two end a turn: K2.5 declares [EOS], K2.6 <|im_end|>.
constexpr std::array<std::string_view, 20> all_markers = {
    "<|im_end|>", "[EOS]", "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>",
    "<think>", "</think>", "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>",
    "<|tool_call_section_begin|>", "<|tool_call_section_end|>", "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>", "<|tool_call_end|>", "<|media_begin|>", "<|media_start|>",
    "<|media_content|>", "<|media_pad|>", "<|media_end|>"};
constexpr std::size_t end_token_count = 2;
// So many calls of one answer, fewer with many tools: each has a rule of its own, because its number is exact. Results
// and later calls go by it.
constexpr std::size_t parallel_calls_min = 4, parallel_calls_max = 16;
constexpr std::size_t call_rules_wanted = 2048;

class KimiFormat final : public Format {
 public:
  explicit KimiFormat(KimiTraits traits) : traits_(traits) {}

  std::string_view name() const override { return traits_.name; }
  bool can_think() const override { return traits_.thinking; }
  std::span<const std::string_view> markers() const override { return all_markers; }
  std::span<const std::string_view> end_tokens() const override {
    return std::span(all_markers).first(end_token_count);
  }
  Trigger call_trigger() const override {
    return {{"<|tool_calls_section_begin|>", "<|tool_call_section_begin|>", "<|tool_call_begin|>"}, {}};
  }

  std::unique_ptr<OutputParser> make_parser(ParserOptions options) const override {
    return make_kimi_parser(std::move(options));
  }

  Result<Rendering> render(const Conversation& conversation,
                           const RenderOptions& options) const override {
    Rendering out;
    SegmentList list(all_markers);
    declare_tools(list, conversation.tools, out);
    if (!traits_.default_system.empty() &&
        (conversation.messages.empty() || conversation.messages[0].role != Role::system)) {
      open(list, "<|im_system|>", "system");
      list.literal(traits_.default_system);
      list.markup("<|im_end|>");
    }
    render_messages(list, conversation, options, out);
    if (options.generation_prompt) {
      open_answer(list, options.thinking);
      out.thinking_open = traits_.prompt_opens && options.thinking;
    }
    out.segments = list.take();
    return out;
  }

  Result<std::string> call_section(GbnfBuilder& grammar, const CallGrammar& calls) const override {
    const std::size_t fitting = call_rules_wanted / std::max<std::size_t>(calls.tools.size(), 1);
    const std::size_t positions = calls.parallel ? std::clamp(fitting, parallel_calls_min, parallel_calls_max) : 1;
    std::string next;
    for (std::size_t i = positions; i-- > 0;) {
      const std::string index = gbnf_literal(std::to_string(calls.first_index + i));
      const std::string rule = grammar.add("call", one_of(grammar, calls, index) + next);
      next = i == 0 ? rule : " " + rule + "?";
    }
    // What models write: either spelling of the section, or calls without one.
    const auto either = [&](std::string_view plural, std::string_view singular) {
      return grammar.marker(plural) + " | " + grammar.marker(singular);
    };
    const std::string begin = grammar.add(
        "begin", either("<|tool_calls_section_begin|>", "<|tool_call_section_begin|>"));
    const std::string end =
        grammar.add("end", either("<|tool_calls_section_end|>", "<|tool_call_section_end|>"));
    return grammar.add("section", begin + " " + next + " " + end + " | " + next + " " + end + "?");
  }

 private:
  static std::string one_of(GbnfBuilder& grammar, const CallGrammar& calls,
                            const std::string& index) {
    std::string any;
    for (std::size_t i = 0; i < calls.tools.size(); ++i) {
      if (!any.empty()) any += " | ";
      any += grammar.marker("<|tool_call_begin|>") + " " +
             gbnf_literal("functions." + calls.tools[i].name + ":") + " " + index + " " +
             grammar.marker("<|tool_call_argument_begin|>") + " " + calls.arguments[i] + " " +
             grammar.marker("<|tool_call_end|>");
    }
    return "(" + any + ")";
  }

  void declare_tools(SegmentList& list, const std::vector<Tool>& tools, Rendering& out) const {
    if (tools.empty()) return;
    open(list, "<|im_system|>", "tool_declare");
    if (traits_.tools == KimiTraits::Tools::typescript) {
      TypeScriptTools declared = typescript_tools(tools);
      out.types_degraded = declared.types_degraded;
      list.foreign(declared.text);
    } else {
      Json::Array array;
      for (const Tool& tool : tools) array.push_back(tool_json(tool));
      list.foreign(python_json(array, traits_.tools == KimiTraits::Tools::json_compact
                                          ? JsonSpacing::compact
                                          : JsonSpacing::spaced));
    }
    list.markup("<|im_end|>");
  }

  static void open(SegmentList& list, std::string_view role_token, std::string_view role) {
    list.markup(role_token);
    list.literal(role);
    list.markup("<|im_middle|>");
  }

  void open_answer(SegmentList& list, bool thinking) const {
    open(list, "<|im_assistant|>", "assistant");
    if (!traits_.thinking) return;
    if (!thinking) {
      list.markup("<think></think>");
    } else if (traits_.prompt_opens) {
      list.markup("<think>");
    }
  }

  void render_messages(SegmentList& list, const Conversation& conversation,
                       const RenderOptions& options, Rendering& out) const {
    TurnWalk walk(conversation, options);
    const std::ptrdiff_t history_end =
        options.preserve_thinking ? -1 : last_plain_turn(conversation.messages);
    std::size_t call_count = 0;
    std::vector<std::pair<std::string, std::string>> open_calls;  // outward, native: of one turn
    for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
      const Message& message = conversation.messages[i];
      const TurnRecord* record = walk.next(message);
      if (message.role == Role::assistant) {
        open_calls.clear();
        for (const ToolCall& call : message.calls) {
          open_calls.emplace_back(call.id, native_id(call.name, call_count++));
        }
        ++(record != nullptr ? out.turns_remembered : out.turns_rendered);
        const bool keep = static_cast<std::ptrdiff_t>(i) > history_end;
        render_answer(list, message, open_calls, record, keep);
      } else if (message.role == Role::tool) {
        open(list, "<|im_system|>", "tool");
        std::string native = message.call_id;
        for (const auto& [outward, inside] : open_calls) {
          if (outward == message.call_id) native = inside;
        }
        list.literal("## Return of ");
        list.foreign(native);
        list.literal("\n");
        list.foreign(message.text);
      } else {
        open(list, message.role == Role::user ? "<|im_user|>" : "<|im_system|>",
             role_name(message.role));
        list.foreign(message.text);
      }
      list.markup("<|im_end|>");
    }
  }

  void render_answer(SegmentList& list, const Message& message,
                     const std::vector<std::pair<std::string, std::string>>& calls,
                     const TurnRecord* record, bool keep_thinking) const {
    if (record != nullptr) {
      open_answer(list, record->thinking_on);
      list.tokens(record->tokens);
      return;
    }
    open(list, "<|im_assistant|>", "assistant");
    if (traits_.thinking) {
      list.markup("<think>");
      if (keep_thinking) list.foreign(message.thinking);
      list.markup("</think>");
    }
    list.foreign(message.text);
    if (calls.empty()) return;
    list.markup("<|tool_calls_section_begin|>");
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const ToolCall& call = message.calls[i];
      list.markup("<|tool_call_begin|>");
      list.foreign(calls[i].second);
      list.markup("<|tool_call_argument_begin|>");
      list.foreign(call.raw_arguments.empty() ? python_json(call.arguments) : call.raw_arguments);
      list.markup("<|tool_call_end|>");
    }
    list.markup("<|tool_calls_section_end|>");
  }

  KimiTraits traits_;
};

}  // namespace

std::unique_ptr<Format> make_kimi_format(KimiTraits traits) {
  return std::make_unique<KimiFormat>(traits);
}

}  // namespace hearth::chat
