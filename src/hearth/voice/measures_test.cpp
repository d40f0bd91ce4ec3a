#include "hearth/voice/measures.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/voice/copy_guard.h"
#include "hearth/voice/slop.h"

namespace hearth::voice {
namespace {

TEST(VoiceMeasures, CountWordsSentencesAndParagraphs) {
  const Measures found =
      measure("It was late. Nobody came!\n\nDon't ask -- I won't tell; really...\n");
  EXPECT_EQ(found.words, 11u);
  EXPECT_EQ(found.sentences, 3u);
  EXPECT_EQ(found.paragraphs, 2u);
  EXPECT_EQ(found.contractions, 2);
  EXPECT_EQ(found.share_of("it"), 1.0 / 11);
  const auto mark = [&](std::string_view name) {
    for (std::size_t i = 0; i < punctuation_marks; ++i) {
      if (punctuation_name(i) == name) return found.punctuation[i];
    }
    return -1.0;
  };
  EXPECT_EQ(mark("--"), 1);
  EXPECT_EQ(mark(";"), 1);
  EXPECT_EQ(mark("..."), 1);
  EXPECT_EQ(mark("."), 1);
  EXPECT_EQ(mark("'"), 0);
}

TEST(VoiceMeasures, TypographyDoesNotMatter) {
  const Measures plain = measure("\"Don't\" -- he said...");
  const Measures curly = measure("\u201CDon\u2019t\u201D \u2014 he said\u2026");
  EXPECT_EQ(plain.word_counts, curly.word_counts);
  EXPECT_EQ(plain.punctuation, curly.punctuation);
}

TEST(VoiceMeasures, VarietyIsOneWithoutRepetitionAndFallsWithIt) {
  EXPECT_EQ(measure("a b c d e").variety, 1);
  EXPECT_EQ(measure("a a a a").variety, 0.25);
  EXPECT_EQ(measure("").variety, 0);
}

TEST(VoiceMeasures, PiecesAreCutAtParagraphsAndLoseNothing) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "one two three four five six seven eight nine ten\n\n";
  const auto pieces = pieces_of(text, 100);
  EXPECT_EQ(pieces.size(), 5u);
  std::size_t words = 0;
  for (const std::string& piece : pieces) words += words_of(piece).size();
  EXPECT_EQ(words, 500u);
  EXPECT_EQ(pieces_of("short", 100).size(), 1u);
  EXPECT_TRUE(pieces_of(" \n\n ", 100).empty());
}

TEST(Slop, IsFoundWhereItIsAndNotInPlainWords) {
  const Slop slop = find_slop(
      "In the realm of ideas we delve. It's not just a tool, it's a testament to the power of "
      "craft.\n\nReady?");
  EXPECT_GT(slop.words, 0);
  EXPECT_GT(slop.phrases, 0);
  EXPECT_GT(slop.contrasts, 0);
  EXPECT_TRUE(slop.closing_question);
  const Slop plain =
      find_slop("We walked down to the river and sat there until it was dark. Then we went home.");
  EXPECT_EQ(plain.words + plain.phrases + plain.contrasts, 0);
  EXPECT_FALSE(plain.closing_question);
}

TEST(Slop, ContrastsAreFoundByTheirPatterns) {
  for (const char* text :
       {"This is not a hammer but a promise.", "It isn't about speed, it's about care.",
        "It is not just a bench. It's a home.", "Less noise, more light.", "No fuss, no frills."}) {
    EXPECT_GT(find_slop(text).contrasts, 0) << text;
  }
  for (const char* text : {"I do not know.", "She did not come. We left.",
                           "He has more than I have.", "There was no bread."}) {
    EXPECT_EQ(find_slop(text).contrasts, 0) << text;
  }
}

TEST(Slop, WhatAWriterSaysIsNotAmongWhatHeNeverSays) {
  const auto never = never_said("I delve, and at the end of the day I sleep.");
  EXPECT_EQ(std::ranges::find(never, "delve"), never.end());
  EXPECT_EQ(std::ranges::find(never, "at the end of the day"), never.end());
  EXPECT_NE(std::ranges::find(never, "tapestry"), never.end());
}

TEST(CopyGuard, FindsTheLongestRunAndItsShare) {
  CopyGuard guard;
  guard.add("letter",
            "The quick brown fox jumps over the lazy dog and runs into the wood before night.");
  guard.add("note", "Something else entirely stands here, with nothing in common.");
  const Copied copied = guard.check(
      "He wrote: the quick brown fox jumps over the lazy dog and runs, and then stopped.");
  EXPECT_EQ(copied.longest_words, 11u);
  EXPECT_EQ(copied.longest, "the quick brown fox jumps over the lazy dog and runs");
  EXPECT_EQ(copied.source, "letter");
  EXPECT_NEAR(copied.share, 4.0 / 9, 1e-12);
  const Copied own = guard.check("A text of quite other words that nobody has written before now.");
  EXPECT_EQ(own.longest_words, 0u);
  EXPECT_EQ(own.share, 0);
}

}  // namespace
}  // namespace hearth::voice
