#include "hearth/eval/blind/blind_map.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hearth::eval {
namespace {

const std::vector<std::string> subjects = {"answer one", "answer two", "duplicate one", "padded one"};

TEST(BlindMap, ComesBackFromItsFile) {
  const BlindMap map = make_blind_map(subjects, "nonce");
  const auto back = parse_blind_map(dump_json(blind_map_json(map)));
  ASSERT_TRUE(back);
  EXPECT_EQ(commitment(*back), commitment(map));
  for (const BlindEntry& entry : map.entries) {
    ASSERT_NE(back->subject_of(entry.id), nullptr);
    EXPECT_EQ(*back->subject_of(entry.id), entry.subject);
  }
  EXPECT_EQ(back->subject_of("0000000000000000"), nullptr);
}

TEST(BlindMap, OneChangedByteBreaksTheCommitment) {
  const BlindMap map = make_blind_map(subjects, "nonce");
  const std::string text = dump_json(blind_map_json(map));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    const auto back = parse_blind_map(changed);
    if (back) {
      EXPECT_NE(commitment(*back), commitment(map)) << i;
    }
  }
}

TEST(BlindMap, TheOrderOfGradingSaysNothing) {
  // Where the first subject lands, over many nonces: everywhere about equally often.
  std::vector<int> places(subjects.size());
  for (int i = 0; i < 4'000; ++i) {
    const BlindMap map = make_blind_map(subjects, std::to_string(i));
    const auto at = std::ranges::find(map.entries, subjects[0], &BlindEntry::subject);
    ++places[static_cast<std::size_t>(at - map.entries.begin())];
  }
  for (const int count : places) EXPECT_NEAR(count, 1'000, 120);
}

TEST(BlindMap, NoncesDiffer) {
  const auto a = secure_nonce(), b = secure_nonce();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->size(), 64u);
  EXPECT_NE(*a, *b);
}

TEST(BlindMap, RefusesWhatIsNone) {
  for (const char* text : {"", "{}", "[]", R"({"format":"hearth blinding map 1","nonce":"n"})",
                           R"({"format":"hearth blinding map 1","nonce":"n","entries":[["a"]]})",
                           R"({"format":"hearth blinding map 1","nonce":"n","entries":[["b","x"],["a","y"]]})",
                           R"({"format":"another","nonce":"n","entries":[]})"}) {
    EXPECT_FALSE(parse_blind_map(text)) << text;
  }
}

}  // namespace
}  // namespace hearth::eval
