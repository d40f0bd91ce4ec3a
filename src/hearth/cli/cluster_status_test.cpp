#include "hearth/cli/cluster_status.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hearth::cli {
namespace {

Json json(std::string_view text) { return parse_json(text).value(); }

std::vector<MachineAnswer> desk() {
  return {
      {.name = "studio",
       .address = "studio:7070",
       .status = json(
           R"({"machine":{"name":"studio","coordinates":true,"model":"Kimi","backend":"Metal","engine":"0.7",
                        "engine_build":"b7012",
                        "devices":[{"name":"Metal0","description":"M3","kind":"gpu, shared memory",
                                    "memory_bytes":512000000000,"free_bytes":480000000000,"layers":61}]},
             "memory":{"total_bytes":549000000000,"available_bytes":123000000000},
             "worker":{"running":true,"restarts":1},
             "store":{"disk_bytes":1200000000,"memory_bytes":800000000,"disk_free_bytes":250000000000},
             "answers":[{"stage":"reading","prompt_tokens":90000,"read_tokens":4096,"seconds":12.5},
                        {"stage":"waiting","prompt_tokens":300,"read_tokens":0,"seconds":2}],
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
        "exact", "1.15e+03 MB/s", "waits for the prefill of spark    9000", "last decision: remote on spark"}) {
    EXPECT_NE(text.find(told), std::string::npos) << told << "\n" << text;
  }
}

TEST(ClusterStatus, HasWhatAMachineComputesWithAndWhatItAnswers) {
  const Json status = cluster_status(desk());
  const Json& studio = status.find("machines")->as_array().at(0);
  EXPECT_EQ(*studio.find("engine_build"), Json("b7012"));
  EXPECT_EQ(*studio.find("memory")->find("total_bytes"), Json(549'000'000'000));
  EXPECT_EQ(*studio.find("devices")->as_array().at(0).find("layers"), Json(61));
  EXPECT_EQ(*status.find("stores")->as_array().at(0).find("disk_free_bytes"), Json(250'000'000'000));
  const auto& requests = status.find("requests")->as_array();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(*requests.at(1).find("kind"), Json("reading"));
  EXPECT_EQ(*requests.at(1).find("tokens"), Json(90'000));
  EXPECT_EQ(*requests.at(1).find("read_tokens"), Json(4096));
  EXPECT_EQ(*requests.at(2).find("kind"), Json("waiting"));
  const std::string text = cluster_status_text(status);
  for (const std::string_view told : {"0.7 (b7012)", "123 GB of 549 GB", "gpu, shared memory", "250 GB", "reading"}) {
    EXPECT_NE(text.find(told), std::string::npos) << told << "\n" << text;
  }
}

// spark of desk() is of an earlier version.
TEST(ClusterStatus, WhatAMachineDoesNotTellIsADash) {
  const Json status = cluster_status(desk());
  const Json& spark = status.find("machines")->as_array().at(1);
  EXPECT_EQ(spark.find("memory"), nullptr);
  const std::string text = cluster_status_text(status);
  const std::size_t at = text.find("spark ");
  ASSERT_NE(at, std::string::npos);
  const std::string line = text.substr(at, text.find('\n', at) - at);
  EXPECT_EQ(std::count(line.begin(), line.end(), '-'), 3) << line;  // backend, engine, memory
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

TEST(ClusterStatus, ShowsTheWorkerOfAGatheredPoolBesideTheMachinesOwn) {
  auto answers = desk();
  answers[0].status->set("pool", json(R"({"name":"pool spark-1+spark-2","running":true,"restarts":3,
      "stalled":{"part":"worker","seconds":12,"message":"it has not answered for 12.0 s"}})"));
  const Json status = cluster_status(answers);
  const auto& workers = status.find("workers")->as_array();
  EXPECT_EQ(workers.at(0).find("pool"), nullptr);
  EXPECT_EQ(*workers.at(1).find("pool"), Json("pool spark-1+spark-2"));
  EXPECT_EQ(*workers.at(1).find("machine"), *workers.at(0).find("machine"));
  const std::string text = cluster_status_text(status);
  const std::size_t at = text.find(", pool spark-1+spark-2");
  ASSERT_NE(at, std::string::npos) << text;
  const std::string line = text.substr(at, text.find('\n', at) - at);
  EXPECT_NE(line.find("stalled: it has not answered for 12.0 s"), std::string::npos) << text;
  EXPECT_EQ(std::count(line.begin(), line.end(), '-'), 5) << line;  // two in its name; no store of its own
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
