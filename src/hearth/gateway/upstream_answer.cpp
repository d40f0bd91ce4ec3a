#include "hearth/gateway/upstream_answer.h"

#include <fmt/format.h>

#include "hearth/base/log.h"
#include "hearth/base/thread.h"
#include "hearth/chat/canonical.h"
#include "hearth/chat/ids.h"
#include "hearth/gateway/answer_response.h"
#include "hearth/gateway/prompt_builder.h"

namespace hearth::gateway {
namespace {

using upstream::AnswerStream;
using upstream::Arrival;

// How often the job is looked after while a service is silent.
constexpr Duration look_after = std::chrono::milliseconds(100);
constexpr Duration head_time_max = std::chrono::minutes(15);

Instant now() { return std::chrono::steady_clock::now(); }

std::unexpected<ApiError> forbidden(const std::string& target) {
  return std::unexpected(ApiError{.kind = ApiError::Kind::permission,
                                  .message = "the label of this work does not let it go to " + target});
}

// The only place where a label meets a service; each has the types that fit, and no others.
class Asking {
 public:
  Asking(const Routing& routing, const std::string& target, const StopToken& stop)
      : fleet_(routing.fleet), gate_(routing.gate), target_(target), stop_(stop) {}

  ApiResult<std::unique_ptr<AnswerStream>> operator()(const seal::Sealed<ChatRequest>& work) const {
    return in_house(seal::clear_for_cluster(work));
  }
  ApiResult<std::unique_ptr<AnswerStream>> operator()(const seal::House<ChatRequest>& work) const {
    return in_house(seal::clear_for_house(work));
  }
  ApiResult<std::unique_ptr<AnswerStream>> operator()(const seal::Open<ChatRequest>& work) const {
    upstream::RemoteEndpoint* remote = fleet_.remote(target_);
    if (remote == nullptr) return in_house(seal::clear_for_house(work));
    auto cleared = seal::clear_for_remote(work, gate_);
    if (!cleared) {
      return std::unexpected(ApiError{.kind = ApiError::Kind::permission, .message = cleared.error().message});
    }
    return remote->ask(*cleared, Deadline::after(head_time_max), stop_);
  }

 private:
  template <class Cleared>
  ApiResult<std::unique_ptr<AnswerStream>> in_house(const Cleared& work) const {
    upstream::Endpoint* endpoint = fleet_.house(target_);
    if (endpoint == nullptr) return forbidden(target_);
    return endpoint->ask(work, Deadline::after(head_time_max), stop_);
  }

  const upstream::Fleet& fleet_;
  const seal::RemoteGate& gate_;
  const std::string& target_;
  const StopToken& stop_;
};

// Until the head of an answer is there nothing but this looks whether anybody still wants it.
class HeadWatch {
 public:
  // `asking` fires when nobody does: the job has failed then.
  HeadWatch(AnswerJob& job, Duration grace, StopSource& asking)
      : thread_("upstream_watch", [this, &job, grace, &asking] {
          while (!stopped_while_waiting(over_.token(), Deadline::after(look_after))) {
            if (!job.abandon(now(), grace)) continue;
            abandoned_ = true;
            return asking.request_stop();
          }
        }) {}
  ~HeadWatch() { over_.request_stop(); }
  // True: it was abandoned.
  bool end() {
    over_.request_stop();
    thread_.join();
    return abandoned_;
  }

 private:
  StopSource over_;
  bool abandoned_ = false;  // the thread's, until it is joined
  Thread thread_;           // last: uses the above, is joined first
};

class Run {
 public:
  Run(const UpstreamParts& parts, UpstreamPlan plan, AnswerJob& job, const StopToken& stop)
      : parts_(parts), plan_(std::move(plan)), job_(job), stop_(stop), random_(plan_.random_seed) {}

  void run() {
    auto failed = answer_from(plan_.target);
    if (failed && may_escalate(*failed)) {
      log_info(fmt::format("request={} escalated from={} to={} because={}", record().request, plan_.target,
                           plan_.escalate_to, kind_name(failed->kind)));
      record().findings += fmt::format("{} failed ({})\n", plan_.target, kind_name(failed->kind));
      job_.set_route(job_.route() + "; escalated=" + plan_.escalate_to);
      failed = answer_from(plan_.escalate_to);
    }
    if (failed) {
      learn();
      ++parts_.metrics.answers_failed;
      job_.failed(stop_.stop_requested() ? ApiError{.kind = ApiError::Kind::overloaded, .message = "the server is shutting down",
                                                    .retry_after = Duration::zero()}
                                         : *std::move(failed));
    }
    parts_.metrics.duration.observe(now() - plan_.entry->began());
    plan_.entry->finish(job_);
  }

