#include "hearth/chat/tag_parser.h"

#include <array>

#include "hearth/base/utf8.h"
#include "hearth/chat/marker_parser.h"
#include "hearth/chat/schema.h"
#include "hearth/chat/turn_walk.h"

namespace hearth::chat {
namespace {

constexpr std::string_view call_begin = "<tool_call>";
constexpr std::string_view call_end = "</tool_call>";
constexpr std::string_view think_begin = "<think>";
constexpr std::string_view think_end = "</think>";
constexpr std::string_view function_begin = "<function=";
constexpr std::string_view function_end = "</function>";
constexpr std::string_view parameter_begin = "<parameter=";
constexpr std::string_view parameter_end = "</parameter>";
constexpr std::string_view name_end = ">";
constexpr std::string_view end_of_turn = "<|im_end|>";
constexpr std::array<std::string_view, 2> end_tokens = {end_of_turn, "<|endoftext|>"};
constexpr std::array<std::string_view, 5> in_text = {end_of_turn, think_begin, think_end,
                                                     call_begin, call_end};
constexpr std::array<std::string_view, 4> in_call = {end_of_turn, function_begin, call_begin,
                                                     call_end};
constexpr std::array<std::string_view, 5> in_function = {end_of_turn, parameter_begin, function_end,
                                                         call_begin, call_end};
constexpr std::array<std::string_view, 1> in_name = {name_end};
constexpr std::array<std::string_view, 1> in_value = {parameter_end};

std::optional<Json> literal(std::string_view text) {
  const std::string_view bare = trim(text);
  // Templates print Python's spelling, and models repeat it.
  if (bare == "True") return Json(true);
  if (bare == "False") return Json(false);
  if (bare == "None") return Json(nullptr);
  auto parsed = parse_json(bare);
  if (!parsed) return std::nullopt;
  return *std::move(parsed);
}

class TagParser final : public MarkerParser {
 public:
  explicit TagParser(ParserOptions options)
      : MarkerParser(std::move(options), end_tokens, /*trims_newlines=*/true),
        state_(this->options().thinking_open ? State::thinking : State::content) {
    if (state_ == State::thinking) end_text();  // a newline after the tag is markup
  }

 private:
  enum class State : std::uint8_t { thinking, content, call, name, function, key, value };

  std::span<const std::string_view> active() const override {
    switch (state_) {
      case State::thinking:
      case State::content: return in_text;
      case State::call: return in_call;
      case State::function: return in_function;
      case State::name:
      case State::key: return in_name;
      case State::value: return in_value;
    }
    return in_text;
  }
  bool keeps_control() const override { return state_ == State::value; }

  void on_text(std::string_view text) override {
    switch (state_) {
      case State::thinking: show(Event::Kind::thinking, text); return;
      case State::content: show(Event::Kind::content, text); return;
      case State::call: stray_ += text; return;
      case State::function: stray_ += text; return;
      case State::name: name_ += text; return;
      case State::key: key_ += text; return;
      case State::value: value_ += text; return;
    }
  }

  void on_marker(std::string_view marker) override {
    if (marker == end_of_turn) {
      end_turn();
    } else if (marker == name_end) {
      end_name();
    } else if (marker == parameter_end) {
      end_parameter();
    } else if (marker == call_begin) {
      finish_call(/*closed=*/false);
      end_text();
      stray_.clear();
      state_ = State::call;
    } else if (marker == call_end) {
      finish_call(/*closed=*/true);
    } else if (marker == function_begin) {
      name_.clear();
      state_ = State::name;
    } else if (marker == function_end) {
      add_arguments(argument_count_ == 0 ? "{}" : "}");
      close_call();
      state_ = State::call;
      stray_.clear();
    } else if (marker == parameter_begin) {
      key_.clear();
      state_ = State::key;
    } else if (marker == think_end) {
      if (state_ == State::thinking) {
        end_text();
        state_ = State::content;
      }
    } else if (state_ == State::content) {
      end_text();
      state_ = State::thinking;
    }
  }

  void on_end() override { finish_call(/*closed=*/false); }

  void end_name() {
    if (state_ == State::key) {
      value_.clear();
      state_ = State::value;
      return;
    }
    begin_call(std::string(trim(name_)), {});
    argument_count_ = 0;
    stray_.clear();
    state_ = State::function;
  }

  void end_parameter() {
    state_ = State::function;
    std::string_view text = value_;
    if (text.starts_with('\n')) text.remove_prefix(1);
    if (text.ends_with('\n')) text.remove_suffix(1);
    const std::string clean = replace_invalid_utf8(text);
    const std::string key(trim(key_));
    add_arguments((argument_count_++ == 0 ? "{" : ",") + dump_json(Json(key)) + ":" +
                  dump_json(tag_value(parameters(), key, clean)));
  }

  // Something else than </function> ended the call, or there was none.
  void finish_call(bool closed) {
    const State before = state_;
    if (before == State::thinking || before == State::content) return;
    state_ = State::content;
    if (before == State::call) {
      // Nothing that could be a call: the text is not lost.
      if (!trim(stray_).empty()) show(Event::Kind::content, stray_);
      stray_.clear();
      end_text();
      return;
    }
    if (!call_open()) return;  // cut off in its name
    if (before == State::function && closed) {
      add_arguments(argument_count_ == 0 ? "{}" : "}");
    } else if (before == State::key || before == State::value) {
      add_arguments("<parameter=" + key_ + (before == State::value ? ">" + value_ : ""));
    }
    closed ? close_call() : end_call();
    end_text();
  }

  const Json& parameters() const {
    static const Json none;
    const std::string_view name = trim(name_);
    for (const Tool& tool : options().tools) {
      if (tool.name == name) return tool.parameters;
    }
    return none;
  }

  State state_;
  std::string name_;
  std::string key_;
  std::string value_;
  std::string stray_;  // text where none belongs
  std::size_t argument_count_ = 0;
};

}  // namespace

Json tag_value(const Json& parameters, std::string_view name, std::string_view text) {
  const auto parsed = literal(text);
  const Json as_text{std::string(text)};
  if (!parsed || parsed->is_string()) return as_text;
  const auto schema = Schema::compile(parameters.is_null() ? Json(true) : parameters, "parameters");
  const SchemaNode::Property* property =
      schema && schema->resolved(schema->root()).kind == SchemaNode::Kind::object
          ? schema->property(schema->root(), name)
          : nullptr;
  if (property != nullptr) {
    const bool text_fits = schema->validate(property->node, as_text, "$").has_value();
    const bool value_fits = schema->validate(property->node, *parsed, "$").has_value();
    if (text_fits != value_fits) return text_fits ? as_text : *parsed;
  }
  // No word from the schema: the declared type decides.
  const Json* properties = parameters.find("properties");
  const Json* declared = properties != nullptr ? properties->find(name) : nullptr;
  const Json* type = declared != nullptr ? declared->find("type") : nullptr;
  return type != nullptr && *type == Json("string") ? as_text : *parsed;
}

std::unique_ptr<OutputParser> make_tag_parser(ParserOptions options) {
  return std::make_unique<TagParser>(std::move(options));
}

}  // namespace hearth::chat
