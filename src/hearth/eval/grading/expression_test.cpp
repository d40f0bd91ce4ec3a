#include "hearth/eval/grading/expression.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

struct Row {
  const char* expression;
  const char* value;  // JSON, or "!" and part of the error
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.expression; }

class Expression : public testing::TestWithParam<Row> {};

TEST_P(Expression, HasTheValue) {
  const Json state = *parse_json(R"({"stock": {"bolts": 7, "nuts": 2}, "done": ["a", "b"], "at": "hall", "robots": {"r1": {"room": "hall", "load": []}}})");
  const Json names = *parse_json(R"({"part": "bolts", "robot": "r1", "n": 3})");
  const auto found = evaluate(GetParam().expression, {&names, &state});
  const std::string wanted = GetParam().value;
  if (wanted.starts_with("!")) {
    ASSERT_FALSE(found) << dump_json(*found);
    EXPECT_NE(found.error().message.find(wanted.substr(1)), std::string::npos) << found.error().message;
  } else {
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(dump_json(*found), wanted);
  }
}

const Row rows[] = {
    {"1 + 2 * 3", "7"},
    {"(1 + 2) * 3", "9"},
    {"-2 ^ 2", "-4"},
    {"2 ^ 3 ^ 2", "512"},
    {"7 / 2", "3.5"},
    {"6 / 2", "3"},
    {"1 / 0", "!divides by zero"},
    {"sqrt(16) + abs(-2)", "6"},
    {"min(3, 1, 2) + max([4, 5])", "6"},
    {"stock[part] - n", "4"},
    {"stock.nuts >= 2 and robots[robot].room == at", "true"},
    {"not 'c' in done", "true"},
    {"'a' in done and count(done) == 2", "true"},
    {"'bolts' in stock", "true"},
    {"done + ['c']", R"(["a","b","c"])"},
    {"done - ['a']", R"(["b"])"},
    {"'x' + 'y' == 'xy'", "true"},
    {"'abc' < 'abd'", "true"},
    {"sum([])", "0"},
    {"robots['r1'].load == []", "true"},
    {"choose(n == 3, 'three', 'other')", R"("three")"},
    {"choose(n, 1, 2)", "!without a condition"},
    {"last(done)", R"("b")"},
    {"last([]) == nothing", "true"},
    {"stock.screws", "!there is no 'screws' in 'stock'"},
    {"nowhere + 1", "!there is no 'nowhere'"},
    {"1 and 2", "!neither true nor false"},
    {"'a' + 1", "!no numbers"},
    {"1 < 'a'", "!no order"},
    {"1 +", "!lacks a name or a value at character 4"},
    {"(1", "!lacks a ')'"},
    {"1 2", "!left over"},
    {"'open", "!text without an end"},
    {"run('x')", "!no function"},
    {"sqrt(0 - 1)", "!negative"},
    {"10 ^ 999", "!finite"},
    {"android == 1", "!there is no 'android'"},
};
INSTANTIATE_TEST_SUITE_P(All, Expression, testing::ValuesIn(rows));

TEST(Expression, DeepNestingIsRefused) {
  const std::string deep(2000, '(');
  EXPECT_FALSE(evaluate(deep, {}));
  EXPECT_FALSE(evaluate(std::string(2000, '-') + "1", {}));
  EXPECT_FALSE(evaluate(std::string(expression_bytes_max + 1, '1'), {}));
}

TEST(Expression, IsCheckedWithoutValues) {
  EXPECT_TRUE(check_expression("stock[part] >= n and not robots[r].room in ['a'] or count(x) == 2"));
  EXPECT_FALSE(check_expression("stock[part >= n"));
}

TEST(Expression, AssignsToPlacesThatExist) {
  Json state = *parse_json(R"({"stock": {"bolts": 7}})");
  const Json names = *parse_json(R"({"part": "bolts"})");
  const ExpressionScope scope{&names, &state};
  ASSERT_TRUE(assign("stock[part]", Json(5), scope, state));
  ASSERT_TRUE(assign("stock.nuts", Json(1), scope, state));
  EXPECT_EQ(dump_json(state), R"({"stock":{"bolts":5,"nuts":1}})");
  EXPECT_FALSE(assign("shelf.nuts", Json(1), scope, state));
}

}  // namespace
}  // namespace hearth::eval
