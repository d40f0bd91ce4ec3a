// A worker that lives and does not answer: it is told of as stalled, then killed and started again, whoever
// waits for it hears of its end, and the report says what was wrong.

#include <gtest/gtest.h>
#include <signal.h>

#include <optional>
#include <thread>

#include "hearth/node/local_model.h"
#include "tests/support/local_models.h"

namespace hearth::node {
namespace {

constexpr Duration silence_max = std::chrono::seconds(1);

constexpr cluster::WatchdogParameters impatient = {.interval = std::chrono::milliseconds(50),
                                                   .answer_max = std::chrono::milliseconds(200),
                                                   .silence_max = silence_max};
// Tells early, and kills only what never comes back.
constexpr cluster::WatchdogParameters watchful = {.interval = std::chrono::milliseconds(50),
                                                  .answer_max = std::chrono::milliseconds(200),
                                                  .quiet_max = std::chrono::milliseconds(500),
                                                  .silence_max = std::chrono::minutes(2)};

class HungWorker : public ::testing::Test {
 protected:
  explicit HungWorker(const cluster::WatchdogParameters& watchdog = impatient) {
    LocalModelOptions options;
    options.keeper.worker_executable = HEARTH_WORKER_EXECUTABLE;
    options.keeper.worker = testing::local_run_options("kimi").worker;
    options.keeper.watchdog = watchdog;
    options.store_directory = directory_.path();
    model_ = LocalModel::start(options, {}, {}).value();
    prompt_ = model_->tokenize("What was said at the beginning is said again at the end.", false, {}).value();
  }

  static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

  Result<std::unique_ptr<engine::AnswerStream>> ask(std::uint32_t tokens) {
    return model_->generate({.prompt = prompt_, .tokens_max = tokens, .sampling = {.temperature = 0}}, {});
  }

  std::vector<Token> answer() {
    std::vector<Token> out;
    const auto stream = ask(8).value();
    while (true) {
      const auto event = stream->next(soon());
      if (!event || std::holds_alternative<engine::Finished>(*event)) return out;
      if (const auto* token = std::get_if<engine::TokenDone>(&*event)) out.push_back(token->token);
    }
  }

  int worker_pid() { return model_->keeper().wait_for_worker(soon(), {}).value()->pid; }

  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-hung").value();
  std::unique_ptr<LocalModel> model_;
  std::vector<Token> prompt_;
};

TEST_F(HungWorker, IsStartedAgainAndTheReportSaysWhy) {
  const std::vector<Token> before = answer();
  ASSERT_FALSE(before.empty());
  const int stopped = worker_pid();
  const Instant began = std::chrono::steady_clock::now();
  ::kill(stopped, SIGSTOP);
  while (model_->keeper().restarts() == 0 && seconds(std::chrono::steady_clock::now() - began) < 30) {
    std::this_thread::yield();
  }
  EXPECT_GE(std::chrono::steady_clock::now() - began, silence_max / 2);
  EXPECT_EQ(model_->keeper().restarts(), 1u);
  EXPECT_NE(worker_pid(), stopped);
  EXPECT_NE(::kill(stopped, 0), 0) << "nothing is left of it";
  const auto reports = model_->keeper().crash_reports();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].how.find("hung: it did not answer for"), std::string::npos) << reports[0].how;
  EXPECT_EQ(answer(), before);
}

TEST_F(HungWorker, WhoWaitsForItsAnswerHearsOfItsEnd) {
  const auto stream = ask(4000).value();
  int tokens = 0;
  while (tokens < 3) tokens += std::holds_alternative<engine::TokenDone>(stream->next(soon()).value());
  ::kill(worker_pid(), SIGSTOP);
  const Instant began = std::chrono::steady_clock::now();
  Result<engine::JobEvent> event = stream->next(soon());
  while (event && !std::holds_alternative<Error>(*event)) event = stream->next(soon());
  EXPECT_LT(seconds(std::chrono::steady_clock::now() - began), 30);
  EXPECT_FALSE(answer().empty());
}

// A question that came while it hung is answered by the next one.
TEST_F(HungWorker, AQuestionThatFindsItHungIsAnsweredByTheNext) {
  const std::vector<Token> before = answer();
  ::kill(worker_pid(), SIGSTOP);
  EXPECT_EQ(answer(), before);
}

class StalledWorker : public HungWorker {
 protected:
  StalledWorker() : HungWorker(watchful) {}

  // What it tells once that has changed; waits for it at most 60 seconds.
  std::optional<engine::ModelStall> stall_when(bool wanted) {
    const Deadline deadline = soon();
    while (model_->stall().has_value() != wanted && !deadline.passed()) std::this_thread::yield();
    return model_->stall();
  }
};

TEST_F(StalledWorker, IsToldOfWhileItLivesAndNoLongerOnceItGoesOn) {
  EXPECT_FALSE(model_->stall());
  const int pid = worker_pid();
  ::kill(pid, SIGSTOP);
  const auto stall = stall_when(true);
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->part, "worker");
  EXPECT_GE(stall->lasted, watchful.quiet_max);
  EXPECT_NE(stall->what.find("it has not answered for"), std::string::npos) << stall->what;
  EXPECT_TRUE(model_->is_ready());
  ::kill(pid, SIGCONT);
  EXPECT_FALSE(stall_when(false));
  EXPECT_FALSE(answer().empty());
  EXPECT_EQ(model_->keeper().restarts(), 0u);
}

TEST_F(HungWorker, ABusyOneIsLeftAlone) {
  std::vector<Token> longer;
  while (longer.size() < 6000) longer.insert(longer.end(), prompt_.begin(), prompt_.end());
  prompt_ = longer;
  EXPECT_FALSE(answer().empty());
  EXPECT_EQ(model_->keeper().restarts(), 0u);
}

}  // namespace
}  // namespace hearth::node
