// Prompts with a label: no machine but this one reads them, and the plain store keeps nothing of them.
#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "tests/cluster/answers.h"
#include "tests/support/local_models.h"

namespace hearth::testing {
namespace {

// Notes that it was asked, and leaves the work to the worker here.
class AskedPrefiller final : public node::Prefiller {
 public:
  int asked = 0;
  Result<std::unique_ptr<node::ChunkSource>> open(const node::PrefillOrder&, const StopToken&) override {
    ++asked;
    return nullptr;
  }
};

void read(node::LocalModel& model, std::vector<Token> prompt, bool is_sealed) {
  engine::GenerateRequest request{.prompt = std::move(prompt), .tokens_max = 1, .sampling = {.temperature = 0}};
  request.is_sealed = is_sealed;
  auto stream = model.generate(std::move(request), {});
  ASSERT_TRUE(stream);
  for (;;) {
    const auto event = (*stream)->next(Deadline::after(std::chrono::seconds(120)));
    ASSERT_TRUE(event);
    ASSERT_FALSE(std::holds_alternative<Error>(*event));
    if (std::holds_alternative<engine::Finished>(*event)) return;
  }
}

TEST(LabelledPrompts, AreGivenToNobodyWhoPrefillsAndLeaveNothingInThePlainStore) {
  const auto directory = *TemporaryDirectory::create("hearth-labelled");
  AskedPrefiller prefiller;
  node::LocalModelOptions options;
  options.keeper.worker_executable = HEARTH_WORKER_EXECUTABLE;
  options.keeper.worker = local_run_options("kimi").worker;
  options.keeper.worker.chunk_tokens = 256;
  options.keeper.worker.context_tokens = 8192;
  options.store_directory = directory.path();
  const auto model = *node::LocalModel::start(std::move(options), {}, {});
  model->set_prefiller(&prefiller);
  const auto text = text_tokens(*model, 1400);
  read(*model, {text.begin(), text.begin() + 1000}, /*is_sealed=*/true);
  ASSERT_TRUE(model->flush(Deadline::after(std::chrono::seconds(60))));
  EXPECT_EQ(prefiller.asked, 0);
  EXPECT_TRUE(model->store()->list().empty());
  // The same without a label.
  read(*model, {text.begin() + 200, text.end()}, /*is_sealed=*/false);
  ASSERT_TRUE(model->flush(Deadline::after(std::chrono::seconds(60))));
  EXPECT_EQ(prefiller.asked, 1);
  EXPECT_FALSE(model->store()->list().empty());
}

}  // namespace
}  // namespace hearth::testing
