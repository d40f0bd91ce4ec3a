#include "hearth/seal/client_profile.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::seal {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

// The vendor's own documentation names them (data usage, network configuration, gateway protocol).
Variables claude(const std::string& url, std::string_view key) {
  return {{"ANTHROPIC_BASE_URL", url},
          {"ANTHROPIC_AUTH_TOKEN", key.empty() ? "none" : std::string(key)},
          {"ANTHROPIC_CUSTOM_HEADERS", "X-Hearth-Label: sealed"},
          {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"},
          {"CLAUDE_CODE_DISABLE_FAST_MODE", "1"},
          {"CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL", "1"},
          {"CLAUDE_CODE_DISABLE_ARTIFACT", "1"},
          {"CLAUDE_CODE_ATTRIBUTION_HEADER", "0"},
          {"CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK", "1"},
          {"DISABLE_TELEMETRY", "1"},
          {"DISABLE_ERROR_REPORTING", "1"},
          {"DISABLE_FEEDBACK_COMMAND", "1"},
          {"DISABLE_UPDATES", "1"},
          {"ENABLE_CLAUDEAI_MCP_SERVERS", "false"},
          {"API_TIMEOUT_MS", "3600000"},
          {"CLAUDE_STREAM_IDLE_TIMEOUT_MS", "1800000"},
          {"API_FORCE_IDLE_TIMEOUT", "0"}};
}

Variables openai(const std::string& url, std::string_view key) {
  return {{"OPENAI_BASE_URL", url + "/v1"}, {"OPENAI_API_KEY", key.empty() ? "none" : std::string(key)}};
}

void append(Variables& to, Variables more) {
  for (auto& each : more) to.push_back(std::move(each));
}

std::string_view name_of(std::string_view line) { return line.substr(0, line.find('=')); }

}  // namespace

ClientProfile client_profile(const ProfileInputs& inputs) {
  const std::string url = fmt::format("http://127.0.0.1:{}", inputs.port);
  const std::string_view program = inputs.program.substr(inputs.program.rfind('/') + 1);
  ClientProfile out;
  if (program == "claude" || program == "codex" || program == "opencode") out.name = program;
  out.variables = {{"HEARTH_URL", url}, {"NO_PROXY", "127.0.0.1,localhost"}, {"no_proxy", "127.0.0.1,localhost"}};
  if (out.name != "codex") append(out.variables, claude(url, inputs.key));
  if (out.name != "claude") append(out.variables, openai(url, inputs.key));
  if (out.name == "opencode") {
    append(out.variables, {{"OPENCODE_DISABLE_MODELS_FETCH", "1"}, {"OPENCODE_DISABLE_AUTOUPDATE", "1"},
                           {"OPENCODE_DISABLE_SHARE", "1"}, {"OPENCODE_DISABLE_LSP_DOWNLOAD", "1"}});
  }
  return out;
}

const std::vector<std::string>& withheld_variables() {
  static const std::vector<std::string> all = {
      "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "ANTHROPIC_API_KEY",
      "OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "CLAUDE_CODE_OAUTH_TOKEN",
      "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "GITHUB_TOKEN", "GH_TOKEN", "SSH_AUTH_SOCK",
      "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "HEARTH_API_KEY"};
  return all;
}

std::vector<std::string> sealed_environment(const std::vector<std::string>& inherited, const ClientProfile& profile) {
  std::vector<std::string> out;
  for (const std::string& line : inherited) {
    const std::string_view name = name_of(line);
    const bool is_set_anew = std::ranges::any_of(profile.variables, [&](const auto& v) { return v.first == name; });
    if (!is_set_anew && std::ranges::find(withheld_variables(), name) == withheld_variables().end()) out.push_back(line);
  }
  for (const auto& [name, value] : profile.variables) out.push_back(name + "=" + value);
  return out;
}

std::string sandbox_profile(std::uint16_t port) {
  return fmt::format(
      "(version 1)\n"
      "(allow default)\n"
      "(deny network*)\n"
      "(allow network-outbound (remote ip \"localhost:{}\"))\n"
      "(deny mach-lookup (global-name \"com.apple.nsurlsessiond\"))\n"
      "(deny mach-lookup (global-name \"com.apple.SystemConfiguration.DNSConfiguration\"))\n"
      "(deny process-exec (literal \"/usr/bin/open\"))\n"
      "(deny process-exec (literal \"/usr/bin/osascript\"))\n",
      port);
}

}  // namespace hearth::seal
