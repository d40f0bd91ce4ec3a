#pragma once
// Editing a line (or more) of text in a terminal: bytes of keys in, text and cursor out, and where
// both are on a screen of a width. The keys are those of readline's basic set, UTF-8 and bracketed
// paste included. Pure; the terminal itself is the caller's.

#include <string>
#include <string_view>
#include <vector>

namespace hearth::session {

inline constexpr std::size_t edited_bytes_max = 1u << 20;

class LineEditor {
 public:
  enum class Step : std::uint8_t {
    more,       // nothing to do but show the text
    done,       // Enter
    cancelled,  // Ctrl-C
    ended,      // Ctrl-D on an empty line
    clear_screen,
  };

  // `history`: the oldest first; up and down go through it.
  explicit LineEditor(std::string initial = {}, std::vector<std::string> history = {});
  Step take(char byte);
  const std::string& text() const { return text_; }
  std::size_t cursor() const { return cursor_; }  // in bytes, between characters

 private:
  Step control(unsigned char byte);
  void sequence();  // escape_ is complete
  void insert(std::string_view bytes);
  void erase(std::size_t begin, std::size_t end);
  void show_history(std::size_t at);
  std::size_t before(std::size_t at) const;
  std::size_t after(std::size_t at) const;
  std::size_t word_before(std::size_t at) const;
  std::size_t word_after(std::size_t at) const;
  std::size_t line_begin() const;
  std::size_t line_end() const;

  std::string text_;
  std::size_t cursor_ = 0;
  std::string escape_;       // what began with ESC and is not complete
  std::string character_;    // likewise of UTF-8
  bool pasting_ = false;
  std::string killed_;
  std::vector<std::string> history_;  // the last one is what is being written
  std::size_t history_at_ = 0;
};

// Text after a prompt on a screen `width` columns wide, wrapped at the edge and at newlines.
struct EditView {
  std::string output;       // rows joined by "\r\n"
  std::size_t rows = 1;
  std::size_t cursor_row = 0, cursor_column = 0;
};
EditView lay_out(std::string_view prompt, std::string_view text, std::size_t cursor, std::size_t width);

// Columns of a terminal that a character takes: 0, 1 or 2.
int columns_of(char32_t character);

}  // namespace hearth::session
