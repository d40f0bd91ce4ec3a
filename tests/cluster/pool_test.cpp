// A model over the memory of three machines: real agents over mutual TLS, real RPC servers, real
// workers. What dies is started again; what stays away is left out; answers stay right.

#include <gtest/gtest.h>
#include <signal.h>

#include "hearth/node/agent/agent.h"
#include "hearth/node/membership/cluster_folder.h"
#include "hearth/node/membership/test_cluster.h"
#include "hearth/node/pool/gathered_prefiller.h"
#include "hearth/node/pool/memory_pool.h"
#include "hearth/node/probe/link_probe.h"
#include "tests/cluster/answers.h"

namespace hearth::node {
namespace {

using testing::answer;
using testing::text_tokens;

std::string free_address() {
  const auto listener = take(net::Listener::listen(net::Address::tcp("127.0.0.1", 0)));
  return listener.address().text();
}

class Pool : public ::testing::Test {
 protected:
  // A member without a model that lends its memory.
  void add_lender(const std::string& name) {
    const std::string address = free_address();
    const auto folder = cluster_.home.path() / name;
    ASSERT_TRUE(join_cluster(cluster_.invite(name), {folder, name, "host", address}, soon(), {}));
    start_lender(name, address);
  }
  void start_lender(const std::string& name, const std::string& address) {
    LenderOptions lends{.server = {.worker_executable = HEARTH_WORKER_EXECUTABLE, .device = "auto", .threads = 1}};
    AgentConfig config{.directory = cluster_.home.path() / name, .listen = address, .hearth_version = "test",
                       .lends = lends};
    auto agent = Agent::start(std::move(config), /*model=*/nullptr, {});
    ASSERT_TRUE(agent) << agent.error().message;
    lenders_[name] = *std::move(agent);
  }

  LocalModelOptions model_options() {
    LocalModelOptions out;
    out.keeper.worker_executable = HEARTH_WORKER_EXECUTABLE;
    out.keeper.worker = testing::local_run_options("kimi").worker;
    out.keeper.worker.context_tokens = 4096;
    return out;
  }
  Result<std::unique_ptr<LocalModel>> start_pooled(std::vector<std::string> lenders,
                                                   std::map<std::string, double> shares) {
    LocalModelOptions model = model_options();
    model.keeper = over_pool(std::move(lenders), std::move(shares));
    return LocalModel::start(model, {}, {});
  }
  KeeperOptions over_pool(std::vector<std::string> lenders, std::map<std::string, double> shares) {
    PoolOptions options{.worker_executable = HEARTH_WORKER_EXECUTABLE, .lenders = std::move(lenders),
                        .shares = std::move(shares)};
    options.wait_for_lender = std::chrono::seconds(2);
    KeeperOptions out = model_options().keeper;
    out.arrange = [pool = std::make_shared<MemoryPool>(options, cluster_.membership)](
                               WorkerOptions worker, std::uint32_t life, const StopToken& stop) {
      return pool->arrange(std::move(worker), life, stop);
    };
    return out;
  }
  static std::vector<std::uint32_t> layers_of(LocalModel& model) {
    const auto worker = take(model.keeper().wait_for_worker(Deadline::after(std::chrono::seconds(60)), {}));
    std::vector<std::uint32_t> out;
    for (const WorkerDevice& device : worker->info.devices) out.push_back(device.layers);
    return out;
  }
  // What a worker alone writes.
  std::vector<Token> expected(const std::vector<Token>& prompt) {
    const auto alone = take(LocalModel::start(model_options(), {}, {}));
    return answer(*alone, prompt).tokens;
  }
  static Json lends(const Agent& agent) { return *agent.status().find("lends"); }

