#include "hearth/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace hearth {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Code::invalid_argument, "odd");
  return value / 2;
}
Result<> check_even(int value) {
  TRY(half(value));
  return {};
}
Result<std::unique_ptr<int>> quarter(int value) {
  TRY(check_even(value));
  const int once = TRY(half(value));
  return std::make_unique<int>(TRY(half(once)));
}

TEST(Result, TryPassesValuesAndErrors) {
  EXPECT_EQ(*quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_FALSE(check_even(3));
}

TEST(Result, ContextGoesInFront) {
  const Error error = with_context(half(1).error(), "sharing");
  EXPECT_EQ(error.message, "sharing: odd");
  EXPECT_EQ(error.code, Code::invalid_argument);
}

}  // namespace
}  // namespace hearth
