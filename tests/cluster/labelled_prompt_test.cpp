// Prompts with a label: no machine but this one reads them, and the plain store keeps nothing of them.
#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "tests/cluster/answers.h"

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

void read(node::LocalModel& model, std::vector<Token> prompt, bool is_labelled) {
  engine::GenerateRequest request = request_for(std::move(prompt), 1);
  request.is_labelled = is_labelled;
  answer(model, std::move(request));
  flush(model);
}

TEST(LabelledPrompts, AreGivenToNobodyWhoPrefillsAndLeaveNothingInThePlainStore) {
  const auto directory = *TemporaryDirectory::create("hearth-labelled");
  AskedPrefiller prefiller;
  const auto model = start_model(directory.path(), /*chunk_tokens=*/256);
  model->set_prefiller(&prefiller);
  const auto text = text_tokens(*model, 1400);
  read(*model, {text.begin(), text.begin() + 1000}, /*is_labelled=*/true);
  EXPECT_EQ(prefiller.asked, 0);
  EXPECT_TRUE(model->store()->list().empty());
  // The same without a label.
  read(*model, {text.begin() + 200, text.end()}, /*is_labelled=*/false);
  EXPECT_EQ(prefiller.asked, 1);
  EXPECT_FALSE(model->store()->list().empty());
}

}  // namespace
}  // namespace hearth::testing
