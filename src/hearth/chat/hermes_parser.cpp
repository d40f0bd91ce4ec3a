#include "hearth/chat/hermes_parser.h"

#include <array>
#include <utility>

#include "hearth/chat/json_call.h"
#include "hearth/chat/marker_parser.h"

namespace hearth::chat {
namespace {

constexpr std::string_view call_begin = "<tool_call>";
constexpr std::string_view call_end = "</tool_call>";
constexpr std::string_view think_begin = "<think>";
constexpr std::string_view think_end = "</think>";
constexpr std::array<std::string_view, 2> end_tokens = {"<|im_end|>", "<|endoftext|>"};
constexpr std::array<std::string_view, 5> in_text = {"<|im_end|>", think_begin, think_end,
                                                     call_begin, call_end};
constexpr std::array<std::string_view, 3> in_call = {"<|im_end|>", call_begin, call_end};

class HermesParser final : public MarkerParser {
 public:
  explicit HermesParser(ParserOptions options)
      : MarkerParser(std::move(options), end_tokens, /*trims_newlines=*/true),
        state_(this->options().thinking_open ? State::thinking : State::content) {
    if (state_ == State::thinking) end_text();  // a newline after the tag is markup
  }

 private:
  enum class State : std::uint8_t { thinking, content, call };

  std::span<const std::string_view> active() const override {
    if (state_ == State::call) return in_call;
    return in_text;
  }
  bool accepts_markers() const override { return state_ != State::call || !call_.in_string(); }

  void on_text(std::string_view text) override {
    if (state_ != State::call) {
      show(state_ == State::thinking ? Event::Kind::thinking : Event::Kind::content, text);
      return;
    }
    const std::string_view rest = text.substr(call_.push(text));
    if (call_.named()) {
      if (!call_open()) begin_call(call_.name(), {});
      if (const std::string fresh = call_.take_arguments(); !fresh.empty()) add_arguments(fresh);
    }
    if (rest.empty()) return;
    if (call_.failed() && call_open()) {
      add_arguments(rest);  // broken; the raw text is kept
    } else {
      after_ += rest;
    }
  }

  void on_marker(std::string_view marker) override {
    if (marker == end_tokens[0]) {
      end_turn();
    } else if (marker == call_begin) {
      finish_call(/*closed=*/false);
      end_text();
      call_ = {};
      state_ = State::call;
    } else if (marker == call_end) {
      finish_call(/*closed=*/true);
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

  void finish_call(bool closed) {
    if (state_ != State::call) return;
    state_ = State::content;
    if (!call_open()) {
      // No name in it: no call. The text is not lost.
      show(Event::Kind::content, call_.raw() + std::exchange(after_, {}));
    } else {
      const bool whole = call_.closed() || (!call_.has_arguments() && !call_.failed());
      closed && whole ? close_call() : end_call();
    }
    if (after_.find_first_not_of(" \t\r\n") != std::string::npos) {
      show(Event::Kind::content, after_);
    }
    after_.clear();
    end_text();
  }

  State state_;
  JsonCall call_;
  std::string after_;  // text after the object, or after what made it none
};

}  // namespace

std::unique_ptr<OutputParser> make_hermes_parser(ParserOptions options) {
  return std::make_unique<HermesParser>(std::move(options));
}

}  // namespace hearth::chat