  TestCluster cluster_;
  std::map<std::string, std::unique_ptr<Agent>> lenders_;
};

using Counts = std::vector<std::uint32_t>;

TEST_F(Pool, LayersLieOnThreeMachinesAndTheAnswerIsTheSame) {
  add_lender("spark-1");
  add_lender("spark-2");
  auto model = start_pooled({"spark-1", "spark-2"}, {{"studio", 2}, {"spark-1", 1}, {"spark-2", 1}});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(layers_of(**model), (Counts{2, 1, 1}));
  EXPECT_EQ(*lends(*lenders_["spark-1"]).find("used_by"), Json("studio"));
  const auto prompt = text_tokens(**model, 900);
  EXPECT_EQ(answer(**model, prompt).tokens, expected(prompt));
}

TEST_F(Pool, ALenderTellsWhatItHasAndAGatewayWhatItAnswers) {
  add_lender("spark-1");
  Agent& agent = *lenders_["spark-1"];
  const Json before = agent.status();
  EXPECT_GT(before.find("memory")->find("total_bytes")->as_integer(), 0);
  const Json& machine = *before.find("machine");
  EXPECT_FALSE(machine.find("engine_build")->as_string().empty());
  EXPECT_FALSE(machine.find("devices")->as_array().empty());
  EXPECT_EQ(before.find("answers"), nullptr);
  const Json answers = Json::array({Json::object({{"stage", "reading"}})});
  agent.set_answers([answers] { return answers; });
  EXPECT_EQ(*agent.status().find("answers"), answers);
  agent.set_answers({});
  EXPECT_EQ(agent.status().find("answers"), nullptr);
}

TEST_F(Pool, TheLinkToAMachineIsMeasuredInBothDirections) {
  add_lender("spark-1");
  const auto http = make_cluster_client(cluster_.membership);
  LinkEnd end{.machine = "spark-1", .address = lenders_["spark-1"]->address()};
  end.address.tls = true;
  const LinkProbeOptions quick{.repetitions = 2, .sample_time = std::chrono::milliseconds(20)};
  const LinkProbe probe = probe_link(*http, end, quick, {});
  EXPECT_EQ(probe.trouble, "");
  EXPECT_GT(probe.there_gb_s.median, 0);
  EXPECT_GT(probe.back_gb_s.median, 0);
  EXPECT_GT(probe.round_trip_ms.median, 0);
  end.machine = "spark-9";
  EXPECT_NE(probe_link(*http, end, quick, {}).trouble, "");
}

TEST_F(Pool, WithoutSharesFreeMemoryDecides) {
  add_lender("spark-1");
  auto model = start_pooled({"spark-1"}, {});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(layers_of(**model), (Counts{2, 2}));  // one machine's memory, counted twice
}

TEST_F(Pool, AMachineThatIsNotThereIsNamed) {
  add_lender("spark-1");
  lenders_.clear();
  const auto model = start_pooled({"spark-1"}, {});
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("spark-1 cannot lend memory"), std::string::npos) << model.error().message;
  const auto stranger = start_pooled({"spark-9"}, {});
  ASSERT_FALSE(stranger);
  EXPECT_NE(stranger.error().message.find("spark-9 cannot lend memory"), std::string::npos);
}

TEST_F(Pool, AKilledServerIsStartedAgainAndTheAnswerIsRight) {
  add_lender("spark-1");
  auto model = start_pooled({"spark-1"}, {{"studio", 1}, {"spark-1", 1}});
  ASSERT_TRUE(model) << model.error().message;
  const auto prompt = text_tokens(**model, 500);
  const auto before = answer(**model, prompt).tokens;
  const auto worker = (*model)->keeper().current();
  ASSERT_TRUE(worker);
  ::kill(lenders_["spark-1"]->lender()->server().running()->pid, SIGKILL);
  // Used at once: libllama ends the worker, its keeper starts the next one over the next server.
  auto stream = (*model)->generate({.prompt = prompt, .tokens_max = 4, .sampling = {.temperature = 0}}, {});
  while (stream) {
    const auto event = (*stream)->next(Deadline::after(std::chrono::seconds(60)));
    if (!event || std::holds_alternative<Error>(*event) || std::holds_alternative<engine::Finished>(*event)) break;
  }
  stream = fail(Code::cancelled, "over");
  const Deadline deadline = Deadline::after(std::chrono::seconds(60));
  while ((*model)->keeper().restarts() == 0 && !deadline.passed()) {
    (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(20)));
  }
  EXPECT_EQ(layers_of(**model), (Counts{2, 2}));
  EXPECT_EQ(answer(**model, prompt).tokens, before);
  EXPECT_EQ(before, expected(prompt));
  EXPECT_EQ(lenders_["spark-1"]->lender()->restarts(), 1u);
}

