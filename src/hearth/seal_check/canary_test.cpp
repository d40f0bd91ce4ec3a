#include "hearth/seal_check/canary.h"

#include <gtest/gtest.h>

namespace hearth::seal_check {
namespace {

TEST(Canary, IsFoundInEveryForm) {
  CanarySearch search;
  search.plant("abcdefghijklmnopqrstuvwx");
  struct Case {
    std::string text, form;
  };
  const std::vector<Case> cases = {
      {"x abcdefghijklmnopqrstuvwx y", "plain"},
      {"ABCDEFGHIJKLMNOPQRSTUVWX", "capitals"},
      {"6162636465666768696a6b6c6d6e6f707172737475767778", "hex"},
      {"%61%62%63%64%65%66%67%68%69%6a%6b%6c%6d%6e%6f%70%71%72%73%74%75%76%77%78", "percent"},
      {"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4", "base64"},
      {"LmFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eA==", "base64"},  // ".abc..."
      {"xwvutsrqponmlkjihgfedcba", "backwards"},
      {"data: {\"text\":\"abcdefghijkl\"}\n\ndata: {\"text\":\"mnopqrstuvwx\"}", "in pieces"},
  };
  for (const Case& c : cases) {
    const auto seen = search.find(c.text);
    ASSERT_TRUE(seen) << c.form;
    EXPECT_EQ(seen->form, c.form);
  }
  EXPECT_FALSE(search.find("abcdefghijklmnopqrstuvw_x"));
  EXPECT_FALSE(search.find(""));
}

TEST(Canary, IsDifferentForEachSeed) {
  EXPECT_EQ(make_canary(1), make_canary(1));
  EXPECT_NE(make_canary(1), make_canary(2));
  EXPECT_EQ(make_canary(1).size(), 24);
}

}  // namespace
}  // namespace hearth::seal_check
