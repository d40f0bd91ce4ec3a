#include "hearth/engine/text_assembler.h"

#include <gtest/gtest.h>

namespace hearth::engine {
namespace {

std::string feed(TextAssembler& assembler, std::string_view text, std::size_t piece_bytes) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    out += assembler.add(text.substr(at, piece_bytes));
  }
  return out + assembler.finish();
}

TEST(TextAssembler, NeverShowsHalfACharacter) {
  TextAssembler assembler({});
  EXPECT_EQ(assembler.add("a\xE2"), "a");
  EXPECT_EQ(assembler.add("\x82"), "");
  EXPECT_EQ(assembler.add("\xAC!"), "\xE2\x82\xAC!");
}

TEST(TextAssembler, GivesTheRestAtTheEnd) {
  TextAssembler assembler({"STOP"});
  EXPECT_EQ(assembler.add("go ST"), "go ");
  EXPECT_EQ(assembler.finish(), "ST");
}

TEST(TextAssembler, StopsTheSameWayHoweverTheTextIsCut) {
  const std::string text = "one STO two ##END three";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    TextAssembler assembler({"STOP", "##END", "#END"});
    EXPECT_EQ(feed(assembler, text, piece), "one STO two ") << piece;
    EXPECT_TRUE(assembler.stopped());
    EXPECT_EQ(assembler.stop_string(), "##END");
  }
}

TEST(TextAssembler, HoldsBackOverlappingBeginnings) {
  TextAssembler assembler({"aab"});
  EXPECT_EQ(assembler.add("aaa"), "a");
  EXPECT_EQ(assembler.add("b"), "");
  EXPECT_TRUE(assembler.stopped());
}

}  // namespace
}  // namespace hearth::engine
