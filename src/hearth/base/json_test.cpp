#include "hearth/base/json.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(Json, KeepsKeyOrderAndNumberKinds) {
  const std::string text = R"({"z":1,"a":[true,null,-2.5],"s":"q\"\n"})";
  EXPECT_EQ(dump_json(parse_json(text).value()), text);
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "[1,]", "{'a':1}", "nul", "1 2", "\"\\ud800\"", "1e999"}) {
    const auto result = parse_json(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Code::invalid_argument);
  }
}

TEST(Json, BoundsDepth) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(json_depth_max)));
  EXPECT_FALSE(parse_json(nested(json_depth_max + 1)));
  EXPECT_FALSE(parse_json(nested(1'000'000)));
}

TEST(Json, AnObjectOfManyKeysIsReadInItsOrderAndInNoTime) {
  std::string text = "{";
  for (std::int64_t i = 0; i < 300'000; ++i) text += fmt::format("{}\"{:06}\":{}", i == 0 ? "" : ",", i * 7919 % 300'000, i);
  text += ",\"000000\":-1,\"299999\":{\"a\":1,\"a\":2}}";
  const Json json = parse_json(text).value();
  ASSERT_EQ(json.as_object().size(), 300'000u);
  EXPECT_EQ(json.as_object()[0], (Json::Member{"000000", -1}));
  EXPECT_EQ(json.as_object()[1].first, "007919");
  EXPECT_EQ(*json.find("299999"), Json::object({{"a", 2}}));
}

TEST(Json, LastDuplicateKeyWins) {
  EXPECT_EQ(dump_json(parse_json(R"({"a":1,"a":2})").value()), R"({"a":2})");
}

TEST(Json, WritesHalfCharactersAsReplacement) {
  EXPECT_EQ(dump_json(Json(std::string("a\xC3"))), "\"a\xEF\xBF\xBD\"");
}

TEST(JsonGet, NamesThePathAndTheKind) {
  const Json object = parse_json(R"({"name": null, "count": -1, "ratio": 2.5, "whole": 3.0,
                                     "most": 4294967295, "more": 4294967296})").value();
  EXPECT_EQ(get<std::string>(object, "name", "tools[2]").error().message,
            "tools[2].name: expected a string, got null");
  EXPECT_EQ(get<std::string>(object, "other", "tools[2]").error().message,
            "tools[2].other: missing");
  EXPECT_FALSE(get<std::uint64_t>(object, "count"));
  EXPECT_FALSE(get<std::int64_t>(object, "ratio"));
  EXPECT_EQ(get<std::uint32_t>(object, "most").value(), UINT32_MAX);
  EXPECT_EQ(get<std::uint32_t>(object, "more").error().message,
            "more: expected an integer of at most 4294967295, got 4294967296");
  EXPECT_EQ(get<std::int64_t>(object, "whole").value(), 3);
  EXPECT_EQ(get_or<double>(object, "absent", 1.5).value(), 1.5);
  EXPECT_FALSE(get_or<bool>(object, "count", false));
}

TEST(Json, IndentsForPeople) {
  EXPECT_EQ(dump_json(Json::object({{"a", Json::array({1, 2})}, {"b", Json::object()}}), 2),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

}  // namespace
}  // namespace hearth