 private:
  store::RouteRecord& record() { return plan_.entry->record(); }

  bool may_escalate(const ApiError& error) const {
    using Kind = ApiError::Kind;
    const bool cured_elsewhere = error.kind == Kind::overloaded || error.kind == Kind::rate_limit || error.kind == Kind::timed_out ||
                                 error.kind == Kind::bad_upstream || error.kind == Kind::internal || error.kind == Kind::prompt_too_long;
    return !plan_.escalate_to.empty() && cured_elsewhere && !given_ && !abandoned_ && !stop_.stop_requested();
  }

  // Nothing: the job has ended well, or nobody wants it any more.
  std::optional<ApiError> answer_from(const std::string& target) {
    const upstream::EndpointSpec* spec = parts_.routing.fleet.spec(target);
    if (spec == nullptr) return ApiError{.kind = ApiError::Kind::not_found, .message = "no upstream " + target + " is configured"};
    record().answered_by = target;
    StopSource asking;  // outlives the stream
    const StopCallback shutdown(stop_, [&asking] { asking.request_stop(); });
    const StopToken token = asking.token();
    HeadWatch watch(job_, parts_.grace, asking);
    auto stream = std::visit(Asking(parts_.routing, target, token), plan_.work);
    if (watch.end()) return abandoned();
    if (!stream) return stream.error();
    for (;;) {
      if (job_.abandon(now(), parts_.grace)) return abandoned();
      auto arrival = (*stream)->next(Deadline::after(look_after));
      if (!arrival) return arrival.error();
      if (!*arrival) continue;
      if (take(**arrival, *spec)) return std::nullopt;
    }
  }

  std::optional<ApiError> abandoned() {
    learn();  // its client has what was sent
    ++parts_.metrics.answers_abandoned;
    abandoned_ = true;
    return std::nullopt;
  }

  // True: it was the end.
  bool take(Arrival& arrival, const upstream::EndpointSpec& spec) {
    if (const auto* at = std::get_if<upstream::PromptProgress>(&arrival.what)) {
      job_.progress({at->tokens_done, at->tokens_total});
      return false;
    }
    if (auto* piece = std::get_if<upstream::Piece>(&arrival.what)) {
      if (!std::exchange(given_, true)) parts_.metrics.ttft.observe(now() - plan_.entry->began());
      AnswerEvent& event = piece->event;
      if (event.kind == AnswerEvent::Kind::call) {
        // Ids of other services may repeat within a conversation, which sends clients into a loop.
        event.id = chat::random_outward_id(plan_.call_id_prefix, random_);
        ++parts_.metrics.calls;
      }
      job_.add({std::move(event)});
      return false;
    }
    end(std::get<upstream::Answered>(std::move(arrival.what)), spec);
    return true;
  }

  // What of a labelled answer its client may send back, under whatever key.
  void learn() {
    if (parts_.labeller == nullptr || !given_) return;
    const auto& clearance = std::visit([](const auto& work) -> const seal::Clearance& { return work.clearance(); }, plan_.work);
    parts_.labeller->learn_answer(clearance, plan_.asked, job_.turn());
  }

  void end(upstream::Answered answered, const upstream::EndpointSpec& spec) {
    Metrics& metrics = parts_.metrics;
    const Usage& usage = answered.end.usage;
    metrics.prompt_tokens += usage.prompt_tokens;
    metrics.cached_tokens += usage.cached_tokens;
    metrics.answer_tokens += usage.answer_tokens;
    metrics.thinking_tokens += usage.thinking_tokens;
    ++metrics.answers_finished;
    store::RouteRecord& record = this->record();
    record.model = answered.model;
    record.cost_usd += upstream::cost_usd(spec.prices, usage, answered.cache_write_tokens);
    for (const std::string& finding : answered.findings) record.findings += finding + "\n";
    learn();
    job_.ended(std::move(answered.end));
  }

  const UpstreamParts& parts_;
  UpstreamPlan plan_;
  AnswerJob& job_;
  const StopToken& stop_;
  Random random_;
  bool given_ = false;  // some of the answer is in the job
  bool abandoned_ = false;
};

}  // namespace

ApiResult<ChatRequest> prepare_for_upstream(ChatRequest request, bool keeps_client_header) {
  if (request.raw_prompt) return request;
  auto arranged = chat::arrange(std::move(request.conversation));
  if (!arranged) return std::unexpected(api_error(arranged.error()));
  request.conversation = *std::move(arranged);
  if (!keeps_client_header) chat::canonicalise(request.conversation);
  return request;
}

void run_upstream_answer(const UpstreamParts& parts, UpstreamPlan plan, AnswerJob& job, const StopToken& stop) {
  Run(parts, std::move(plan), job, stop).run();
}

}  // namespace hearth::gateway
