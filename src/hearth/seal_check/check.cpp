#include "hearth/seal_check/check.h"

#include <algorithm>
#include <random>

#include "hearth/seal_check/canary.h"

namespace hearth::seal_check {
namespace {

using Trouble = House::Trouble;

Json user(const std::string& text) { return Json::object({{"role", "user"}, {"content", text}}); }
Json assistant(const std::string& text) { return Json::object({{"role", "assistant"}, {"content", text}}); }

Json request(Json::Array messages, Json more = Json::object()) {
  Json out = Json::object({{"model", "any"}, {"max_tokens", 64}, {"messages", Json(std::move(messages))}});
  for (auto& [key, value] : more.as_object()) out.set(key, value);
  return out;
}

// One step: what is done with its canary.
struct Step {
  std::string name;
  std::function<void(const std::string& canary)> play;
};

class Day {
 public:
  Day(House& house, std::uint64_t seed) : house_(house), seed_(seed) {}

  Result<CheckReport> play(const StopToken& stop) {
    for (const Step& step : steps()) {
      if (stop.stop_requested()) return fail(Code::cancelled, "the seal check was stopped");
      const std::string canary = make_canary(seed_ + 7919 * ++count_);
      step.play(canary);
      look(step.name, canary);
    }
    report_.search_works = positive_control();
    return std::move(report_);
  }

 private:
  static constexpr std::string_view messages = "/v1/messages";
  static constexpr std::string_view chat = "/v1/chat/completions";

  net::Headers as(const std::string& key, std::vector<net::Headers::Field> more = {}) const {
    net::Headers out{{"x-api-key", key}, {"host", "127.0.0.1"}, {"content-type", "application/json"}};
    for (auto& [name, value] : more) out.set(name, value);
    return out;
  }
  net::Headers sealed(std::vector<net::Headers::Field> more = {}) const { return as(house_.sealed_key(), std::move(more)); }
  net::Headers open(std::vector<net::Headers::Field> more = {}) const { return as(house_.open_key(), std::move(more)); }

  // Long enough to be known again; says nothing.
  static std::string sentence(const std::string& canary) {
    return "Please think about " + canary + " and tell me slowly what you make of it tonight.";
  }
  void ask(std::string_view path, Json body, net::Headers headers) {
    const HouseReply reply = house_.post(std::string(path), body, std::move(headers));
    if (reply.status >= 400) refusals_ += reply.body + "\n";
  }

  void look(const std::string& step, const std::string& canary) {
    CanarySearch search;
    search.plant(canary);
    const auto path = [&](std::string_view where, std::string_view bytes) {
      const auto seen = search.find(bytes);
      report_.paths.push_back({step + ": " + std::string(where), seen.has_value(), seen ? seen->form : ""});
    };
    path("sent beyond the house", house_.sent());
    path("log", house_.log());
    path("metrics", house_.metrics());
    path("refusals", refusals_);
    path("audit", house_.audit());
    path("crash report", house_.crash_report());
    PathResult disk{step + ": disk", false, ""};
    for (const std::string& file : house_.disk()) {
      if (const auto seen = search.find(file)) disk = {disk.name, true, seen->form};
    }
    report_.paths.push_back(std::move(disk));
    refusals_.clear();
  }

  bool positive_control() {
    const std::string canary = make_canary(seed_ + 1);
    CanarySearch search;
    search.plant(canary);
    house_.set_trouble(Trouble::none);
    house_.post(std::string(messages), request({user(canary)}), open({{"x-hearth-class", "away"}}));
    return search.find(house_.sent()).has_value();
  }