TEST_F(Pool, AMachineThatStaysAwayIsLeftOut) {
  add_lender("spark-1");
  add_lender("spark-2");
  auto model = start_pooled({"spark-1", "spark-2"}, {{"studio", 2}, {"spark-1", 1}, {"spark-2", 1}});
  ASSERT_TRUE(model) << model.error().message;
  const auto prompt = text_tokens(**model, 500);
  const auto before = answer(**model, prompt).tokens;
  lenders_.erase("spark-1");
  const Deadline deadline = Deadline::after(std::chrono::seconds(60));
  // A lost peer shows when it is next needed.
  while ((*model)->keeper().restarts() == 0 && !deadline.passed()) {
    auto stream = (*model)->generate({.prompt = prompt, .tokens_max = 1, .sampling = {.temperature = 0}}, {});
    while (stream) {
      const auto event = (*stream)->next(Deadline::after(std::chrono::seconds(60)));
      if (!event || std::holds_alternative<Error>(*event) || std::holds_alternative<engine::Finished>(*event)) break;
    }
  }
  EXPECT_EQ(layers_of(**model), (Counts{3, 1}));
  EXPECT_EQ(answer(**model, prompt).tokens, before);
}

TEST_F(Pool, MemoryIsLentToOneMachineAtATime) {
  add_lender("spark-1");
  const auto facts = lenders_["spark-1"]->lender()->facts().value();
  EXPECT_EQ(facts.used_by, "");
  {
    auto model = start_pooled({"spark-1"}, {});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(lenders_["spark-1"]->lender()->used_by(), "studio");
  }
  const Deadline deadline = Deadline::after(std::chrono::seconds(20));
  while (!lenders_["spark-1"]->lender()->used_by().empty() && !deadline.passed()) {
    (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(10)));
  }
  EXPECT_EQ(lenders_["spark-1"]->lender()->used_by(), "") << "given back when the worker has ended";
}

// A worker here that has all layers, and one over three machines that prefills for it.
class Gathered : public Pool {
 protected:
  void SetUp() override {
    add_lender("spark-1");
    add_lender("spark-2");
    KeeperOptions keeper = over_pool({"spark-1", "spark-2"}, {{"studio", 1}, {"spark-1", 1}, {"spark-2", 2}});
    keeper.worker.chunk_tokens = chunk_tokens;
    keeper.worker.name = "gathered";
    gathered_ = take(GatheredPrefiller::start("pool spark-1+spark-2", std::move(keeper), model_->store(), {}, {}));
    start_coordinator({});
    model_->set_prefiller(coordinator_.get());
  }
  void start_coordinator(const std::filesystem::path& rates_file) {
    coordinator_ = std::make_unique<PrefillCoordinator>(
        CoordinatorOptions{.machine = "studio", .deliver_to = studio_.address().text(),
                           .find_peers = [] { return std::vector<Peer>(); }, .pool = gathered_.get(),
                           .rates_file = rates_file},
        studio_.agent(), model_->keeper(), studio_.inbox(), studio_.http());
  }
  void TearDown() override { model_->set_prefiller(nullptr); }

  LocalModelOptions chunked_options() {
    LocalModelOptions out = model_options();
    out.keeper.worker.chunk_tokens = chunk_tokens;
    return out;
  }
  std::uint64_t computed(WorkerKeeper& keeper) {
    const auto worker = take(keeper.wait_for_worker(Deadline::after(std::chrono::seconds(60)), {}));
    const Json stats = take(worker->client.stats(soon(), {}));
    return take(get<std::uint64_t>(stats, "prompt_tokens_computed"));
  }
  std::vector<Token> expected_in_chunks(const std::vector<Token>& prompt) {
    const auto alone = take(LocalModel::start(chunked_options(), {}, {}));
    return answer(*alone, prompt).tokens;
  }

