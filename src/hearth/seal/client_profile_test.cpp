#include "hearth/seal/client_profile.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hearth::seal {
namespace {

bool has(const std::vector<std::string>& lines, std::string_view line) { return std::ranges::find(lines, line) != lines.end(); }

TEST(ClientProfile, KnowsClientsByTheirProgramsName) {
  EXPECT_EQ(client_profile({"/opt/bin/claude", 8484, ""}).name, "claude");
  EXPECT_EQ(client_profile({"codex", 8484, ""}).name, "codex");
  EXPECT_EQ(client_profile({"python3", 8484, ""}).name, "");
}

TEST(ClientProfile, PointsEveryClientAtTheGateway) {
  for (const char* program : {"claude", "codex", "opencode", "python3"}) {
    const auto lines = sealed_environment({}, client_profile({program, 1234, "key"}));
    const bool anthropic = has(lines, "ANTHROPIC_BASE_URL=http://127.0.0.1:1234");
    const bool openai = has(lines, "OPENAI_BASE_URL=http://127.0.0.1:1234/v1");
    EXPECT_TRUE(anthropic || openai) << program;
  }
}

TEST(ClientProfile, ASealedClientInheritsNoWayAroundAndNoForeignKey) {
  const std::vector<std::string> inherited = {"PATH=/bin", "HTTPS_PROXY=http://proxy:3128", "ANTHROPIC_API_KEY=sk-ant-x",
                                              "ANTHROPIC_BASE_URL=https://api.anthropic.com", "SSH_AUTH_SOCK=/tmp/agent"};
  const auto lines = sealed_environment(inherited, client_profile({"claude", 8484, ""}));
  EXPECT_TRUE(has(lines, "PATH=/bin"));
  for (const std::string& line : lines) {
    EXPECT_EQ(line.find("proxy:3128"), line.npos);
    EXPECT_EQ(line.find("sk-ant-x"), line.npos);
    EXPECT_EQ(line.find("api.anthropic.com"), line.npos);
    EXPECT_EQ(line.find("agent"), line.npos);
  }
}

TEST(SandboxProfile, DeniesAllButOnePort) {
  const std::string text = sandbox_profile(8484);
  EXPECT_LT(text.find("(deny network*)"), text.find("(allow network-outbound (remote ip \"localhost:8484\"))"));
  EXPECT_EQ(text.find("network-inbound"), text.npos);
  EXPECT_EQ(std::ranges::count(text, '('), std::ranges::count(text, ')'));
}

}  // namespace
}  // namespace hearth::seal
