// The service is a script; a real llama-server is asked in tests/e2e/check_test.py.
#include "hearth/check/template_check.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hearth::check {
namespace {

constexpr std::string_view chatml =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

// Tells its template, and what that makes of anything; to nobody without its key.
class KeyedServer final : public net::HttpClient {
 public:
  Result<net::ClientReply> send(const net::ClientRequest& request, Deadline, const StopToken&) override {
    const bool may = request.headers.get("Authorization") == "Bearer secret";
    const Json json = request.target.ends_with("/props") ? Json::object({{"chat_template", chatml}}) : Json::object({{"prompt", prompt}});
    const std::string text = may ? dump_json(json) : "{}";
    net::ClientReply out{.status = may ? 200 : 401, .headers = {}, .body = TRY(Buffer::create(text.size()))};
    std::ranges::copy(as_byte_span(text), out.body.data());
    return out;
  }
  Result<std::unique_ptr<net::ResponseStream>> open_stream(const net::ClientRequest&, Deadline, const StopToken&) override {
    return fail(Code::internal, "nothing is streamed here");
  }
  std::string prompt = "another";
};

TemplateFacts asked(KeyedServer& server, const std::string& key) {
  return gather_template(server, net::parse_url("http://127.0.0.1:9").value(), key, Deadline::after(std::chrono::seconds(10)), {});
}

std::vector<std::string> ids(const TemplateFacts& facts) {
  std::vector<std::string> out;
  for (const Finding& one : template_render_findings(facts)) out.push_back(one.id);
  return out;
}

TEST(Template, AServiceWithAKeyIsComparedAndToldApart) {
  KeyedServer server;
  const TemplateFacts differs = asked(server, "secret");
  EXPECT_EQ(differs.reference, "another");
  EXPECT_EQ(ids(differs), std::vector<std::string>{"template.renders_differently"}) << differs.fault;
  server.prompt = differs.ours;
  EXPECT_EQ(ids(asked(server, "secret")), std::vector<std::string>{});
  EXPECT_EQ(ids(asked(server, "")), std::vector<std::string>{"template.no_reference"});
  EXPECT_EQ(ids(asked(server, "wrong")), std::vector<std::string>{"template.no_reference"});
}

}  // namespace
}  // namespace hearth::check
