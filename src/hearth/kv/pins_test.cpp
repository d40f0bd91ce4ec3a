#include "hearth/kv/pins.h"

#include "hearth/kv/store.h"
#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

ChunkKey key_of(int i) { return {blake2b(std::as_bytes(std::span(&i, 1)))}; }

TEST(PinSet, AKeyStaysPinnedUntilItsLastOwnerLetsGo) {
  const ChunkKey keys[] = {key_of(1), key_of(2)};
  PinSet pins;
  ASSERT_TRUE(pins.add(keys, "notes"));
  ASSERT_TRUE(pins.add(std::span(keys).first(1), "voice"));
  ASSERT_TRUE(pins.add(keys, "notes"));
  EXPECT_EQ(pins.owners(keys[0]), (std::vector<std::string>{"notes", "voice"}));
  pins.remove(keys, "notes");
  EXPECT_TRUE(pins.is_pinned(keys[0]));
  EXPECT_FALSE(pins.is_pinned(keys[1]));
  pins.remove(keys, "voice");
  EXPECT_EQ(pins.size(), 0u);
}

TEST(PinSet, ReadsBackItsOwnText) {
  PinSet pins;
  for (int i = 0; i < 20; ++i) {
    const ChunkKey key = key_of(i);
    ASSERT_TRUE(pins.add(std::span(&key, 1), "owner \"" + std::to_string(i % 3) + "\""));
  }
  EXPECT_EQ(PinSet::parse(pins.to_text()).value(), pins);
  EXPECT_EQ(PinSet::parse(PinSet().to_text()).value(), PinSet());
}

TEST(PinSet, RefusesForeignText) {
  const std::string key = key_of(1).hex();
  const std::string rows[] = {
      "",
      "[]",
      R"({"version":1})",
      R"({"version":2,"pins":{}})",
      R"({"version":1,"pins":[]})",
      R"({"version":1,"pins":{"12":["a"]}})",
      R"({"version":1,"pins":{")" + key + R"(":"a"}})",
      R"({"version":1,"pins":{")" + key + R"(":[""]}})",
      R"({"version":1,"pins":{")" + key + R"(":[1]}})",
  };
  for (const std::string& text : rows) EXPECT_FALSE(PinSet::parse(text)) << text;
}

TEST(PinSet, BoundsOwners) {
  const ChunkKey key = key_of(1);
  PinSet pins;
  EXPECT_FALSE(pins.add(std::span(&key, 1), ""));
  EXPECT_FALSE(pins.add(std::span(&key, 1), std::string(pin_owner_bytes_max + 1, 'x')));
  EXPECT_FALSE(pins.add(std::span(&key, 1), "a\nb"));
  for (std::size_t i = 0; i < pin_owners_per_key_max; ++i) {
    ASSERT_TRUE(pins.add(std::span(&key, 1), std::to_string(i)));
  }
  EXPECT_EQ(pins.add(std::span(&key, 1), "one more").error().code, Code::resource_exhausted);
}

}  // namespace
}  // namespace hearth::kv
