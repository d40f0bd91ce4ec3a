#include "hearth/eval/suite/item.h"

#include <fmt/format.h>

#include <array>

namespace hearth::eval {
namespace {

constexpr std::array<std::string_view, task_class_count> class_names = {"code", "retrieval", "reasoning", "writing", "planning"};
constexpr std::array<std::string_view, 3> egress_names = {"deny", "judge", "open"};
// What the digests are digests of: a change of their form changes them all.
constexpr std::string_view digest_form = "hearth eval item 1";

template <class Enum, std::size_t n>
Result<Enum> parse_name(const std::array<std::string_view, n>& names, std::string_view name, std::string_view what) {
  std::string known;
  for (std::size_t i = 0; i < n; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
    known += fmt::format("{}{}", i ? ", " : "", names[i]);
  }
  return fail(Code::invalid_argument, fmt::format("'{}' is no {}; expected one of {}", name, what, known));
}

Json messages_json(const Item& item) {
  Json out = Json::array();
  for (const chat::Message& message : item.messages) {
    out.push(Json::object({{"role", chat::role_name(message.role)}, {"text", message.text}}));
  }
  return out;
}

Digest256 digest_of(const Json& value) {
  return Blake2b().update_sized(digest_form).update_sized(dump_json(value)).finish();
}

}  // namespace

std::string_view class_name(TaskClass task_class) { return class_names[static_cast<std::size_t>(task_class)]; }
Result<TaskClass> parse_class(std::string_view name) { return parse_name<TaskClass>(class_names, name, "class"); }

std::string_view egress_name(Egress egress) { return egress_names[static_cast<std::size_t>(egress)]; }
Result<Egress> parse_egress(std::string_view name) { return parse_name<Egress>(egress_names, name, "egress flag"); }

Digest256 prompt_digest(const Item& item) {
  return digest_of(Json::object({{"messages", messages_json(item)}, {"max_tokens", item.max_tokens}}));
}

Digest256 item_digest(const Item& item) {
  return digest_of(Json::object({{"id", item.id},
                                 {"class", class_name(item.task_class)},
                                 {"cluster", item.cluster},
                                 {"egress", egress_name(item.egress)},
                                 {"messages", messages_json(item)},
                                 {"max_tokens", item.max_tokens},
                                 {"grader", grader_json(item.grader)}}));
}

std::uint64_t prompt_tokens_about(const Item& item) {
  std::uint64_t bytes = 0;
  for (const chat::Message& message : item.messages) bytes += message.text.size();
  return (bytes + bytes_per_token - 1) / bytes_per_token;
}

}  // namespace hearth::eval
