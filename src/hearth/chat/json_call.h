#pragma once
// Reads {"name": "x", "arguments": {...}} as it is written, letting the arguments through.
// Internal to chat.

#include <cstdint>
#include <string>
#include <string_view>

#include "hearth/chat/json_tracker.h"

namespace hearth::chat {

class JsonCall {
 public:
  // Takes bytes up to the end of the object, or to the first that cannot be; returns how many.
  std::size_t push(std::string_view text);

  bool in_string() const { return state_ == State::key || tracker_.in_string(); }
  bool closed() const { return state_ == State::closed; }
  // Cannot be a call: not an object, or an object with another first key.
  bool failed() const { return state_ == State::failed; }
  bool named() const { return named_; }
  const std::string& name() const { return name_; }
  bool has_arguments() const { return has_arguments_; }
  // Bytes of the arguments that came since the last time.
  std::string take_arguments();
  const std::string& raw() const { return raw_; }

 private:
  enum class State : std::uint8_t {
    before_object, before_key, key, before_colon, before_value, value, after_value, closed, failed
  };
  enum class Kind : std::uint8_t { text, container, scalar };

  void take(char c);
  void start_value(char c);
  void take_value(char c);
  void end_value();
  bool streams() const { return is_arguments() && kind_ == Kind::container; }
  bool is_arguments() const { return key_ == "arguments" || key_ == "parameters"; }

  State state_ = State::before_object;
  Kind kind_ = Kind::text;
  JsonTracker tracker_;
  bool key_escaped_ = false;
  bool first_key_ = true;
  bool named_ = false;
  bool has_arguments_ = false;
  std::string key_;
  std::string value_;
  std::string name_;
  std::string fresh_;
  std::string raw_;
};

}  // namespace hearth::chat
