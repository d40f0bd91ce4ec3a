// Every format renders every conversation byte for byte as its reference template does.
// UPDATE_GOLDEN=1 does not exist here on purpose: the files come from the templates
// (tests/golden/chat/render_templates.py), not from us.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/chat_json.h"

namespace hearth::chat {
namespace {

using test::read_text;

const std::filesystem::path golden = std::filesystem::path(HEARTH_SOURCE_DIR) / "tests/golden/chat";

std::vector<std::filesystem::path> conversations() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(golden / "conversations")) {
    out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

class RenderGolden : public testing::TestWithParam<std::string> {};

TEST_P(RenderGolden, EqualsTheReferenceTemplate) {
  const auto format = make_format(GetParam()).value();
  int compared = 0;
  for (const auto& path : conversations()) {
    const auto expected = golden / GetParam() / (path.stem().string() + ".txt");
    if (!std::filesystem::exists(expected)) continue;
    SCOPED_TRACE(path.filename().string());
    const Json json = parse_json(read_text(path)).value();
    const auto conversation = arrange(test::conversation_from_json(json));
    ASSERT_TRUE(conversation) << conversation.error().message;
    const auto rendering = format->render(*conversation, test::options_from_json(json));
    ASSERT_TRUE(rendering) << rendering.error().message;
    EXPECT_EQ(rendering->flat(), read_text(expected));
    ++compared;
  }
  EXPECT_GE(compared, 12);
}

INSTANTIATE_TEST_SUITE_P(Formats, RenderGolden,
                         testing::Values("kimi-k2", "kimi-k2-thinking", "kimi-k2.5", "qwen3",
                                         "qwen3-coder", "qwen3.5", "chatml", "llama3"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace_if(name.begin(), name.end(),
                                           [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

// The templates in the tree choose the format they were written for.
TEST(ChooseFormat, KnowsTheTemplates) {
  for (const char* name : {"kimi-k2", "kimi-k2-thinking", "kimi-k2.5", "qwen3", "qwen3-coder",
                           "qwen3.5", "chatml", "llama3"}) {
    const std::string text = read_text(golden / "templates" / (std::string(name) + ".jinja"));
    EXPECT_EQ(choose_format({text, {}, {}, {}})->name(), name);
  }
}

TEST(ChooseFormat, FallsBackToTokensThenArchitectureThenChatMl) {
  const auto kimi = [](std::string_view token) { return token == "<|im_middle|>"; };
  EXPECT_EQ(choose_format({{}, "deepseek2", {}, kimi})->name(), "kimi-k2");
  const auto llama = [](std::string_view token) { return token == "<|start_header_id|>"; };
  EXPECT_EQ(choose_format({{}, "llama", {}, llama})->name(), "llama3");
  EXPECT_EQ(choose_format({{}, "qwen3moe", {}, {}})->name(), "qwen3");
  EXPECT_EQ(choose_format({{}, "gpt2", {}, {}})->name(), "chatml");
}

TEST(ChooseFormat, TakesVariantsFromTheTemplatesText) {
  const Conversation tools{{{"now", "", Json()}}, {{.role = Role::user, .text = "x"}}};
  const auto compact =
      choose_format({"<|im_middle|> tools|tojson(separators=(',', ':'))", "", "", {}});
  EXPECT_NE(compact->render(tools, {}).value().flat().find("[{\"type\":\"function\""),
            std::string::npos);
  EXPECT_EQ(compact->render(tools, {}).value().flat().find("You are"), std::string::npos);
  const auto early = choose_format({"<|im_middle|>You are a helpful assistant", "", "", {}});
  EXPECT_NE(early->render({}, {}).value().flat().find("You are a helpful assistant<|im_end|>"),
            std::string::npos);
}

TEST(MakeFormat, NamesAllThatItKnows) {
  for (const auto name : format_names()) EXPECT_EQ(make_format(name).value()->name(), name);
  EXPECT_EQ(make_format("kimi").error().code, Code::not_found);
}

}  // namespace
}  // namespace hearth::chat
