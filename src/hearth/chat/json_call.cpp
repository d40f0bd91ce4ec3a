#include "hearth/chat/json_call.h"

#include <algorithm>
#include <array>
#include <utility>

#include "hearth/base/json.h"

namespace hearth::chat {
namespace {

constexpr std::array<std::string_view, 6> call_keys = {"name",       "type", "function",
                                                       "parameters", "arguments", "id"};

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

std::size_t JsonCall::push(std::string_view text) {
  std::size_t taken = 0;
  while (taken < text.size() && state_ != State::closed && state_ != State::failed) {
    take(text[taken]);
    if (state_ == State::failed) break;
    raw_ += text[taken];
    ++taken;
  }
  return taken;
}

std::string JsonCall::take_arguments() { return std::exchange(fresh_, {}); }

void JsonCall::take(char c) {
  switch (state_) {
    case State::before_object:
      if (!blank(c)) state_ = c == '{' ? State::before_key : State::failed;
      return;
    case State::before_key:
      if (c == '"') {
        key_.clear();
        state_ = State::key;
      } else if (c == '}') {
        state_ = State::closed;
      } else if (!blank(c) && c != ',') {
        state_ = State::failed;
      }
      return;
    case State::key:
      if (!key_escaped_ && c == '"') {
        const bool known = std::find(call_keys.begin(), call_keys.end(), key_) != call_keys.end();
        state_ = first_key_ && !known ? State::failed : State::before_colon;
        first_key_ = false;
        return;
      }
      key_escaped_ = !key_escaped_ && c == '\\';
      key_ += c;
      return;
    case State::before_colon:
      if (!blank(c)) state_ = c == ':' ? State::before_value : State::failed;
      return;
    case State::before_value:
      if (!blank(c)) start_value(c);
      return;
    case State::value: take_value(c); return;
    case State::after_value:
      if (c == ',') {
        state_ = State::before_key;
      } else if (c == '}') {
        state_ = State::closed;
      } else if (!blank(c)) {
        state_ = State::failed;
      }
      return;
    case State::closed:
    case State::failed: return;
  }
}

void JsonCall::start_value(char c) {
  value_.clear();
  tracker_ = {};
  kind_ = c == '"' ? Kind::text : (c == '{' || c == '[') ? Kind::container : Kind::scalar;
  state_ = State::value;
  take_value(c);
}

void JsonCall::take_value(char c) {
  if (kind_ == Kind::scalar && (c == ',' || c == '}' || blank(c))) {
    end_value();
    take(c);
    return;
  }
  value_ += c;
  tracker_.push(c);
  if (streams()) {
    has_arguments_ = true;
    fresh_ += c;
  }
  const bool done = kind_ == Kind::container
                        ? tracker_.closed()
                        : kind_ == Kind::text && value_.size() > 1 && !tracker_.in_string();
  if (done) end_value();
}

void JsonCall::end_value() {
  state_ = State::after_value;
  if (is_arguments() && kind_ != Kind::container) {
    // Some models put the arguments into a string.
    const auto text = parse_json(value_);
    has_arguments_ = true;
    fresh_ += text && text->is_string() ? text->as_string() : value_;
  } else if ((key_ == "name" || key_ == "function") && kind_ == Kind::text) {
    if (const auto text = parse_json(value_); text && text->is_string()) {
      name_ = text->as_string();
      named_ = true;
    }
  }
}

}  // namespace hearth::chat
