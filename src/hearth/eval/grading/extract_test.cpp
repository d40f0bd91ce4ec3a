#include "hearth/eval/grading/extract.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

TEST(DeclaredAnswer, IsTheLastLineThatDeclaresOne) {
  EXPECT_EQ(declared_answer("Answer: 3\nNo, wait.\nAnswer: 4\n"), "4");
  EXPECT_EQ(declared_answer("so\n\n**Answer:** 12.5 km"), "12.5 km");
  EXPECT_EQ(declared_answer("**Answer: Tuesday**"), "Tuesday");
  EXPECT_EQ(declared_answer("### Final answer: `7/8`"), "7/8");
  EXPECT_EQ(declared_answer("> ANSWER : x"), "x");
  EXPECT_EQ(declared_answer("The answer is 4."), std::nullopt);
  EXPECT_EQ(declared_answer("Answer:\n"), std::nullopt);
  EXPECT_EQ(declared_answer(""), std::nullopt);
}

TEST(DeclaredJson, IsFoundInFencesOrBare) {
  const auto text = [](std::string_view answer) {
    const auto found = declared_json(answer);
    return found ? dump_json(*found) : std::string("none");
  };
  EXPECT_EQ(text("first\n```json\n{\"a\": 1}\n```\nthen\n```json\n{\"a\": 2}\n```\nbye"), R"({"a":2})");
  EXPECT_EQ(text("```json\n{\"a\": 1}\n```\nrun it with\n```sh\nmake\n```"), R"({"a":1})");
  EXPECT_EQ(text("[1, 2]"), "[1,2]");
  EXPECT_EQ(text("Here it is:\n{\"a\": [1, {\"b\": 2}]}\nThat is {all}."), R"({"a":[1,{"b":2}]})");
  EXPECT_EQ(text("```json\n{\"a\": 1"), "none");
  EXPECT_EQ(text("no json"), "none");
  EXPECT_EQ(text(std::string(100'000, '{')), "none");
}

TEST(DeclaredCode, PrefersTheBlockThatDefinesTheFunction) {
  EXPECT_EQ(declared_code("```python\ndef f(x):\n    return 1\n```\nExample:\n```python\nprint(f(2))\n```", "f"), "def f(x):\n    return 1\n");
  EXPECT_EQ(declared_code("```python\ndef f(x):\n    return 1\n```\nBetter:\n```python\ndef f(x):\n    return 2\n```", "f"), "def f(x):\n    return 2\n");
  EXPECT_EQ(declared_code("```\nclass Box:\n    pass\n```", "Box"), "class Box:\n    pass\n");
  EXPECT_EQ(declared_code("def f():\n    return 1\n", "f"), "def f():\n    return 1\n");
  EXPECT_EQ(declared_code("```python\nf = lambda x: x\n```", "f"), "f = lambda x: x\n");
  EXPECT_EQ(declared_code("I cannot do that.", "f"), std::nullopt);
}

TEST(NormalText, DropsWhatDoesNotMatter) {
  EXPECT_EQ(normal_text("  **The  Red\nDoor.** "), "the red door");
  EXPECT_EQ(normal_text("\"x\""), "x");
}

}  // namespace
}  // namespace hearth::eval
