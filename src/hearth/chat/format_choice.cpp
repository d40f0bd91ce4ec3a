#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hearth/chat/chatml_format.h"
#include "hearth/chat/format.h"
#include "hearth/chat/kimi_format.h"
#include "hearth/chat/llama3_format.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kimi_system = "You are Kimi, an AI assistant created by Moonshot AI.";
constexpr std::string_view early_kimi_system = "You are a helpful assistant";

constexpr KimiTraits kimi_k2{.name = "kimi-k2", .default_system = kimi_system};
constexpr KimiTraits kimi_thinking{
    .name = "kimi-k2-thinking", .default_system = kimi_system, .thinking = true};
constexpr KimiTraits kimi_k25{.name = "kimi-k2.5",
                              .default_system = kimi_system,
                              .tools = KimiTraits::Tools::typescript,
                              .thinking = true,
                              .prompt_opens = true};
constexpr ChatMlTraits chatml{.name = "chatml"};
constexpr ChatMlTraits qwen3{.name = "qwen3", .thinking = ChatMlTraits::Thinking::qwen3};
constexpr ChatMlTraits coder{.name = "qwen3-coder", .tools = ChatMlTraits::Tools::coder};
constexpr ChatMlTraits qwen35{.name = "qwen3.5",
                              .tools = ChatMlTraits::Tools::tag_json,
                              .thinking = ChatMlTraits::Thinking::qwen35,
                              .prompt_opens = true,
                              .trims_text = true,
                              .late_system = false};

constexpr std::array<std::string_view, 11> names = {
    "kimi-k2",  "kimi-k2-thinking", "kimi-k2.5",   "kimi-k2.5-json", "kimi-k2.6", "kimi-k2.6-json",
    "qwen3",    "qwen3-coder",      "qwen3.5",     "chatml",         "llama3"};

KimiTraits with_json_tools(KimiTraits traits, std::string_view name) {
  traits.name = name;
  traits.tools = KimiTraits::Tools::json_compact;
  return traits;
}

KimiTraits renamed(KimiTraits traits, std::string_view name) {
  traits.name = name;
  return traits;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::unique_ptr<Format> choose_kimi(std::string_view text) {
  KimiTraits traits = kimi_k2;
  if (has(text, "tools_ts_str")) {
    traits = kimi_k25;
  } else if (has(text, "<think>")) {
    traits = kimi_thinking;
  }
  if (has(text, "separators")) {
    if (traits.tools == KimiTraits::Tools::json_spaced) {
      traits.tools = KimiTraits::Tools::json_compact;
    }
  }
  if (!has(text, kimi_system)) {
    traits.default_system = has(text, early_kimi_system) ? early_kimi_system : std::string_view();
  }
  return make_kimi_format(traits);
}

std::unique_ptr<Format> choose_chatml(std::string_view text) {
  if (has(text, "<function=")) {
    if (!has(text, "<think>")) return make_chatml_format(coder);
    ChatMlTraits traits = qwen35;
    traits.json_scalars = has(text, "string if args_value is string else args_value | tojson");
    return make_chatml_format(traits);
  }
  return make_chatml_format(has(text, "<think>") ? qwen3 : chatml);
}

std::unique_ptr<Format> choose_without_template(const ModelHints& hints) {
  const auto token = [&](std::string_view text) { return hints.has_token && hints.has_token(text); };
  if (token("<|im_middle|>")) {
    return make_kimi_format(token("<think>") ? kimi_k25 : kimi_k2);
  }
  if (token("<|start_header_id|>")) return make_llama3_format();
  if (hints.architecture.starts_with("qwen35")) return make_chatml_format(qwen35);
  if (hints.architecture.starts_with("qwen3")) return make_chatml_format(qwen3);
  return make_chatml_format(chatml);
}

}  // namespace

std::span<const std::string_view> format_names() { return names; }

Result<std::unique_ptr<Format>> make_format(std::string_view name) {
  if (name == "kimi-k2") return make_kimi_format(kimi_k2);
  if (name == "kimi-k2-thinking") return make_kimi_format(kimi_thinking);
  if (name == "kimi-k2.5") return make_kimi_format(kimi_k25);
  if (name == "kimi-k2.6") return make_kimi_format(renamed(kimi_k25, "kimi-k2.6"));
  if (name == "kimi-k2.5-json") return make_kimi_format(with_json_tools(kimi_k25, "kimi-k2.5-json"));
  if (name == "kimi-k2.6-json") return make_kimi_format(with_json_tools(kimi_k25, "kimi-k2.6-json"));
  if (name == "qwen3") return make_chatml_format(qwen3);
  if (name == "qwen3-coder") return make_chatml_format(coder);
  if (name == "qwen3.5") return make_chatml_format(qwen35);
  if (name == "chatml") return make_chatml_format(chatml);
  if (name == "llama3") return make_llama3_format();
  return fail(Code::not_found,
              fmt::format("unknown chat format '{}'; known are {}", name, fmt::join(names, ", ")));
}

std::unique_ptr<Format> choose_format(const ModelHints& hints) {
  const std::string_view text = hints.template_text;
  if (has(text, "<|im_middle|>")) return choose_kimi(text);
  if (has(text, "<|start_header_id|>")) return make_llama3_format();
  if (has(text, "<|im_start|>")) return choose_chatml(text);
  return choose_without_template(hints);
}

std::vector<std::string> single_token_markers(const Format& format, const ModelHints& hints) {
  std::vector<std::string> out;
  if (!hints.has_token) return out;
  for (const std::string_view marker : format.markers()) {
    if (hints.has_token(marker)) out.emplace_back(marker);
  }
  return out;
}

}  // namespace hearth::chat
