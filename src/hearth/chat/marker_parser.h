#pragma once
// The base of all output parsers: finds markers in the output, whether they come as tokens, in one
// piece or torn apart, and writes deltas of whole characters. Internal to chat.

#include <span>

#include "hearth/chat/output_parser.h"

namespace hearth::chat {

// Collects bytes of one kind of delta and releases whole UTF-8 characters. With `trims_newlines`,
// newlines next to a boundary (thinking block, call) belong to the markup and are dropped.
class TextSink {
 public:
  explicit TextSink(bool trims_newlines) : trims_newlines_(trims_newlines) {}

  // What may be emitted now.
  std::string push(std::string_view text);
  // A marker follows: the rest, without trailing newlines if those are trimmed.
  std::string boundary();
  // The answer ends: the rest.
  std::string finish();

 private:
  std::string pending_;
  bool trims_newlines_;
  bool after_boundary_ = false;
};

class MarkerParser : public OutputParser {
 protected:
  MarkerParser(ParserOptions options, std::span<const std::string_view> end_tokens,
               bool trims_newlines)
      : options_(std::move(options)), text_(trims_newlines), end_tokens_(end_tokens) {}

  // The markers that mean something in the present state; none begins inside another.
  virtual std::span<const std::string_view> active() const = 0;
  // False where a marker is only text, such as inside a JSON string.
  virtual bool accepts_markers() const { return true; }
  // Tokens that are no markers of this state are text, not noise.
  virtual bool keeps_control() const { return !accepts_markers(); }
  virtual void on_text(std::string_view text) = 0;
  virtual void on_marker(std::string_view marker) = 0;
  virtual void on_end() = 0;  // close what is open

  void end_turn();
  bool ended() const { return ended_; }
  const ParserOptions& options() const { return options_; }

  // Thinking or content, and what ends either.
  void show(Event::Kind kind, std::string_view text);
  void end_text();

  // One call at a time. The arguments of `call_end` are what was passed to `add_arguments`.
  void begin_call(std::string name, std::string_view id);
  void add_arguments(std::string_view bytes);
  void close_call();  // the model closed it
  void end_call();    // something else did
  bool call_open() const { return call_open_; }

 private:
  void on_piece(std::string_view piece, PieceKind kind) final;
  void on_finish(bool cut_off) final;
  void on_token(std::string_view piece, PieceKind kind);
  void drain(PieceKind kind, bool all);
  bool found_by_spelling(std::string_view marker, PieceKind kind) const;
  bool step(PieceKind kind);
  std::size_t held_back(PieceKind kind) const;

  ParserOptions options_;
  TextSink text_;
  TextSink argument_sink_{false};
  std::span<const std::string_view> end_tokens_;
  std::string buffer_;  // not yet understood: may be the beginning of a marker
  std::string arguments_;
  Event::Kind shown_ = Event::Kind::content;
  bool call_open_ = false;
  bool closed_ = false;
  bool ended_ = false;
};

}  // namespace hearth::chat