  std::vector<Step> steps() {
    std::vector<Step> out;
    const auto add = [&](std::string name, std::function<void(const std::string&)> play) { out.push_back({std::move(name), std::move(play)}); };
    const net::Headers::Field away = {"x-hearth-class", "away"};  // the user's own misrouting
    for (const std::string_view path : {messages, chat}) {
      add("chat under a sealed key, " + std::string(path), [=, this](const std::string& c) { ask(path, request({user(c)}), sealed()); });
      add("chat with a sealed header, " + std::string(path), [=, this](const std::string& c) {
        ask(path, request({user(c)}), open({away, {"x-hearth-label", "sealed"}}));
      });
    }
    add("sealed key, sent to a class of services outside", [=, this](const std::string& c) { ask(messages, request({user(c)}), sealed({away})); });
    add("sealed key, a forged open header", [=, this](const std::string& c) {
      ask(messages, request({user(c)}), sealed({away, {"x-hearth-label", "open"}}));
    });
    add("a header that is no label", [=, this](const std::string& c) {
      ask(messages, request({user(c)}), open({away, {"x-hearth-label", "none"}}));
    });
    add("sealed session, continued under an open key", [=, this](const std::string& c) {
      const net::Headers::Field session = {"x-claude-code-session-id", "s-" + c.substr(0, 6)};
      ask(messages, request({user("hello")}), sealed({session}));
      ask(messages, request({user(c)}), open({session, away}));
    });
    add("sealed question, asked again under an open key", [=, this](const std::string& c) {
      ask(messages, request({user(sentence(c))}), sealed());
      ask(messages, request({user(sentence(c)), assistant("yes"), user("go on")}), open({away}));
    });
    add("sealed answer, sent back under an open key", [=, this](const std::string& c) {
      house_.set_answer(sentence(c));
      ask(messages, request({user("well?")}), sealed());
      house_.set_answer("ok");
      ask(messages, request({user("well?"), assistant(sentence(c)), user("go on")}), open({away}));
    });
    add("sealed document, in a block beside other words under an open key", [=, this](const std::string& c) {
      const Json document = Json::object({{"type", "document"}, {"source", Json::object({{"type", "text"}, {"media_type", "text/plain"}, {"data", sentence(c)}})}});
      const auto with = [&](const std::string& text) { return Json::array({document, Json::object({{"type", "text"}, {"text", text}})}); };
      ask(messages, request({Json::object({{"role", "user"}, {"content", with("read it")}})}), sealed());
      ask(messages, request({Json::object({{"role", "user"}, {"content", with("and this?")}})}), open({away}));
    });
    add("sealed answer, sent back as signed thinking and as a system prompt", [=, this](const std::string& c) {
      house_.set_answer(sentence(c));
      ask(messages, request({user("tell me")}), sealed());
      house_.set_answer("ok");
      const Json thinking = Json::object({{"type", "thinking"}, {"thinking", sentence(c)}, {"signature", std::string(128, 's')}});
      const Json thought = Json::object({{"role", "assistant"}, {"content", Json::array({thinking, Json::object({{"type", "text"}, {"text", "so"}})})}});
      ask(messages, request({user("hm"), thought, user("go on")}), open({away}));
      ask(messages, request({user("another")}, Json::object({{"system", sentence(c)}})), open({away}));
    });
    add("title and sub-agent of a sealed conversation, without its session", [=, this](const std::string& c) {
      ask(messages, request({user(sentence(c))}), sealed({{"x-claude-code-session-id", "t-" + c.substr(0, 6)}}));
      ask(chat, request({Json::object({{"role", "system"}, {"content", "Write a title."}}), user(sentence(c))}), open({away}));
    });
    add("a tool that reads a sealed folder", [=, this](const std::string& c) {
      const Json use = Json::object({{"type", "tool_use"}, {"id", "toolu_" + c.substr(0, 12)}, {"name", "Read"},
                                     {"input", Json::object({{"file_path", house_.sealed_folder() + "/a.md"}})}});
      const Json result = Json::object({{"type", "tool_result"}, {"tool_use_id", "toolu_" + c.substr(0, 12)}, {"content", c}});
      Json called = Json::object({{"role", "assistant"}, {"content", Json::array({use})}});
      Json answered = Json::object({{"role", "user"}, {"content", Json::array({result})}});
      const Json tools = Json::array({Json::object({{"name", "Read"}, {"description", "reads"}, {"input_schema", Json::object({{"type", "object"}})}})});
      ask(messages, request({user("read it"), std::move(called), std::move(answered)}, Json::object({{"tools", tools}})), open({away}));
    });
    add("a private key", [=, this](const std::string& c) {
      ask(messages, request({user("-----BEGIN PRIVATE KEY-----\n" + c)}), open({away}));
    });
    add("a card's number", [=, this](const std::string& c) { ask(messages, request({user("4111 1111 1111 1111 " + c)}), open({away})); });
    add("a marker in the text", [=, this](const std::string& c) { ask(messages, request({user("[[sealed]] " + c)}), open({away})); });
    add("a prompt of token ids", [=, this](const std::string& c) {
      Json ids = Json::array();
      for (const char letter : c) ids.push(static_cast<int>(letter));
      ask("/v1/completions", Json::object({{"model", "any"}, {"max_tokens", 4}, {"prompt", std::move(ids)}}), open({away}));
    });
    add("a body that is no JSON", [=, this](const std::string& c) {
      const HouseReply reply = house_.post_text(std::string(messages), "{\"messages\": " + c, sealed());
      refusals_ += reply.body;
    });
    add("a field of the wrong type", [=, this](const std::string& c) {
      ask(messages, request({user("hi")}, Json::object({{"max_tokens", c}})), sealed());
      ask(messages, request({Json::object({{"role", c}, {"content", "hi"}})}), sealed());
    });
    add("the model is gone", [=, this](const std::string& c) { in_trouble(Trouble::model_gone, c, away); });
    add("the queue is full", [=, this](const std::string& c) { in_trouble(Trouble::queue_full, c, away); });
    add("the model fails in the middle", [=, this](const std::string& c) { in_trouble(Trouble::model_fails, c, away); });
    add("the audit log cannot be written", [=, this](const std::string& c) {
      house_.set_trouble(Trouble::audit_full);
      ask(messages, request({user(c)}), open({away}));  // open work, even
      house_.set_trouble(Trouble::none);
    });
    for (const char* label : {"sealed", "house", "", "open;sealed", "OPEN"}) {
      add("the way out asked directly, label '" + std::string(label) + "'", [=, this](const std::string& c) {
        net::Headers headers{{"x-hearth-conversation", "c-1"}, {"x-hearth-client", "k-1"}, {"x-hearth-reasons", "[]"}};
        if (*label != '\0') headers.set("x-hearth-label", label);
        const HouseReply reply = house_.post_to_egress(dump_json(request({user(c)})), headers);
        refusals_ += reply.body;
      });
    }
    add("a sealed item before a judge", [this](const std::string& c) { house_.judge(sentence(c)); });
    add("a transcript and its KV", [this](const std::string& c) { house_.keep(sentence(c)); });
    add("after a restart, under an open key", [=, this](const std::string& c) {
      const net::Headers::Field session = {"x-claude-code-session-id", "r-" + c.substr(0, 6)};
      ask(messages, request({user(sentence(c))}), sealed({session}));
      if (const auto again = house_.restart(); !again) refusals_ += again.error().message;
      ask(messages, request({user(sentence(c)), assistant("yes"), user("go on")}), open({away}));
      ask(messages, request({user(c)}), open({session, away}));
    });
    return out;
  }

