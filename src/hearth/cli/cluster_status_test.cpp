#include "hearth/cli/cluster_status.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

Json json(std::string_view text) { return parse_json(text).value(); }

std::vector<MachineAnswer> desk() {
  return {
      {.name = "studio",
       .address = "studio:7070",
       .status = json(
           R"({"machine":{"name":"studio","coordinates":true,"model":"Kimi","backend":"Metal","engine":"0.7"},
             "worker":{"running":true,"restarts":1},"store":{"disk_bytes":1200000000,"memory_bytes":800000000},
             "peers":[{"name":"spark","usable":true,"why_not":"","trouble":"","round_trip_ms":0.4,"link_mb_per_s":1150,
                       "parity":{"exact":true}}],
             "requests":[{"kind":"waits for the prefill of","machine":"spark","tokens":9000,"seconds":1.5}],
             "hand_offs":{"prefills":0}})"),
       .decisions = json(
           R"({"decisions":[{"request":"1","chosen":"remote on spark for studio","outcome":"as chosen"}]})")},
      {.name = "spark",
       .address = "spark:7070",
       .status = json(R"({"machine":{"name":"spark","coordinates":false},"lends":{"used_by":""},
             "assignment":{"digest":"ab","trouble":"no such file"},"requests":[]})")},
      {.name = "laptop", .address = "laptop:7070", .trouble = "connection refused"}};
}

TEST(ClusterStatus, HasEveryMachinesPartInOneShape) {
  const Json status = cluster_status(desk());
  EXPECT_EQ(status.find("machines")->as_array().size(), 3u);
  const Json& worker = status.find("workers")->as_array().at(0);
  EXPECT_EQ(*worker.find("machine"), Json("studio"));
  EXPECT_EQ(*worker.find("model"), Json("Kimi"));
  const Json& link = status.find("links")->as_array().at(0);
  EXPECT_EQ(*link.find("from"), Json("studio"));
  EXPECT_EQ(*link.find("to"), Json("spark"));
  EXPECT_EQ(*link.find("mb_per_s"), Json(1150));
  const Json& request = status.find("requests")->as_array().at(0);
  EXPECT_EQ(*request.find("for"), Json("spark"));
  EXPECT_EQ(*request.find("tokens"), Json(9000));
  EXPECT_EQ(*status.find("decisions")->as_array().at(0).find("machine"), Json("studio"));
}

TEST(ClusterStatus, TellsPeopleWhatIsNotRight) {
  const std::string text = cluster_status_text(cluster_status(desk()));
  for (const std::string_view told :
       {"does not answer: connection refused", "cannot do what it was assigned: no such file", "answers requests",
        "exact", "1.15e+03 MB/s", "waits for the prefill of spark: 9000 tokens", "last decision: remote on spark"}) {
    EXPECT_NE(text.find(told), std::string::npos) << told << "\n" << text;
  }
}

TEST(ClusterStatus, TellsOfAWorkerThatLivesAndStandsStill) {
  auto answers = desk();
  Json* worker = answers[0].status->find("worker");
  ASSERT_NE(worker, nullptr);
  worker->set("stalled", json(R"({"part":"worker","seconds":12,"message":"it has not answered for 12.0 s"})"));
  const Json status = cluster_status(answers);
  EXPECT_EQ(*status.find("workers")->as_array().at(0).find("stalled")->find("part"), Json("worker"));
  const std::string text = cluster_status_text(status);
  EXPECT_NE(text.find("stalled: it has not answered for 12.0 s"), std::string::npos) << text;
}

TEST(ClusterStatus, KeepsOnlyTheLatestDecisions) {
  auto answers = desk();
  Json log = Json::array();
  for (int i = 0; i < 30; ++i) log.push(Json::object({{"request", std::to_string(i)}}));
  answers[0].decisions = Json::object({{"decisions", std::move(log)}});
  const Json status = cluster_status(answers);
  EXPECT_EQ(status.find("decisions")->as_array().size(), 10u);
  EXPECT_EQ(*status.find("decisions")->as_array().back().find("request"), Json("29"));
}

}  // namespace
}  // namespace hearth::cli
