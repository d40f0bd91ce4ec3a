#include "hearth/gateway/body_room.h"

#include <gtest/gtest.h>

namespace hearth::gateway {
namespace {

TEST(BodyRoom, IsTakenUpToItsBoundAndComesBackWithThePlace) {
  BodyRoom room(100);
  auto first = room.take(60);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(room.take(41), nullptr);
  EXPECT_EQ(room.take(~std::uint64_t{0}), nullptr);
  auto second = room.take(40);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(room.take(1), nullptr);
  EXPECT_NE(room.take(0), nullptr);
  first.reset();
  EXPECT_EQ(room.held_bytes(), 40U);
  EXPECT_NE(room.take(60), nullptr);
}

TEST(BodyRoom, APlaceShrinksAndDoesNotGrow) {
  BodyRoom room(100);
  auto place = room.take(100);
  place->shrink(30);
  EXPECT_EQ(room.held_bytes(), 30U);
  place->shrink(70);
  EXPECT_EQ(room.held_bytes(), 30U);
  place.reset();
  EXPECT_EQ(room.held_bytes(), 0U);
}

}  // namespace
}  // namespace hearth::gateway
