// A prompt that a client has kept, with a real worker and a real store, and both started again.
#include <gtest/gtest.h>

#include <filesystem>

#include "hearth/base/file.h"
#include "tests/cluster/answers.h"

namespace hearth::testing {
namespace {

constexpr std::uint32_t chunk_tokens = 256;

std::unique_ptr<node::LocalModel> start(const std::filesystem::path& store) { return start_model(store, chunk_tokens); }

// Reads the prompt and answers one token; it is on disk then.
void keep(node::LocalModel& model, std::vector<Token> prompt, const std::string& owner) {
  engine::GenerateRequest request = request_for(std::move(prompt), 1);
  request.pin_owner = owner;
  answer(model, std::move(request));
  flush(model);
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
