#include "hearth/seal/rules.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::seal {
namespace {

bool ends_a_name(char c) {
  return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.');
}

// The folder itself or something in it; "/home/me/diaryx" is not in "/home/me/diary".
bool names_folder(std::string_view text, std::string_view folder) {
  for (std::size_t at = text.find(folder); at != text.npos; at = text.find(folder, at + 1)) {
    const std::size_t end = at + folder.size();
    if ((at == 0 || ends_a_name(text[at - 1])) && (end == text.size() || ends_a_name(text[end]) ||
                   (text[end] == '.' && (end + 1 == text.size() || ends_a_name(text[end + 1]))))) {
      return true;
    }
  }
  return false;
}

std::string home_form(const LabelRules& rules, const FolderRule& rule) {
  if (rules.home.empty() || !rule.folder.starts_with(rules.home + "/")) return {};
  return "~" + rule.folder.substr(rules.home.size());
}

}  // namespace

Result<std::pair<std::string, Label>> parse_label_rule(std::string_view text) {
  const auto equals = text.rfind('=');
  if (equals == text.npos || equals == 0) return fail(Code::invalid_argument, "a label rule is WHAT=LABEL, for example /home/me/diary=sealed");
  const Label label = TRY(parse_label(text.substr(equals + 1)));
  return std::pair(std::string(text.substr(0, equals)), label);
}

Result<FolderRule> parse_folder_rule(std::string_view text) {
  auto [folder, label] = TRY(parse_label_rule(text));
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  const bool is_plain = folder.starts_with('/') && folder.find("//") == folder.npos && folder.find("/../") == folder.npos &&
                        std::ranges::count(folder, '/') >= 2;
  if (!is_plain) {
    return fail(Code::invalid_argument, fmt::format("{}: a folder rule names a whole path of at least two parts, for example "
                                                    "/home/me/diary=sealed", folder));
  }
  return FolderRule{std::move(folder), label};
}

LabelDecision label_of_sender(const LabelRules& rules, const LabelInputs& inputs) {
  LabelDecision out;
  out.add(Reason{Source::default_rule, rules.fallback, "default"});
  if (const auto key = rules.keys.find(inputs.client); key != rules.keys.end()) {
    out.add(Reason{Source::key, key->second, "key " + inputs.client});
  }
  if (inputs.header) {
    if (const auto label = parse_label(*inputs.header)) {
      out.add(Reason{Source::header, *label, "X-Hearth-Label"});
    } else {
      out.add(Reason{Source::failure, Label::sealed, "X-Hearth-Label is no label"});
    }
  }
  return out;
}

bool for_each_text(const chat::ChatRequest& request, const std::function<void(std::string_view text)>& use) {
  if (request.raw_prompt) {
    const auto* text = std::get_if<std::string>(&*request.raw_prompt);
    if (text != nullptr) use(*text);
    return text != nullptr;
  }
  for (const chat::Message& message : request.conversation.messages) {
    use(message.text);
    use(message.thinking);
    for (const chat::ToolCall& call : message.calls) {
      use(call.raw_arguments);
      use(dump_json(call.arguments));
    }
  }
  for (const chat::Tool& tool : request.conversation.tools) use(tool.description);
  return true;
}

LabelDecision label_of_text(const LabelRules& rules, const chat::ChatRequest& request) {
  LabelDecision out;
  const bool is_readable = for_each_text(request, [&](std::string_view text) {
    if (text.empty()) return;
    for (std::size_t i = 0; i < rules.folders.size(); ++i) {
      const FolderRule& rule = rules.folders[i];
      if (rule.label <= Label::open) continue;
      const std::string home = home_form(rules, rule);
      if (names_folder(text, rule.folder) || (!home.empty() && names_folder(text, home))) {
        out.add(Reason{Source::folder, rule.label, fmt::format("folder {}", i + 1)});
      }
    }
    for (const Found& found : find_secrets(text, rules.patterns)) {
      out.add(Reason{Source::detector, found.label, found.rule});
    }
  });
  if (!is_readable) out.add(Reason{Source::failure, Label::sealed, "a prompt of token ids cannot be read"});
  return out;
}

}  // namespace hearth::seal
