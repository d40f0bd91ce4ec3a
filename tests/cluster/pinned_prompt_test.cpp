// A prompt that a client has kept, with a real worker and a real store, and both started again.
#include <gtest/gtest.h>

#include <filesystem>

#include "hearth/base/file.h"
#include "tests/cluster/answers.h"
#include "tests/support/local_models.h"

namespace hearth::testing {
namespace {

constexpr std::uint32_t chunk_tokens = 256;

std::unique_ptr<node::LocalModel> start(const std::filesystem::path& store) {
  node::LocalModelOptions options;
  options.keeper.worker_executable = HEARTH_WORKER_EXECUTABLE;
  options.keeper.worker = local_run_options("kimi").worker;
  options.keeper.worker.chunk_tokens = chunk_tokens;
  options.keeper.worker.context_tokens = 8192;
  options.store_directory = store;
  auto model = node::LocalModel::start(std::move(options), {}, {});
  EXPECT_TRUE(model) << model.error().message;
  return *std::move(model);
}

// Reads the prompt and answers one token; it is on disk then.
void keep(node::LocalModel& model, std::vector<Token> prompt, const std::string& owner) {
  engine::GenerateRequest request{.prompt = std::move(prompt), .tokens_max = 1, .sampling = {.temperature = 0}};
  request.pin_owner = owner;
  {
    auto stream = model.generate(std::move(request), {});
    ASSERT_TRUE(stream);
    for (;;) {
      const auto event = (*stream)->next(Deadline::after(std::chrono::seconds(120)));
      ASSERT_TRUE(event);
      ASSERT_FALSE(std::holds_alternative<Error>(*event));
      if (std::holds_alternative<engine::Finished>(*event)) break;
    }
  }
  ASSERT_TRUE(model.flush(Deadline::after(std::chrono::seconds(60))));
}

TEST(PinnedPrompts, AreReadFromTheStoreAfterARestartButForAFewTokens) {
  const auto directory = *TemporaryDirectory::create("hearth-pinned");
  std::vector<Token> prompt, longer;
  Answer expected;
  {
    const auto model = start(directory.path());
    longer = text_tokens(*model, 1400);
    prompt.assign(longer.begin(), longer.begin() + 1243);
    keep(*model, prompt, "memory-a");
    // 4 whole chunks, 218 tokens in 3 pieces of 64.
    EXPECT_EQ(model->store()->pinned("memory-a").size(), 7U);
    expected = answer(*model, longer);
  }
  const auto model = start(directory.path());
  const Answer again = answer(*model, longer);
  EXPECT_GE(again.prompt.reused_tokens, 4 * chunk_tokens + 3 * node::pinned_piece_tokens);
  EXPECT_EQ(again.tokens, expected.tokens);
}

TEST(PinnedPrompts, AreReplacedByTheNextOneOfTheSameOwnerAndLetGo) {
  const auto directory = *TemporaryDirectory::create("hearth-pinned");
  const auto model = start(directory.path());
  const auto text = text_tokens(*model, 1400);
  keep(*model, {text.begin(), text.begin() + 700}, "memory-a");
  const auto before = model->store()->pinned("memory-a");
  EXPECT_EQ(before.size(), 2U + 2U);  // and 187 tokens
  keep(*model, text, "memory-a");
  const auto after = model->store()->pinned("memory-a");
  EXPECT_EQ(after.size(), 5U + 1U);  // and 119 tokens
  EXPECT_TRUE(model->store()->missing(after).empty());
  ASSERT_TRUE(model->unpin("memory-a"));
  EXPECT_TRUE(model->store()->pinned("memory-a").empty());
}

TEST(PinnedPrompts, ShorterThanAChunkAreKeptToo) {
  const auto directory = *TemporaryDirectory::create("hearth-pinned");
  const auto model = start(directory.path());
  keep(*model, text_tokens(*model, 200), "memory-a");
  const auto pinned = model->store()->pinned("memory-a");
  EXPECT_EQ(pinned.size(), 3U);
  EXPECT_TRUE(model->store()->missing(pinned).empty());
}

}  // namespace
}  // namespace hearth::testing
