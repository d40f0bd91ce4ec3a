#include "hearth/gateway/models_list.h"

#include <gtest/gtest.h>

namespace hearth::gateway {
namespace {

const ServedModel served{{"kimi-k2.6", "home-claude-kimi-k2.6"}, 130'048, 131'072, 1'790'000'000};

TEST(ModelsList, WritesTimesAsBothLibrariesWantThem) {
  EXPECT_EQ(rfc3339_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339_time(951'782'399), "2000-02-28T23:59:59Z");
  EXPECT_EQ(rfc3339_time(951'782'400), "2000-02-29T00:00:00Z");
  EXPECT_EQ(rfc3339_time(1'790'000'000), "2026-09-21T14:13:20Z");
  EXPECT_EQ(rfc3339_time(-1), "1969-12-31T23:59:59Z");
}

TEST(ModelsList, ListsEveryNameOnce) {
  const Json list = models_list_json(served);
  EXPECT_EQ(*list.find("object"), "list");
  EXPECT_EQ(*list.find("has_more"), false);
  EXPECT_EQ(*list.find("first_id"), "kimi-k2.6");
  EXPECT_EQ(*list.find("last_id"), "home-claude-kimi-k2.6");
  const auto& data = list.find("data")->as_array();
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(data[0], model_json(served, "kimi-k2.6"));
  EXPECT_EQ(data[1], model_json(served, "home-claude-kimi-k2.6"));
}

TEST(ModelsList, OfNoModelIsStillAList) {
  const Json list = models_list_json({});
  EXPECT_EQ(*list.find("data"), Json::array());
  EXPECT_TRUE(list.find("first_id")->is_null());
}

TEST(ModelsList, DescribesAModelForBothLibraries) {
  EXPECT_EQ(dump_json(model_json(served, "kimi-k2.6")),
            R"({"id":"kimi-k2.6","object":"model","type":"model","display_name":"kimi-k2.6",)"
            R"("created":1790000000,"created_at":"2026-09-21T14:13:20Z","owned_by":"hearth",)"
            R"("lifecycle":"active","max_input_tokens":130048,"max_tokens":131072,)"
            R"("capabilities":null,"line":null,"deprecated_at":null,"retires_at":null})");
}

}  // namespace
}  // namespace hearth::gateway
