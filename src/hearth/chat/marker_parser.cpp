#include "hearth/chat/marker_parser.h"

#include <algorithm>

#include "hearth/base/utf8.h"

namespace hearth::chat {
namespace {

bool contains(std::span<const std::string_view> list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

std::string TextSink::push(std::string_view text) {
  pending_ += text;
  if (after_boundary_) {
    pending_.erase(0, std::min(pending_.size(), pending_.find_first_not_of('\n')));
    if (pending_.empty()) return {};
    after_boundary_ = false;
  }
  std::size_t ready = complete_utf8_prefix(pending_);
  if (trims_newlines_) {
    while (ready > 0 && pending_[ready - 1] == '\n') --ready;
  }
  std::string out = replace_invalid_utf8(std::string_view(pending_).substr(0, ready));
  pending_.erase(0, ready);
  return out;
}

std::string TextSink::boundary() {
  if (trims_newlines_) {
    while (!pending_.empty() && pending_.back() == '\n') pending_.pop_back();
  }
  std::string out = finish();
  after_boundary_ = trims_newlines_;
  return out;
}

std::string TextSink::finish() {
  std::string out = replace_invalid_utf8(pending_);
  pending_.clear();
  return out;
}

void MarkerParser::on_piece(std::string_view piece, PieceKind kind) {
  if (ended_) return;
  if (kind == PieceKind::added || kind == PieceKind::control) {
    drain(PieceKind::text, /*all=*/true);
    if (!ended_) on_token(piece, kind);
    return;
  }
  buffer_ += piece;
  drain(kind, /*all=*/false);
}

void MarkerParser::on_token(std::string_view piece, PieceKind kind) {
  if (kind == PieceKind::control && contains(end_tokens_, piece)) {
    end_turn();
  } else if (accepts_markers() && contains(active(), piece)) {
    on_marker(piece);
  } else if (keeps_control() || kind == PieceKind::added) {
    on_text(piece);
  }
}

bool MarkerParser::found_by_spelling(std::string_view marker, PieceKind kind) const {
  return kind == PieceKind::bytes ||
         std::find(options_.token_markers.begin(), options_.token_markers.end(), marker) ==
             options_.token_markers.end();
}

// Takes the earliest marker and the text before it; false when the buffer holds no whole marker.
bool MarkerParser::step(PieceKind kind) {
  std::size_t at = std::string::npos;
  std::string_view marker;
  for (const std::string_view candidate : active()) {
    if (!found_by_spelling(candidate, kind)) continue;
    const std::size_t found = buffer_.find(candidate);
    if (found < at) {
      at = found;
      marker = candidate;
    }
  }
  if (at == std::string::npos) return false;
  const std::string before = buffer_.substr(0, at);
  buffer_.erase(0, at + marker.size());
  if (!before.empty()) on_text(before);
  if (accepts_markers()) {
    on_marker(marker);
  } else {
    on_text(marker);
  }
  return true;
}

// Length of the longest end of the buffer that may become a marker.
std::size_t MarkerParser::held_back(PieceKind kind) const {
  std::size_t longest = 0;
  for (const std::string_view marker : active()) {
    if (!found_by_spelling(marker, kind)) continue;
    for (std::size_t n = std::min(buffer_.size(), marker.size() - 1); n > longest; --n) {
      if (std::string_view(buffer_).ends_with(marker.substr(0, n))) longest = n;
    }
  }
  return longest;
}

void MarkerParser::drain(PieceKind kind, bool all) {
  while (!ended_ && step(kind)) {
  }
  if (ended_) buffer_.clear();
  const std::size_t ready = buffer_.size() - (all ? 0 : held_back(kind));
  if (ready == 0) return;
  const std::string text = buffer_.substr(0, ready);
  buffer_.erase(0, ready);
  on_text(text);
}

void MarkerParser::on_finish(bool cut_off) {
  if (!ended_) {
    drain(PieceKind::bytes, /*all=*/true);
    end_turn();
  }
  emit({.kind = Event::Kind::finish, .text = {}, .name = {}, .complete = !cut_off});
}

void MarkerParser::end_turn() {
  if (ended_) return;
  on_end();
  if (call_open_) end_call();
  if (std::string rest = text_.finish(); !rest.empty()) {
    emit({.kind = shown_, .text = std::move(rest), .name = {}});
  }
  ended_ = true;
}

void MarkerParser::show(Event::Kind kind, std::string_view text) {
  if (kind != shown_) end_text();
  shown_ = kind;
  if (std::string ready = text_.push(text); !ready.empty()) {
    emit({.kind = kind, .text = std::move(ready), .name = {}});
  }
}

void MarkerParser::end_text() {
  if (std::string rest = text_.boundary(); !rest.empty()) {
    emit({.kind = shown_, .text = std::move(rest), .name = {}});
  }
}

void MarkerParser::begin_call(std::string name, std::string_view id) {
  if (call_open_) end_call();
  end_text();
  call_open_ = true;
  arguments_.clear();
  emit({.kind = Event::Kind::call_begin,
        .text = replace_invalid_utf8(id),
        .name = replace_invalid_utf8(name)});
}

void MarkerParser::add_arguments(std::string_view bytes) {
  arguments_ += bytes;
  if (std::string ready = argument_sink_.push(bytes); !ready.empty()) {
    emit({.kind = Event::Kind::call_arguments, .text = std::move(ready), .name = {}});
  }
}

void MarkerParser::close_call() {
  if (!call_open_) return;
  if (arguments_.empty()) add_arguments("{}");  // a call without arguments, spelled out
  closed_ = true;
  end_call();
}

void MarkerParser::end_call() {
  if (std::string rest = argument_sink_.finish(); !rest.empty()) {
    emit({.kind = Event::Kind::call_arguments, .text = std::move(rest), .name = {}});
  }
  std::string arguments = replace_invalid_utf8(arguments_);
  const auto parsed = parse_json(arguments);
  const bool valid = parsed.has_value() && parsed->is_object();
  emit({.kind = Event::Kind::call_end,
        .text = std::move(arguments),
        .name = {},
        .complete = valid || closed_,
        .valid_json = valid});
  closed_ = false;
  call_open_ = false;
}

}  // namespace hearth::chat
