#include "hearth/chat/output_parser.h"

#include <utility>

namespace hearth::chat {
namespace {

bool is_delta(Event::Kind kind) {
  return kind == Event::Kind::thinking || kind == Event::Kind::content ||
         kind == Event::Kind::call_arguments;
}

}  // namespace

std::vector<Event> join_deltas(std::vector<Event> events) {
  std::vector<Event> out;
  for (Event& event : events) {
    if (!out.empty() && is_delta(event.kind) && out.back().kind == event.kind) {
      out.back().text += event.text;
    } else {
      out.push_back(std::move(event));
    }
  }
  return out;
}

std::vector<Event> OutputParser::push(std::string_view piece, PieceKind kind) {
  on_piece(piece, kind);
  return std::exchange(events_, {});
}

std::vector<Event> OutputParser::finish(bool cut_off) {
  on_finish(cut_off);
  return std::exchange(events_, {});
}

}  // namespace hearth::chat
