// A worker with layers behind real RPC servers writes what a worker alone writes; endpoints that
// are dead or gone are errors, never the end of us.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <fstream>

#include "hearth/engine/synth/facts.h"
#include "hearth/net/listener.h"
#include "hearth/net/stream.h"
#include "hearth/node/pool/rpc_probe.h"
#include "hearth/node/pool/rpc_server.h"
#include "tests/support/local_models.h"

namespace hearth::node {
namespace {

std::unique_ptr<RpcServer> start_server() {
  RpcServerOptions options;
  options.worker_executable = HEARTH_WORKER_EXECUTABLE;
  options.threads = 1;  // the machines compute one after another, but wait awake
  auto server = RpcServer::start(options, {});
  EXPECT_TRUE(server) << server.error().message;
  return *std::move(server);
}

struct Case {
  std::string architecture, kv_type;
  std::vector<std::uint32_t> layers;  // at each server, of four
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.architecture << ", KV " << c.kv_type; }

class PooledWorker : public ::testing::TestWithParam<Case> {};

TEST_P(PooledWorker, WritesWhatOneWorkerWrites) {
  const Case& c = GetParam();
  LocalRunOptions options = testing::local_run_options(c.architecture, c.kv_type);
  options.worker.threads = 1;
  auto alone = LocalRun::start(options, {}, {});
  ASSERT_TRUE(alone) << alone.error().message;
  std::vector<std::unique_ptr<RpcServer>> servers;
  for (const std::uint32_t layers : c.layers) {
    servers.push_back(start_server());
    options.worker.remote.push_back({.endpoint = servers.back()->running()->address.text(), .layers = layers});
  }
  auto pooled = LocalRun::start(options, {}, {});
  ASSERT_TRUE(pooled) << pooled.error().message;

  const WorkerInfo& info = (*pooled)->info();
  EXPECT_EQ(info.kv_refusal, "");
  ASSERT_EQ(info.devices.size(), c.layers.size() + 1);
  std::uint32_t local_layers = 4;
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    EXPECT_EQ(info.devices[i + 1].kind, "remote");
    EXPECT_EQ(info.devices[i + 1].layers, c.layers[i]);
    EXPECT_GT(info.devices[i + 1].memory_bytes, 0u);
    local_layers -= c.layers[i];
  }
  EXPECT_EQ(info.devices[0].kind, "cpu");
  EXPECT_EQ(info.devices[0].layers, local_layers);

  const auto text = engine::plant_facts(/*seed=*/7, /*fact_count=*/4, 3000).value().text;
  auto tokens = (*alone)->tokenize(text, false, {}).value();
  for (const std::size_t length : {2500u, 700u, 1u}) {
    SCOPED_TRACE(length);
    tokens.resize(length);
    tokens.front() = static_cast<Token>(length % 200);  // no common prefix with the other lengths
    const AnswerOptions answer_options{.tokens_max = 48, .first_logits = true};
    const auto expected = (*alone)->answer(tokens, answer_options, {});
    const auto answer = (*pooled)->answer(tokens, answer_options, {});
    ASSERT_TRUE(expected) << expected.error().message;
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->tokens, expected->tokens);
    EXPECT_EQ(answer->text, expected->text);
    ASSERT_EQ(answer->first_logits.size(), expected->first_logits.size());
    // Kernels of repacked weights add in another order than those behind an RPC server.
    for (std::size_t i = 0; i < answer->first_logits.size(); ++i) {
      ASSERT_NEAR(answer->first_logits[i], expected->first_logits[i],
                  0.05 + 0.01 * std::abs(expected->first_logits[i]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, PooledWorker,
                         ::testing::Values(Case{"kimi", "f16", {2}}, Case{"kimi", "q8_0", {1, 2}},
                                           Case{"qwen3moe", "f16", {2, 2}}, Case{"llama", "q8_0", {4}}),
                         [](const ::testing::TestParamInfo<Case>& each) {
                           return each.param.architecture + "_" + each.param.kv_type;
                         });

Error start_error(std::vector<RemoteLayers> remote) {
  LocalRunOptions options = testing::local_run_options("kimi");
  options.worker.remote = std::move(remote);
  const auto run = LocalRun::start(options, {}, {});
  EXPECT_FALSE(run);
  return run ? Error{Code::internal, "it started"} : run.error();
}

TEST(PooledWorkerErrors, ADeadEndpointIsAnErrorAndNotTheEndOfTheProcess) {
  const std::string closed = [] {
    const auto gone = net::Listener::listen(net::Address::tcp("127.0.0.1", 0));
    return gone->address().text();
  }();
  const Error error = start_error({{closed, 2}});
  EXPECT_EQ(error.code, Code::unavailable);
  EXPECT_NE(error.message.find("no RPC server answers at " + closed), std::string::npos) << error.message;
}

TEST(PooledWorkerErrors, MoreLayersThanTheModelHasAreRefused) {
  const auto server = start_server();
  const Error error = start_error({{server->running()->address.text(), 5}});
  EXPECT_EQ(error.code, Code::invalid_argument);
  EXPECT_NE(error.message.find("5 layers cannot lie there; the model has 4"), std::string::npos) << error.message;
}

TEST(PooledWorkerErrors, AServerThatComputesForSomebodyElseIsAnError) {
  const auto server = start_server();
  const net::Address address = server->running()->address;
  // One that greets and stays.
  const auto first = net::connect_stream(address, Deadline::after(std::chrono::seconds(10)), {});
  ASSERT_TRUE(first);
  const auto busy = probe_rpc(address, "8.0.0", {}, std::chrono::milliseconds(300));
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Code::unavailable);
}

TEST(RpcServer, ListensOnLoopbackAlone) {
  const auto server = start_server();
  const auto running = server->running().value();
  EXPECT_TRUE(running.address.is_local());
  // Every socket in that process that listens, as the system sees it.
  std::ifstream table("/proc/net/tcp");
  const std::string port = fmt::format(":{:04X}", running.address.port);
  int seen = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.find(port + " 00000000:0000 0A") == std::string::npos) continue;
    ++seen;
    EXPECT_NE(line.find(" 0100007F" + port), std::string::npos) << line;
  }
  EXPECT_EQ(seen, 1);
}

TEST(RpcServer, IsStartedAgainAndEndsWithItsKeeper) {
  auto server = start_server();
  const int pid = server->running()->pid;
  ::kill(pid, SIGKILL);
  const Deadline deadline = Deadline::after(std::chrono::seconds(30));
  auto running = server->running();
  while ((!running || running->pid == pid) && !deadline.passed()) {
    (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(20)));
    running = server->running();
  }
  ASSERT_TRUE(running);
  EXPECT_NE(running->pid, pid);
  EXPECT_EQ(server->restarts(), 1u);
  EXPECT_TRUE(probe_rpc(running->address, "8.0.0", {}));
  server.reset();
  EXPECT_NE(::kill(running->pid, 0), 0);
}

TEST(RpcServer, AFirstStartThatFailsIsAnError) {
  RpcServerOptions options;
  options.worker_executable = "/bin/false";
  const auto server = RpcServer::start(options, {});
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().message.find("exited with code 1"), std::string::npos) << server.error().message;
}

}  // namespace
}  // namespace hearth::node
