#include "hearth/node/pool/pool_api.h"

#include <gtest/gtest.h>

namespace hearth::node {
namespace {

PoolEngine engine() {
  return {.version = "0.7.0", .build = "11669", .rpc_protocol = "8.0.0",
          .devices = {{"CPU", "AMD EPYC", "cpu", 64, 48, 0}, {"CUDA0", "GB10", "gpu, shared memory", 128, 100, 0}}};
}

TEST(PoolApi, FactsKeepTheirMeaning) {
  const LenderFacts facts{.engine = engine(), .tunnel_port = 7071, .used_by = "studio"};
  const auto back = lender_from_json(lender_json(facts));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(lender_json(*back), lender_json(facts));
  EXPECT_EQ(back->engine.free_bytes(), 100u);
  EXPECT_EQ(back->engine.free_bytes("cpu"), 48u);
  EXPECT_FALSE(back->engine.computes_on_cpu());
  EXPECT_TRUE(back->engine.computes_on_cpu("cpu"));
}

TEST(PoolApi, WithoutAnotherDeviceTheCpuComputes) {
  PoolEngine plain = engine();
  plain.devices.pop_back();
  EXPECT_TRUE(plain.computes_on_cpu());
  EXPECT_EQ(plain.free_bytes(), 48u);
}

TEST(PoolApi, BuildsThatDifferAreRefusedByWhatDiffers) {
  EXPECT_FALSE(pooling_refusal(engine(), engine()));
  struct Case {
    void (*change)(PoolEngine&);
    const char* told;
  };
  for (const Case& c : {Case{[](PoolEngine& e) { e.version = "0.8.0"; }, "engine version: 0.7.0 here against 0.8.0 there"},
                        Case{[](PoolEngine& e) { e.build = "11700"; }, "engine build: 11669 here against 11700 there"},
                        Case{[](PoolEngine& e) { e.rpc_protocol = "8.1.0"; }, "RPC protocol: 8.0.0 here against 8.1.0"},
                        Case{[](PoolEngine& e) { e.rpc_protocol = ""; }, "there was built without RPC"}}) {
    PoolEngine theirs = engine();
    c.change(theirs);
    const auto refusal = pooling_refusal(engine(), theirs);
    ASSERT_TRUE(refusal);
    EXPECT_NE(refusal->find(c.told), std::string::npos) << *refusal;
  }
}

TEST(PoolApi, NonsenseIsRefused) {
  for (const char* text : {"{}", R"({"engine_version":"1","engine_build":"2","rpc_protocol":"3","tunnel_port":70000,"used_by":""})",
                           R"({"engine_version":"1","engine_build":"2","rpc_protocol":"3","devices":5,"tunnel_port":7,"used_by":""})"}) {
    EXPECT_FALSE(lender_from_json(parse_json(text).value())) << text;
  }
}

}  // namespace
}  // namespace hearth::node
