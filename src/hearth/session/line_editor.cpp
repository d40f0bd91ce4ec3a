#include "hearth/session/line_editor.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "hearth/base/utf8.h"

namespace hearth::session {
namespace {

constexpr char escape = '\x1b';
constexpr std::size_t sequence_bytes_max = 16;

constexpr char ctrl(char letter) { return static_cast<char>(letter - 'A' + 1); }

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::size_t character_bytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xF0) return 4;
  return first >= 0xE0 ? 3 : 2;
}

char32_t character_at(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t bytes = std::min(character_bytes(first), text.size() - at);
  if (bytes == 1) return first;
  char32_t out = first & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) out = (out << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
  return out;
}

struct Range {
  char32_t first, last;
};
// Unicode 15: marks that sit on the character before, joiners, and what is drawn two columns wide.
constexpr std::array<Range, 8> no_columns = {{{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x064B, 0x065F},
                                              {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0x1F3FB, 0x1F3FF}}};
constexpr std::array<Range, 11> two_columns = {{{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xAC00, 0xD7A3},
                                                {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6},
                                                {0x1F300, 0x1F64F}, {0x1F680, 0x1FAFF}, {0x20000, 0x3FFFD}}};

}  // namespace

int columns_of(char32_t character) {
  const auto inside = [character](const Range& range) { return character >= range.first && character <= range.last; };
  if (std::ranges::any_of(no_columns, inside)) return 0;
  return std::ranges::any_of(two_columns, inside) ? 2 : 1;
}

LineEditor::LineEditor(std::string initial, std::vector<std::string> history)
    : text_(std::move(initial)), cursor_(text_.size()), history_(std::move(history)), history_at_(history_.size()) {
  history_.push_back(text_);
}

LineEditor::Step LineEditor::take(char byte) {
  if (!escape_.empty()) {
    escape_ += byte;
    const bool introduces = escape_.size() == 2 && (byte == '[' || byte == 'O');
    const bool ends = escape_.size() > 2 ? (byte >= '@' && byte <= '~') : !introduces;
    if (ends) sequence();
    else if (escape_.size() > sequence_bytes_max) escape_.clear();
    return Step::more;
  }
  if (byte == escape) {
    escape_ = byte;
    return Step::more;
  }
  const auto value = static_cast<unsigned char>(byte);
  if (pasting_ && byte == '\r') {
    insert("\n");
    return Step::more;
  }
  if ((value < 0x20 || value == 0x7F) && !(pasting_ && (byte == '\n' || byte == '\t'))) {
    return pasting_ ? Step::more : control(value);
  }
  if (value < 0x80) {
    character_.clear();
    insert(std::string_view(&byte, 1));
    return Step::more;
  }
  if (!continues(byte)) character_.clear();
  character_ += byte;
  if (character_.size() >= character_bytes(static_cast<unsigned char>(character_[0]))) {
    if (is_valid_utf8(character_)) insert(character_);
    character_.clear();
  }
  return Step::more;
}

LineEditor::Step LineEditor::control(unsigned char byte) {
  switch (static_cast<char>(byte)) {
    case '\r':
    case '\n':
      if (!text_.ends_with('\\')) return Step::done;
      text_.back() = '\n';
      cursor_ = text_.size();
      break;
    case ctrl('C'): return Step::cancelled;
    case ctrl('D'):
      if (text_.empty()) return Step::ended;
      erase(cursor_, after(cursor_));
      break;
    case ctrl('L'): return Step::clear_screen;
    case ctrl('A'): cursor_ = line_begin(); break;
    case ctrl('E'): cursor_ = line_end(); break;
    case ctrl('B'): cursor_ = before(cursor_); break;
    case ctrl('F'): cursor_ = after(cursor_); break;
    case ctrl('P'): show_history(history_at_ - (history_at_ > 0 ? 1 : 0)); break;
    case ctrl('N'): show_history(std::min(history_at_ + 1, history_.size() - 1)); break;
    case ctrl('H'):
    case '\x7f': erase(before(cursor_), cursor_); break;
    case ctrl('K'): killed_ = text_.substr(cursor_, line_end() - cursor_); erase(cursor_, line_end()); break;
    case ctrl('U'): killed_ = text_.substr(line_begin(), cursor_ - line_begin()); erase(line_begin(), cursor_); break;
    case ctrl('W'): killed_ = text_.substr(word_before(cursor_), cursor_ - word_before(cursor_)); erase(word_before(cursor_), cursor_); break;
    case ctrl('Y'): insert(killed_); break;
    default: break;
  }
  return Step::more;
}

