#pragma once
// Turns what a model writes into events, while it writes. However the output is cut into pieces,
// the events are the same once neighbouring deltas are joined (join_deltas). Texts of events are
// whole UTF-8 characters; bytes that are none become U+FFFD. A parser never fails: what cannot be
// understood is passed on as text or as a call marked broken. One parser per answer, one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/chat/message.h"

namespace hearth::chat {

// Where a piece of output comes from. With `bytes` markers are found by their spelling. When
// tokens are known, a marker that is one token of the vocabulary counts only as that token: a
// model that quotes it, or a user who wrote it, cannot open a call.
enum class PieceKind : std::uint8_t {
  bytes,    // unknown: raw output in any split
  text,     // an ordinary token
  added,    // a user-defined token of the vocabulary
  control,  // a control token; never shown as text
};

struct ParserOptions {
  std::vector<Tool> tools;     // for formats whose arguments need types; calls are off when empty
  bool thinking_open = false;  // Rendering::thinking_open
  // Markers of the format that are single tokens of this vocabulary.
  std::vector<std::string> token_markers;
};

struct Event {
  enum class Kind : std::uint8_t {
    thinking,        // text: a piece of reasoning
    content,         // text: a piece of the answer
    call_begin,      // name; text: the id as the model wrote it, may be empty
    call_arguments,  // text: a piece of the arguments
    call_end,        // text: all arguments; complete, valid_json
    finish,          // complete: the turn was ended by the model, not by a limit
  };
  Kind kind = Kind::content;
  std::string text;
  std::string name;
  bool complete = true;    // call_end: the model closed the call
  bool valid_json = true;  // call_end: the arguments are a JSON object

  bool operator==(const Event&) const = default;
};

std::vector<Event> join_deltas(std::vector<Event> events);

class OutputParser {
 public:
  virtual ~OutputParser() = default;
  std::vector<Event> push(std::string_view piece, PieceKind kind = PieceKind::bytes);
  // Ends the answer; `cut_off`: by the token limit or a cancellation. Nothing may follow.
  std::vector<Event> finish(bool cut_off);

 protected:
  virtual void on_piece(std::string_view piece, PieceKind kind) = 0;
  virtual void on_finish(bool cut_off) = 0;
  void emit(Event event) { events_.push_back(std::move(event)); }

 private:
  std::vector<Event> events_;
};

}  // namespace hearth::chat