  static constexpr std::uint32_t chunk_tokens = 256;
  testing::Machine studio_{"studio", {.chunk_tokens = chunk_tokens, .context_tokens = 4096}};
  LocalModel* const model_ = &studio_.model();
  std::unique_ptr<GatheredPrefiller> gathered_;
  std::unique_ptr<PrefillCoordinator> coordinator_;
};

TEST_F(Gathered, ComputesThePromptElsewhereAndTheAnswerHere) {
  const auto prompt = text_tokens(*model_, 1250);
  const auto tokens = answer(*model_, prompt).tokens;
  EXPECT_EQ(tokens, expected_in_chunks(prompt));
  EXPECT_EQ(computed(gathered_->keeper()), 1249u);
  EXPECT_LE(computed(model_->keeper()), 2u) << "the last token, which begins the answer";
}

TEST_F(Gathered, AShortPromptIsComputedHere) {
  const auto prompt = text_tokens(*model_, 400);
  EXPECT_EQ(answer(*model_, prompt).tokens, expected_in_chunks(prompt));
  EXPECT_EQ(computed(gathered_->keeper()), 0u);
}

TEST_F(Gathered, AMachineThatDiesCostsNoAnswer) {
  const auto prompt = text_tokens(*model_, 1250);
  const auto right = expected_in_chunks(prompt);
  ::kill(lenders_["spark-1"]->lender()->server().running()->pid, SIGKILL);
  EXPECT_EQ(answer(*model_, prompt).tokens, right);
  EXPECT_EQ(model_->keeper().restarts(), 0u) << "the worker that decodes lives on";
  const Deadline deadline = Deadline::after(std::chrono::seconds(60));
  while (gathered_->keeper().restarts() == 0 && !deadline.passed()) {
    (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(20)));
  }
  EXPECT_EQ(computed(gathered_->keeper()), 0u);
  auto other = prompt;
  other.front() += 1;
  EXPECT_EQ(answer(*model_, other).tokens, expected_in_chunks(other));
  EXPECT_EQ(computed(gathered_->keeper()), 1249u) << "gathered again";
}

TEST_F(Gathered, AnotherPromptWaitsForTheOneThatThePoolReads) {
  model_->set_prefiller(nullptr);
  coordinator_.reset();
  const WorkerInfo& worker = model_->keeper().current()->info;
  const Instant now = std::chrono::steady_clock::now();
  cluster::RateBook slow;  // so that nothing is done while the test looks
  const std::string& pool = gathered_->name();
  slow.observe_prefill({pool, worker.model_name}, 1000, 0, 1000, now);
  slow.observe_round_trip({"studio", pool}, 0.001, now);
  slow.observe_transfer({pool, "studio"}, 100'000'000, 1, now);
  slow.observe_import({"studio", worker.model_name}, 1000, 0.01, now);
  slow.observe_decode({"studio", worker.model_name}, 0.01, now);
  const auto rates_file = cluster_.home.path() / "rates.json";
  ASSERT_TRUE(write_cluster_file(rates_file, dump_json(slow.to_json(now))));
  start_coordinator(rates_file);
  const auto prompt = text_tokens(*model_, 1250);
  const auto queue_s = [&](std::uint64_t request, std::unique_ptr<ChunkSource>& source) {
    source = take(coordinator_->open({.request = request, .target = prompt, .layout = *worker.layout(), .stored = {}}, {}));
    EXPECT_NE(source, nullptr);
    const Json log = coordinator_->decisions();
    const Json& option = log.find("decisions")->as_array().back().find("options")->as_array().at(1);
    const Json* terms = option.find("terms");
    EXPECT_NE(terms, nullptr) << dump_json(option);
    return terms != nullptr ? take(get<double>(*terms, "queue_s")) : -1;
  };
  std::unique_ptr<ChunkSource> first, second, third;
  EXPECT_EQ(queue_s(1, first), 0);
  EXPECT_GT(queue_s(2, second), 1000);
  first.reset();
  second.reset();
  EXPECT_EQ(queue_s(3, third), 0);
}

}  // namespace
}  // namespace hearth::node
