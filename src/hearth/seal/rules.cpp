#include "hearth/seal/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

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

namespace {

constexpr int escape_levels_max = 3;
constexpr std::size_t unicode_digits = 4;

// What is no text: pictures and what only its service can open. metadata never leaves.
bool is_opaque(std::string_view key, const Json& object) {
  const Json* type = object.find("type");
  const bool is_base64 = type != nullptr && type->is_string() && type->as_string() == "base64";
  return (key == "data" && is_base64) || key == "signature" || key == "encrypted_content";
}

// Every string and key of a body. Depth is bounded by the parser.
void for_each_string(const Json& value, const std::function<void(std::string_view text)>& use) {
  if (value.is_string()) {
    if (!value.as_string().starts_with("data:")) use(value.as_string());
  } else if (value.is_array()) {
    for (const Json& item : value.as_array()) for_each_string(item, use);
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      use(key);
      if (!is_opaque(key, value)) for_each_string(member, use);
    }
  }
}

void for_each_string_of_body(const Json& body, const std::function<void(std::string_view text)>& use) {
  if (!body.is_object()) return for_each_string(body, use);
  for (const auto& [key, member] : body.as_object()) {
    if (key != "metadata") for_each_string(member, use);
  }
}

// One level of a JSON string's escapes taken off; what is none stays.
std::string without_escapes(std::string_view text) {
  constexpr std::string_view letters = "nrtbf", meant = "\n\r\t\b\f";
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char escaped = text[++i];
    unsigned code = 0;
    const std::string_view digits = text.substr(i + 1, unicode_digits);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (escaped == 'u' && read.ptr == digits.data() + unicode_digits && code < 0x80) {
      out += static_cast<char>(code);
      i += unicode_digits;
    } else {
      const auto at = letters.find(escaped);
      out += at == letters.npos ? escaped : meant[at];
    }
  }
  return out;
}

}  // namespace

LabelDecision label_of_text(const LabelRules& rules, const chat::ChatRequest& request, const Json* body) {
  LabelDecision out;
  const auto look_once = [&](std::string_view text) {
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
  };
  // The arguments of a call are JSON within JSON: a folder that begins a line there follows the letter n.
  const auto look_at = [&](std::string_view text) {
    look_once(text);
    std::string plain;
    for (int level = 0; level < escape_levels_max && text.find('\\') != text.npos; ++level) {
      plain = without_escapes(text);
      look_once(plain);
      text = plain;
    }
  };
  const bool is_readable = for_each_text(request, look_at);
  if (body != nullptr) for_each_string_of_body(*body, look_at);
  if (!is_readable) out.add(Reason{Source::failure, Label::sealed, "a prompt of token ids cannot be read"});
  return out;
}

}  // namespace hearth::seal
