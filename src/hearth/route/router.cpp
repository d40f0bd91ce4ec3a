#include "hearth/route/router.h"

#include <fmt/format.h>

#include <list>
#include <mutex>
#include <unordered_map>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/guarded.h"
#include "hearth/base/log.h"
#include "hearth/base/thread.h"

namespace hearth::route {
namespace {

// The places of conversations, the longest unused forgotten first. What is forgotten is in the log.
class Places {
 public:
  std::optional<Past> find(const std::string& conversation) {
    const auto found = index_.find(conversation);
    if (found == index_.end()) return std::nullopt;
    order_.splice(order_.end(), order_, found->second);
    return found->second->past;
  }
  void set(const std::string& conversation, Past past) {
    if (const auto found = index_.find(conversation); found != index_.end()) {
      found->second->past = std::move(past);
      order_.splice(order_.end(), order_, found->second);
      return;
    }
    order_.push_back({conversation, std::move(past)});
    index_[conversation] = std::prev(order_.end());
    if (order_.size() <= conversations_remembered_max) return;
    index_.erase(order_.front().conversation);
    order_.pop_front();
  }

 private:
  struct Place {
    std::string conversation;
    Past past;
  };
  std::list<Place> order_;
  std::unordered_map<std::string, std::list<Place>::iterator> index_;
};

std::string lines(const std::vector<std::string>& texts) { return fmt::format("{}", fmt::join(texts, "\n")); }

store::RouteRecord record_of(const RouteAsk& ask, const Decision& decision) {
  return {.at_s = ask.at_s,
          .request = ask.request,
          .conversation = ask.conversation,
          .label = std::string(seal::label_name(ask.question.label)),
          .route_class = decision.route_class,
          .signal = std::string(signal_name(decision.signal)),
          .rule = decision.rule,
          .policy = std::string(policy_name(decision.policy)),
          .target = decision.target,
          .reach = std::string(seal::reach_name(decision.reach)),
          .standing = std::string(standing_name(decision.verdict.standing)),
          .standing_reason = decision.verdict.reason,
          .kept = decision.kept,
          .in_tool_loop = ask.question.in_tool_loop,
          .escalate_to = decision.escalate_to,
          .because = lines(decision.because)};
}

class LoggingRouter final : public Router {
 public:
  LoggingRouter(RouterOptions options, std::optional<store::RouteLog> writer,
                std::optional<store::RouteLog> reader)
      : options_(std::move(options)),
        writer_(std::move(writer)),
        reader_(std::move(reader)),
        waiting_(records_waiting_max) {
    if (writer_) thread_ = Thread("route_log", [this] { write(); });
  }
  ~LoggingRouter() override {
    waiting_.close();
    thread_.join();
  }

  const RouteTable& table() const override { return options_.table; }

  std::pair<Decision, store::RouteRecord> decide(const RouteAsk& ask) override {
    Decision decision = explain(ask);
    if (!ask.conversation.empty() && !decision.target.empty()) {
      places_.with([&](Places& places) { places.set(ask.conversation, {decision.route_class, decision.target}); });
    }
    store::RouteRecord record = record_of(ask, decision);
    keep(record);
    return {std::move(decision), std::move(record)};
  }

  Decision explain(const RouteAsk& ask) const override {
    Question question = ask.question;
    if (!question.past) question.past = past_of(ask.conversation);
    return route::decide(options_.table, question, options_.verdicts);
  }

  void finish(const store::RouteRecord& record) override {
    const bool moved = !record.answered_by.empty() && record.answered_by != record.target;
    if (moved && !record.conversation.empty()) {
      places_.with([&](Places& places) { places.set(record.conversation, {record.route_class, record.answered_by}); });
    }
    keep(record);
  }

 private:
  std::optional<Past> past_of(const std::string& conversation) const {
    if (conversation.empty()) return std::nullopt;
    if (auto past = places_.with([&](Places& places) { return places.find(conversation); })) return past;
    // After a restart.
    return reader_.with([&](const std::optional<store::RouteLog>& log) -> std::optional<Past> {
      if (!log) return std::nullopt;
      const auto found = log->last_of(conversation);
      if (!found || !*found) return std::nullopt;
      const store::RouteRecord& record = **found;
      const std::string& target = record.answered_by.empty() ? record.target : record.answered_by;
      if (target.empty()) return std::nullopt;
      return Past{record.route_class, target};
    });
  }

  void keep(store::RouteRecord record) {
    if (!writer_) return;
    if (!waiting_.try_push(std::move(record))) log_warning("a record of a route was lost: the disk is too slow");
  }

  void write() {
    while (const auto record = waiting_.pop(Deadline::never())) {
      if (const auto put = writer_->put(*record); !put) {
        log_warning("a record of a route was lost: " + put.error().message);
      }
    }
  }

  const RouterOptions options_;
  std::optional<store::RouteLog> writer_;  // the thread's
  Guarded<std::optional<store::RouteLog>> reader_;
  mutable Guarded<Places> places_;
  BoundedQueue<store::RouteRecord> waiting_;
  Thread thread_;
};

Json text_list(const std::string& text) {
  Json out = Json::array();
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    out.push(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Router>> Router::open(RouterOptions options) {
  std::optional<store::RouteLog> writer, reader;
  if (!options.log_file.empty()) {
    writer = TRY(store::RouteLog::open(options.log_file));
    reader = TRY(store::RouteLog::open_read_only(options.log_file));
  }
  return std::make_unique<LoggingRouter>(std::move(options), std::move(writer), std::move(reader));
}

Json decision_json(const Decision& decision, seal::Label label) {
  Json because = Json::array();
  for (const std::string& sentence : decision.because) because.push(sentence);
  return Json::object({{"target", decision.target},
                       {"reach", seal::reach_name(decision.reach)},
                       {"class", decision.route_class},
                       {"signal", signal_name(decision.signal)},
                       {"rule", decision.rule},
                       {"policy", policy_name(decision.policy)},
                       {"label", seal::label_name(label)},
                       {"verdict", Json::object({{"standing", standing_name(decision.verdict.standing)},
                                                 {"reason", decision.verdict.reason}})},
                       {"kept", decision.kept},
                       {"escalate_to", decision.escalate_to},
                       {"refused", decision.target.empty()},
                       {"because", std::move(because)}});
}

Json record_json(const store::RouteRecord& record) {
  Json out = Json::object(
      {{"target", record.target},
       {"reach", record.reach},
       {"class", record.route_class},
       {"signal", record.signal},
       {"rule", record.rule},
       {"policy", record.policy},
       {"label", record.label},
       {"verdict", Json::object({{"standing", record.standing}, {"reason", record.standing_reason}})},
       {"kept", record.kept},
       {"escalate_to", record.escalate_to},
       {"refused", record.target.empty()},
       {"because", text_list(record.because)}});
  const Json usage = Json::object({{"prompt_tokens", record.prompt_tokens}, {"cached_tokens", record.cached_tokens},
                                   {"answer_tokens", record.answer_tokens}});
  for (auto& [key, value] : Json::Object{{"request", record.request},
                                         {"at_s", record.at_s},
                                         {"conversation", record.conversation},
                                         {"in_tool_loop", record.in_tool_loop},
                                         {"answered_by", record.answered_by},
                                         {"model", record.model},
                                         {"outcome", record.outcome},
                                         {"usage", usage},
                                         {"cost_usd", record.cost_usd},
                                         {"seconds", record.seconds},
                                         {"findings", text_list(record.findings)}}) {
    out.set(key, value);
  }
  return out;
}

}  // namespace hearth::route
