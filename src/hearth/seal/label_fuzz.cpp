// Text from clients, through everything that labels look at; rules and logs from files.
#include "hearth/base/check.h"
#include "hearth/seal/chained_log.h"
#include "hearth/seal/detector.h"
#include "hearth/seal/known_text.h"
#include "hearth/seal/rules.h"

using namespace hearth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<seal::UserPattern> patterns = {{"p", "ab#?c"}};
  for (const seal::Found& found : seal::find_secrets(text, patterns)) CHECK(found.at < size);
  (void)seal::parse_folder_rule(text);
  (void)seal::parse_label(text);
  (void)seal::verify_chain(text, nullptr, "key");
  chat::ChatRequest request;
  request.conversation.messages.push_back({.role = chat::Role::user, .text = std::string(text)});
  seal::LabelRules rules;
  rules.folders = {{"/a/b", seal::Label::sealed}};
  (void)seal::label_of_text(rules, request);
  const seal::FingerprintMaker maker("key");
  const auto body = parse_json(text);
  (void)maker.of_request(request, body ? &*body : nullptr);
  if (body) {
    (void)maker.of_strings(*body);
    (void)seal::label_of_text(rules, request, &*body);
  }
  return 0;
}
