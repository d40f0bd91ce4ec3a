#include "hearth/store/turns.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"

namespace hearth::store {
namespace {

Digest256 digest(int i) { return blake2b(std::as_bytes(std::span(&i, 1))); }

StoredTurn turn(int i, std::vector<std::int32_t> tokens = {1, 2, 3}, std::string user = "ann") {
  return {.key = digest(i), .content = digest(-i), .handle = "h" + std::to_string(i), .user = std::move(user),
          .thinking_on = i % 2 == 1, .tokens = std::move(tokens)};
}

class TurnStoreTest : public ::testing::Test {
 protected:
  TurnStore open(std::string vocabulary = "kimi", TurnLimits limits = {100, 1000}) const {
    return TurnStore::open(file_, std::move(vocabulary), limits).value();
  }
  std::string bytes_on_disk() const {
    std::string out;
    for (const char* suffix : {"", "-wal"}) {
      const auto bytes = read_file(file_.string() + suffix, 1 << 24);
      if (bytes) out.append(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
    return out;
  }

  TemporaryDirectory folder_ = TemporaryDirectory::create("hearth-turns").value();
  std::filesystem::path file_ = folder_.path() / "turns.db";
};

TEST_F(TurnStoreTest, TurnsComeBackAsTheyWereOldestFirstAndOnlyThoseOfTheVocabulary) {
  {
    TurnStore store = open();
    ASSERT_TRUE(store.add(turn(1)));
    ASSERT_TRUE(store.add(turn(2, {})));
    ASSERT_TRUE(store.add(turn(1, {9})));  // replaced, and the newest now
    TurnStore other = open("qwen");
    ASSERT_TRUE(other.add(turn(1, {7})));
  }
  EXPECT_EQ(open().all().value(), (std::vector<StoredTurn>{turn(2, {}), turn(1, {9})}));
  EXPECT_EQ(open("qwen").all().value(), std::vector<StoredTurn>{turn(1, {7})});
}

TEST_F(TurnStoreTest, TheOldestMakeRoom) {
  TurnStore store = open("kimi", {.turns_max = 3, .tokens_max = 10});
  for (int i = 1; i <= 4; ++i) ASSERT_TRUE(store.add(turn(i)));
  EXPECT_EQ(store.all().value(), (std::vector<StoredTurn>{turn(2), turn(3), turn(4)}));
  ASSERT_TRUE(store.add(turn(5, std::vector<std::int32_t>(7, 1))));
  EXPECT_EQ(store.all().value().size(), 2u);
  ASSERT_TRUE(store.add(turn(6, std::vector<std::int32_t>(11, 1))));  // too big to keep, and all before it
  EXPECT_TRUE(store.all().value().empty());
}

TEST_F(TurnStoreTest, OfAForgottenUserNothingIsLeftOnTheDisk) {
  const std::string secret = "SECRETID";
  std::vector<std::int32_t> tokens(2);
  std::memcpy(tokens.data(), secret.data(), secret.size());
  TurnStore store = open();
  ASSERT_TRUE(store.add(turn(1, tokens, "ann")));
  ASSERT_TRUE(store.add(turn(2, {4}, "bob")));
  EXPECT_NE(bytes_on_disk().find(secret), std::string::npos);
  ASSERT_TRUE(store.forget("ann"));
  EXPECT_EQ(store.all().value(), std::vector<StoredTurn>{turn(2, {4}, "bob")});
  EXPECT_EQ(bytes_on_disk().find(secret), std::string::npos);
}

TEST_F(TurnStoreTest, WhatIsNoDatabaseOfTurnsIsRefusedWithItsName) {
  const std::string text = "no database";
  const ByteSpan whole = as_byte_span(text);
  ASSERT_TRUE(real_file_system()->write_atomically(file_, std::span(&whole, 1), Durability::survives_process));
  const auto opened = TurnStore::open(file_, "kimi", {100, 1000});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("turns.db"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace hearth::store
