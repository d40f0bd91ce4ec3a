#pragma once
// Which label a request gets from the rules that a user wrote, and from what is in it. Pure: what a
// conversation had before is conversations.h's, what text is known is known_text.h's.

#include <functional>
#include <map>
#include <optional>

#include "hearth/chat/exchange.h"
#include "hearth/seal/detector.h"
#include "hearth/seal/label.h"

namespace hearth::seal {

inline constexpr std::string_view label_header = "x-hearth-label";
inline constexpr std::size_t folder_rules_max = 256;

struct FolderRule {
  std::string folder;  // absolute, without a slash at its end
  Label label = Label::sealed;
};

struct LabelRules {
  Label fallback = Label::open;             // what nothing else labels
  std::map<std::string, Label> keys;        // by the client's name (Access::client_name)
  std::vector<FolderRule> folders;
  std::vector<UserPattern> patterns;
  std::string home;                         // "~/" in a text is this folder
};

// "/home/me/diary=sealed", "a-key=house": the label follows the last '='. invalid_argument otherwise.
Result<std::pair<std::string, Label>> parse_label_rule(std::string_view text);
// Absolute, of at least two parts: "/" or "/home" would seal everything.
Result<FolderRule> parse_folder_rule(std::string_view text);

struct LabelInputs {
  std::string client;                 // Access::client_name
  std::optional<std::string> header;  // of X-Hearth-Label
  const chat::ChatRequest& request;
  // The request as it came, if there is one: a service may be sent parts of it that `request` has no
  // place for (schemas, blocks of other tools, fields that are unknown here).
  const Json* body = nullptr;
};

// The label that key and header ask for. An unreadable header is sealed.
LabelDecision label_of_sender(const LabelRules& rules, const LabelInputs& inputs);
// What the text of the request says: folders it names, secrets in it. May only raise.
LabelDecision label_of_text(const LabelRules& rules, const chat::ChatRequest& request, const Json* body = nullptr);

// Every text of a request, for whoever searches it: messages, thinking, arguments of calls, tools.
// false: some of it cannot be read (token ids).
bool for_each_text(const chat::ChatRequest& request, const std::function<void(std::string_view text)>& use);

}  // namespace hearth::seal