  void in_trouble(Trouble trouble, const std::string& canary, const net::Headers::Field& away) {
    house_.set_trouble(trouble);
    ask(messages, request({user(canary)}), sealed({away}));
    ask(messages, request({user(canary)}), sealed());
    ask(chat, request({user(canary)}), open({{"x-hearth-class", "tried here first"}, {"x-hearth-label", "sealed"}}));
    house_.set_trouble(Trouble::none);
  }

  House& house_;
  const std::uint64_t seed_;
  std::uint64_t count_ = 0;
  std::string refusals_;
  CheckReport report_;
};

}  // namespace

std::size_t CheckReport::leaks() const {
  return static_cast<std::size_t>(std::ranges::count_if(paths, [](const PathResult& path) { return path.leaked; }));
}

Json to_json(const CheckReport& report) {
  Json paths = Json::array();
  for (const PathResult& path : report.paths) {
    Json one = Json::object({{"name", path.name}, {"leaked", path.leaked}});
    if (path.leaked) one.set("how", path.how);
    paths.push(std::move(one));
  }
  return Json::object({{"paths", std::move(paths)}, {"search_works", report.search_works}, {"sealed", report.is_sealed()}});
}

Result<CheckReport> run_check(House& house, const StopToken& stop, std::optional<std::uint64_t> seed) {
  std::random_device device;
  return Day(house, seed ? *seed : (std::uint64_t{device()} << 32 | device())).play(stop);
}

}  // namespace hearth::seal_check
