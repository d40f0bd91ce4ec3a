#include "hearth/chat/llama3_parser.h"

#include <array>

#include "hearth/chat/json_call.h"
#include "hearth/chat/marker_parser.h"

namespace hearth::chat {
namespace {

constexpr std::array<std::string_view, 3> end_tokens = {"<|eot_id|>", "<|eom_id|>",
                                                        "<|end_of_text|>"};
constexpr std::array<std::string_view, 4> all_active = {"<|eot_id|>", "<|eom_id|>",
                                                        "<|end_of_text|>", "<|python_tag|>"};

class Llama3Parser final : public MarkerParser {
 public:
  explicit Llama3Parser(ParserOptions options)
      : MarkerParser(std::move(options), end_tokens, /*trims_newlines=*/false),
        state_(this->options().tools.empty() ? State::content : State::start) {}

 private:
  // start: nothing but blanks so far. call: maybe one. between: after a call.
  enum class State : std::uint8_t { start, call, between, content };

  std::span<const std::string_view> active() const override { return all_active; }
  bool accepts_markers() const override { return state_ != State::call || !call_.in_string(); }

  void on_text(std::string_view text) override {
    while (!text.empty()) {
      switch (state_) {
        case State::content: show(Event::Kind::content, text); return;
        case State::start:
        case State::between: text.remove_prefix(skip(text)); break;
        case State::call: text.remove_prefix(feed(text)); break;
      }
    }
  }

  // Blanks, and the semicolon that stands between calls; decides what begins after them.
  std::size_t skip(std::string_view text) {
    const std::size_t end = text.find_first_not_of(state_ == State::start ? " \t\r\n" : " \t\r\n;");
    skipped_ += text.substr(0, end);
    if (end == std::string_view::npos) return text.size();
    if (text[end] == '{') {
      call_ = {};
      state_ = State::call;
    } else {
      give_up({});
    }
    return end;
  }

  std::size_t feed(std::string_view text) {
    const std::size_t taken = call_.push(text);
    if (!call_open() && call_.named() && call_.has_arguments()) {
      skipped_.clear();
      begin_call(call_.name(), {});
    }
    if (call_open()) {
      if (const std::string fresh = call_.take_arguments(); !fresh.empty()) add_arguments(fresh);
    }
    if (call_.closed() && call_open()) {
      close_call();
      state_ = State::between;
    } else if (call_.failed() && call_open()) {
      end_call();
      state_ = State::between;
    } else if (call_.closed() || call_.failed()) {
      give_up(call_.raw());
    }
    return taken;
  }

  // Not a call after all.
  void give_up(std::string_view text) {
    state_ = State::content;
    if (!skipped_.empty()) show(Event::Kind::content, skipped_);
    skipped_.clear();
    if (!text.empty()) show(Event::Kind::content, text);
  }

  void on_marker(std::string_view marker) override {
    if (marker != all_active.back()) end_turn();  // the tag itself says nothing
  }

  void on_end() override {
    if (call_open()) {
      end_call();
    } else if (state_ == State::call) {
      give_up(call_.raw());
    } else if (state_ == State::start && !skipped_.empty()) {
      give_up({});
    }
  }

  State state_;
  JsonCall call_;
  std::string skipped_;
};

}  // namespace

std::unique_ptr<OutputParser> make_llama3_parser(ParserOptions options) {
  return std::make_unique<Llama3Parser>(std::move(options));
}

}  // namespace hearth::chat