void LineEditor::sequence() {
  const std::string keys = std::exchange(escape_, {}).substr(1);
  if (keys == "[200~") pasting_ = true;
  else if (keys == "[201~") pasting_ = false;
  else if (keys == "\r" || keys == "\n") insert("\n");  // Alt-Enter
  else if (keys == "[A" || keys == "OA") show_history(history_at_ - (history_at_ > 0 ? 1 : 0));
  else if (keys == "[B" || keys == "OB") show_history(std::min(history_at_ + 1, history_.size() - 1));
  else if (keys == "[C" || keys == "OC") cursor_ = after(cursor_);
  else if (keys == "[D" || keys == "OD") cursor_ = before(cursor_);
  else if (keys == "[H" || keys == "OH" || keys == "[1~") cursor_ = line_begin();
  else if (keys == "[F" || keys == "OF" || keys == "[4~") cursor_ = line_end();
  else if (keys == "[3~") erase(cursor_, after(cursor_));
  else if (keys == "b" || keys == "[1;5D") cursor_ = word_before(cursor_);
  else if (keys == "f" || keys == "[1;5C") cursor_ = word_after(cursor_);
  else if (keys == "\x7f") erase(word_before(cursor_), cursor_);
  else if (keys == "d") erase(cursor_, word_after(cursor_));
}

void LineEditor::insert(std::string_view bytes) {
  if (text_.size() + bytes.size() > edited_bytes_max) return;
  text_.insert(cursor_, bytes);
  cursor_ += bytes.size();
}

void LineEditor::erase(std::size_t begin, std::size_t end) {
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

void LineEditor::show_history(std::size_t at) {
  history_[history_at_] = text_;
  history_at_ = at;
  text_ = history_[at];
  cursor_ = text_.size();
}

std::size_t LineEditor::before(std::size_t at) const {
  if (at > 0) --at;
  while (at > 0 && continues(text_[at])) --at;
  return at;
}

std::size_t LineEditor::after(std::size_t at) const {
  if (at < text_.size()) ++at;
  while (at < text_.size() && continues(text_[at])) ++at;
  return at;
}

std::size_t LineEditor::word_before(std::size_t at) const {
  while (at > 0 && text_[at - 1] == ' ') --at;
  while (at > 0 && text_[at - 1] != ' ' && text_[at - 1] != '\n') --at;
  return at;
}

std::size_t LineEditor::word_after(std::size_t at) const {
  while (at < text_.size() && text_[at] == ' ') ++at;
  while (at < text_.size() && text_[at] != ' ' && text_[at] != '\n') ++at;
  return at;
}

std::size_t LineEditor::line_begin() const {
  const std::size_t newline = cursor_ == 0 ? std::string::npos : text_.rfind('\n', cursor_ - 1);
  return newline == std::string::npos ? 0 : newline + 1;
}

std::size_t LineEditor::line_end() const { return std::min(text_.find('\n', cursor_), text_.size()); }

EditView lay_out(std::string_view prompt, std::string_view text, std::size_t cursor, std::size_t width) {
  EditView out;
  std::size_t row = 0;
  std::size_t column = 0;
  width = std::max<std::size_t>(width, 2);
  const auto new_row = [&] {
    out.output += "\r\n";
    ++row;
    column = 0;
  };
  const auto put = [&](std::string_view part, std::size_t offset) {
    for (std::size_t at = 0; at < part.size();) {
      if (offset + at == cursor) {
        out.cursor_row = row;
        out.cursor_column = column;
      }
      const std::size_t bytes = std::min(character_bytes(static_cast<unsigned char>(part[at])), part.size() - at);
      const char32_t character = character_at(part, at);
      if (character == '\n') {
        new_row();
      } else {
        const auto columns = static_cast<std::size_t>(columns_of(character));
        if (column + columns > width) new_row();
        if (character == '\t') out.output += ' ';
        else out.output += part.substr(at, bytes);
        column += columns;
      }
      at += bytes;
    }
  };
  constexpr std::size_t nowhere = static_cast<std::size_t>(1) << 60;
  put(prompt, nowhere);
  put(text, 0);
  if (column == width) new_row();
  if (cursor >= text.size()) {
    out.cursor_row = row;
    out.cursor_column = column;
  }
  out.rows = row + 1;
  return out;
}

}  // namespace hearth::session
