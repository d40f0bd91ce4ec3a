#include "hearth/chat/kimi_parser.h"

#include <array>

#include "hearth/chat/ids.h"
#include "hearth/chat/json_tracker.h"
#include "hearth/chat/marker_parser.h"

namespace hearth::chat {
namespace {

constexpr std::string_view end_of_turn = "<|im_end|>";
constexpr std::string_view call_begin = "<|tool_call_begin|>";
constexpr std::string_view argument_begin = "<|tool_call_argument_begin|>";
constexpr std::string_view call_end = "<|tool_call_end|>";
constexpr std::string_view think_begin = "<think>";
constexpr std::string_view think_end = "</think>";

constexpr std::array<std::string_view, 2> end_tokens = {end_of_turn, "[EOS]"};
constexpr std::array<std::string_view, 10> in_text = {
    end_of_turn, think_begin, think_end, call_begin, argument_begin, call_end,
    // Both spellings occur.
    "<|tool_calls_section_begin|>", "<|tool_call_section_begin|>", "<|tool_calls_section_end|>",
    "<|tool_call_section_end|>"};
constexpr std::array<std::string_view, 6> in_call = {
    end_of_turn, call_begin, argument_begin, call_end, "<|tool_calls_section_end|>",
    "<|tool_call_section_end|>"};

bool opens_section(std::string_view marker) { return marker.ends_with("_section_begin|>"); }
bool closes_section(std::string_view marker) { return marker.ends_with("_section_end|>"); }

class KimiParser final : public MarkerParser {
 public:
  explicit KimiParser(ParserOptions options)
      : MarkerParser(std::move(options), end_tokens, /*trims_newlines=*/false),
        state_(this->options().thinking_open ? State::thinking : State::content) {}

 private:
  // section: between calls. Text there is none of the format's; it is shown, never lost.
  enum class State : std::uint8_t { thinking, content, section, id, arguments };

  std::span<const std::string_view> active() const override {
    if (state_ == State::id || state_ == State::arguments) return in_call;
    return in_text;
  }
  bool accepts_markers() const override {
    return state_ != State::arguments || !json_.in_string();
  }

  void on_text(std::string_view text) override {
    switch (state_) {
      case State::thinking: show(Event::Kind::thinking, text); return;
      case State::content: show(Event::Kind::content, text); return;
      case State::section: show_between_calls(text); return;
      case State::id: id_ += text; return;
      case State::arguments:
        json_.push(text);
        add_arguments(text);
        return;
    }
  }

  // Blanks next to a marker belong to the markup.
  void show_between_calls(std::string_view text) {
    blanks_ += text;
    const std::size_t last = blanks_.find_last_not_of(" \t\r\n");
    if (last == std::string::npos) return;
    show(Event::Kind::content, blanks_.substr(0, last + 1));
    blanks_.erase(0, last + 1);
  }

  void on_marker(std::string_view marker) override {
    blanks_.clear();
    if (marker == end_of_turn) {
      end_turn();
    } else if (marker == call_begin) {
      finish_call(/*closed=*/false);
      end_text();
      state_ = State::id;
      id_.clear();
    } else if (marker == argument_begin) {
      if (state_ != State::id) return;
      if (name_of_native_id(id_).empty()) {
        state_ = State::content;  // no name, no call: what follows is shown
      } else {
        start_arguments();
      }
    } else if (marker == call_end) {
      if (state_ != State::id && state_ != State::arguments) return;
      finish_call(/*closed=*/true);
      state_ = State::section;
    } else if (opens_section(marker)) {
      end_text();
      state_ = State::section;
    } else if (closes_section(marker)) {
      finish_call(/*closed=*/false);
      state_ = State::content;
    } else if (marker == think_end) {
      if (state_ == State::thinking) end_text();
      if (state_ == State::thinking) state_ = State::content;
    } else if (marker == think_begin && state_ == State::content) {
      end_text();
      state_ = State::thinking;
    }
  }

  void on_end() override { finish_call(/*closed=*/false); }

  void start_arguments() {
    json_ = {};
    begin_call(name_of_native_id(id_), id_);
    state_ = State::arguments;
  }

  void finish_call(bool closed) {
    if (state_ == State::id && !name_of_native_id(id_.substr(0, id_.find('{'))).empty()) {
      // No argument marker: arguments may follow the id directly.
      const std::size_t brace = id_.find('{');
      const std::string arguments = brace == std::string::npos ? "" : id_.substr(brace);
      id_.resize(std::min(id_.size(), brace));
      start_arguments();
      add_arguments(arguments);
    }
    if (!call_open()) return;
    closed ? close_call() : end_call();
  }

  State state_;
  std::string id_;
  std::string blanks_;
  JsonTracker json_;
};

}  // namespace

std::unique_ptr<OutputParser> make_kimi_parser(ParserOptions options) {
  return std::make_unique<KimiParser>(std::move(options));
}

}  // namespace hearth::chat
