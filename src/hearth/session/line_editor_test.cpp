#include "hearth/session/line_editor.h"

#include <gtest/gtest.h>

#include "hearth/base/random.h"
#include "hearth/base/utf8.h"

namespace hearth::session {
namespace {

using Step = LineEditor::Step;

// The text with '|' where the cursor is.
std::string typed(std::string_view keys, std::string initial = {}, std::vector<std::string> history = {}) {
  LineEditor editor(std::move(initial), std::move(history));
  for (const char key : keys) EXPECT_EQ(editor.take(key), Step::more) << keys;
  std::string out = editor.text();
  out.insert(editor.cursor(), "|");
  return out;
}

TEST(LineEditor, KeysDoWhatTheyDoInAShell) {
  struct Case {
    std::string_view keys;
    std::string_view text;
  };
  const Case cases[] = {
      {"abc", "abc|"},
      {"ab\x7f", "a|"},
      {"abc\x02\x02X", "aX|bc"},
      {"abc\x01X\x05Y", "XabcY|"},
      {"grün\x7f\x7f", "gr|"},
      {"one two\x17", "one |"},
      {"one two\x15", "|"},
      {"one\x01\x0b\x19\x19", "oneone|"},
      {"abc\x1b[D\x1b[3~", "ab|"},
      {"abc\x1b[H\x1b[C", "a|bc"},
      {"a b c\x1b" "b\x1b" "b", "a |b c"},
      {"a\x1b\rb", "a\nb|"},
      {"\x1b[200~a\rb\x03\x1b[201~c", "a\nbc|"},
      {"a\x1b[99;99;99;99;99;99zb", "a99zb|"},
      {"\xff\xfe" "a", "a|"},
  };
  for (const Case& c : cases) EXPECT_EQ(typed(c.keys), c.text) << c.keys;
}

TEST(LineEditor, EnterEndsUnlessABackslashGoesOn) {
  LineEditor editor;
  for (const char key : std::string_view("a\\")) editor.take(key);
  EXPECT_EQ(editor.take('\r'), Step::more);
  EXPECT_EQ(editor.text(), "a\n");
  editor.take('b');
  EXPECT_EQ(editor.take('\r'), Step::done);
  EXPECT_EQ(editor.text(), "a\nb");
  EXPECT_EQ(LineEditor().take('\x03'), Step::cancelled);
  EXPECT_EQ(LineEditor().take('\x04'), Step::ended);
  EXPECT_EQ(LineEditor("a").take('\x04'), Step::more);
}

TEST(LineEditor, UpAndDownGoThroughHistoryAndKeepWhatWasBeingWritten) {
  EXPECT_EQ(typed("new\x1b[A", "", {"first", "second"}), "second|");
  EXPECT_EQ(typed("new\x1b[A\x1b[A\x1b[A", "", {"first", "second"}), "first|");
  EXPECT_EQ(typed("new\x1b[A\x1b[B\x1b[B", "", {"first", "second"}), "new|");
}

TEST(LineEditor, WhateverIsTypedStaysText) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    LineEditor editor("grüße 👍", {"a", "日本"});
    for (int i = 0; i < 200; ++i) {
      const std::string_view keys[] = {"\x1b[A", "\x1b[D", "\x7f", "\x17", "ü", "日", "\x1b", "[", "\x0b", "\x19", "\x1b[200~", "\x1b[201~"};
      if (random.chance(0.3)) editor.take(static_cast<char>(random.below(256)));
      else for (const char key : keys[random.below(std::size(keys))]) editor.take(key);
      ASSERT_TRUE(is_valid_utf8(editor.text()));
      ASSERT_LE(editor.cursor(), editor.text().size());
      const EditView view = lay_out("> ", editor.text(), editor.cursor(), 1 + random.below(40));
      ASSERT_LT(view.cursor_row, view.rows);
    }
  }
}

TEST(EditViews, WrapAtTheEdgeAndAtNewlines) {
  EditView view = lay_out("> ", "abcdef", 6, 5);
  EXPECT_EQ(view.output, "> abc\r\ndef");
  EXPECT_EQ(view.rows, 2U);
  EXPECT_EQ(view.cursor_row, 1U);
  EXPECT_EQ(view.cursor_column, 3U);
  view = lay_out("> ", "a\nb", 1, 80);
  EXPECT_EQ(view.output, "> a\r\nb");
  EXPECT_EQ(view.cursor_row, 0U);
  EXPECT_EQ(view.cursor_column, 3U);
  view = lay_out("> ", "日本", 0, 5);  // the second one does not fit beside the first
  EXPECT_EQ(view.output, "> 日\r\n本");
  EXPECT_EQ(lay_out("", "abc", 3, 3).rows, 2U);
}

}  // namespace
}  // namespace hearth::session
