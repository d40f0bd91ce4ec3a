#include "tests/support/scripted_service.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "hearth/net/sse.h"

namespace hearth::test {
namespace {

constexpr Duration patience = std::chrono::seconds(20);

}  // namespace

struct ScriptedService::State {
  std::mutex mutex;
  std::condition_variable changed;
  Json replies;
  std::vector<SeenRequest> seen;
  bool left = false;
};

namespace {

class Pieces final : public net::BodySource {
 public:
  Pieces(std::vector<std::string> pieces, bool cut, std::function<void(const StopToken&)> hold)
      : pieces_(std::move(pieces)), cut_(cut), hold_(std::move(hold)) {}

  Result<ByteSpan> next(const StopToken& stop) override {
    if (at_ < pieces_.size()) return as_byte_span(pieces_[at_++]);
    if (hold_) hold_(stop);
    if (cut_) return fail(Code::unavailable, "cut");
    return ByteSpan{};
  }

 private:
  const std::vector<std::string> pieces_;
  const bool cut_;
  const std::function<void(const StopToken&)> hold_;
  std::size_t at_ = 0;
};

std::vector<std::string> pieces_of(const Json& reply) {
  std::vector<std::string> out;
  if (const Json* body = reply.find("body")) out.push_back(body->is_string() ? body->as_string() : dump_json(*body));
  if (const Json* pieces = reply.find("pieces")) {
    for (const Json& piece : pieces->as_array()) {
      // A JSON object is an event's data.
      out.push_back(piece.is_string() ? piece.as_string() : net::sse_event("", dump_json(piece)));
    }
  }
  return out;
}

const Json* member_at(const Json& value, std::string_view path) {
  const Json* here = &value;
  while (here != nullptr && !path.empty()) {
    const auto dot = std::min(path.find('.'), path.size());
    const std::string step(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
    if (here->is_array()) {
      const auto index = static_cast<std::size_t>(std::stoul(step));
      here = index < here->as_array().size() ? &here->as_array()[index] : nullptr;
    } else {
      here = here->find(step);
    }
  }
  return here;
}

}  // namespace

ScriptedService::ScriptedService(Json replies) : state_(std::make_shared<State>()) {
  state_->replies = std::move(replies);
  net::Router router;
  const auto answer = [state = state_](net::Request& request, const net::PathParams&) -> Result<net::Response> {
    Json reply;
    {
      const std::lock_guard hold(state->mutex);
      const std::size_t number = state->seen.size();
      state->seen.push_back({request.method, request.path, std::string(request.body_text()), request.headers});
      if (number >= state->replies.as_array().size()) return net::Response::text(599, "the script is over");
      reply = state->replies.as_array()[number];
    }
    const auto wait_for_leaving = [state](const StopToken& stop) {
      if (!stopped_while_waiting(stop, Deadline::after(patience))) return;
      const std::lock_guard hold(state->mutex);
      state->left = true;
      state->changed.notify_all();
    };
    if (*get_or<bool>(reply, "mute", false)) {
      wait_for_leaving(request.stop);
      return net::Response::text(599, "nobody waits for this");
    }
    net::Response out;
    out.status = static_cast<int>(*get_or<std::int64_t>(reply, "status", 200));
    out.headers.set("Content-Type", *get_or<std::string>(reply, "type", std::string(net::sse_content_type)));
    if (const Json* headers = reply.find("headers")) {
      for (const auto& [name, value] : headers->as_object()) out.headers.set(name, value.as_string());
    }
    std::function<void(const StopToken&)> hold_open;
    if (*get_or<bool>(reply, "hold", false)) hold_open = wait_for_leaving;
    out.body = std::make_unique<Pieces>(pieces_of(reply), *get_or<bool>(reply, "cut", false), std::move(hold_open));
    return out;
  };
  for (const std::string method : {"GET", "POST"}) {
    router.add(method, "/{rest*}", answer, {.body_bytes_max = 64u << 20});
  }
  auto listener = net::Listener::listen(net::Address::tcp("127.0.0.1", 0));
  server_ = *net::HttpServer::start(*std::move(listener), std::move(router));
}

ScriptedService::~ScriptedService() = default;

std::string ScriptedService::url() const { return "http://" + server_->address().text(); }

std::vector<SeenRequest> ScriptedService::seen() const {
  const std::lock_guard hold(state_->mutex);
  return state_->seen;
}

bool ScriptedService::wait_for_leaving() const {
  std::unique_lock hold(state_->mutex);
  return state_->changed.wait_for(hold, patience, [&] { return state_->left; });
}

void expect_members(const SeenRequest& seen, const Json& expected) {
  if (const Json* path = expected.find("path")) {
    EXPECT_EQ(seen.path, path->as_string());
  }
  if (const Json* raw = expected.find("raw")) {
    EXPECT_NE(seen.body.find(raw->as_string()), std::string::npos) << seen.body;
  }
  if (const Json* headers = expected.find("headers")) {
    for (const auto& [name, value] : headers->as_object()) {
      const bool there = seen.headers.contains(name);
      EXPECT_EQ(there, !value.is_null()) << name;
      if (there && !value.is_null()) {
        EXPECT_EQ(seen.headers.get(name), value.as_string());
      }
    }
  }
  const Json* members = expected.find("body");
  if (members == nullptr) return;
  const auto body = parse_json(seen.body);
  ASSERT_TRUE(body) << seen.body;
  for (const auto& [path, value] : members->as_object()) {
    const Json* there = member_at(*body, path);
    if (value.is_null()) {
      EXPECT_EQ(there, nullptr) << path << " in " << seen.body;
    } else if (there == nullptr) {
      ADD_FAILURE() << path << " is missing in " << seen.body;
    } else {
      EXPECT_EQ(dump_json(*there), dump_json(value)) << path;
    }
  }
}

}  // namespace hearth::test
