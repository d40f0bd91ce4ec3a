#include "hearth/gateway/answer_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/gateway/fields.h"
#include "hearth/gateway/repeat_key.h"
#include "hearth/gateway/served_names.h"
#include "hearth/gateway/upstream_answer.h"

namespace hearth::gateway {
namespace {

// The KV of this prompt is to be kept, under that name (docs/serve.md).
constexpr std::string_view pin_header = "x-hearth-pin";

ApiResult<std::string> pin_owner(const net::Request& request) {
  const std::string_view owner = request.headers.get(pin_header);
  if (owner.empty() || is_pin_owner(owner)) return std::string(owner);
  return refuse("", fmt::format("header {}: a name of at most {} letters, digits, '-', '_' and '.' is expected",
                                pin_header, pin_owner_bytes_max));
}

std::string model_of(const upstream::EndpointSpec* spec, const ChatRequest& request) {
  return spec == nullptr || upstream::asks_as_requests_say(*spec) ? request.model : spec->model;
}

}  // namespace

bool is_pin_owner(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= pin_owner_bytes_max && std::ranges::all_of(name, is_plain);
}

ApiResult<AnswerWork> WorkMaker::make(const AnswerCall& call, const ChatRequest& request, const Way& way) const {
  if (way.decision.target != route::local_target) return there(call, request, way, way.decision.target);
  auto work = here(call, request, way);
  // What the model here cannot even begin may go on elsewhere, unless the request itself is wrong.
  if (work || way.decision.escalate_to.empty() || work.error().kind == ApiError::Kind::invalid_request) return work;
  return there(call, request, way, way.decision.escalate_to);
}

ApiResult<AnswerWork> WorkMaker::here(const AnswerCall& call, const ChatRequest& request, const Way& way) const {
  const std::string& model_id = parts_.options.model_id;
  const std::string adapter = TRY(adapter_of(request.model, model_id, parts_.service.facts().adapters));
  AnswerPlan plan = TRY(this->plan(call, request, adapter));
  AnswerWork out{.work = {}, .model = name_with_adapter(model_id, adapter),
                 .prompt_tokens = static_cast<std::uint32_t>(plan.prompt.tokens.size())};
  JobTable::Work elsewhere;
  if (!way.decision.escalate_to.empty()) elsewhere = TRY(there(call, request, way, way.decision.escalate_to)).work;
  out.work = [this, plan = std::move(plan), entry = way.entry, model = out.model, elsewhere,
              route = call.route](AnswerJob& job, const StopToken& stop) {
    job.set_route(route);
    const RunnerParts runner{parts_.service, parts_.prompts, parts_.format, parts_.metrics, grace_, parts_.options.labeller};
    AnswerPlan own = plan;
    bool moved = false;
    if (elsewhere) {
      own.otherwise = [&](const ApiError&) {
        moved = true;
        elsewhere(job, stop);  // says so in the route itself
      };
    }
    run_answer(runner, std::move(own), job, stop);
    if (moved) return;
    entry->record().answered_by = route::local_target;
    entry->record().model = model;
    entry->finish(job);
  };
  return out;
}

ApiResult<AnswerPlan> WorkMaker::plan(const AnswerCall& call, const ChatRequest& request, std::string adapter) const {
  const PlanParts plan_parts{parts_.service, parts_.prompts, parts_.format, parts_.options};
  AnswerPlan plan = TRY(plan_answer(plan_parts, request, system_random(), call.request.stop));
  plan.call_id_prefix = call.dialect.call_id_prefix();
  plan.generate.adapter = std::move(adapter);
  plan.generate.pin_owner = TRY(pin_owner(call.request));
  plan.generate.kv_user = kv_user_of(parts_.access.client_name(call.request), call.request);
  plan.began = call.began;
  plan.clearance = call.clearance;
  plan.generate.is_labelled = call.clearance.decision.label != seal::Label::open;
  count_prompt(plan.prompt);
  tell_departure(call, plan);
  return plan;
}

ApiResult<AnswerWork> WorkMaker::there(const AnswerCall& call, const ChatRequest& request, const Way& way,
                                       const std::string& target) const {
  const Routing& routing = *parts_.options.routing;
  const upstream::EndpointSpec* spec = routing.fleet.spec(target);
  const bool keeps_header = spec != nullptr && spec->kind == upstream::Kind::anthropic;
  const bool escalated = target == way.decision.escalate_to;
  ChatRequest prepared = TRY(prepare_for_upstream(request, keeps_header));
  UpstreamPlan plan{.work = seal::sort(seal::Labelled<ChatRequest>{std::move(prepared), call.clearance}),
                    .asked = request.conversation.messages,
                    .target = target,
                    .escalate_to = escalated ? std::string() : way.decision.escalate_to,
                    .call_id_prefix = std::string(call.dialect.call_id_prefix()),
                    .random_seed = system_random(),
                    .entry = way.entry};
  std::string route = call.route + (escalated ? "; escalated=" + target : "");
  auto work = [this, plan = std::move(plan), route = std::move(route)](AnswerJob& job, const StopToken& stop) {
    job.set_route(route);
    run_upstream_answer({*parts_.options.routing, parts_.metrics, grace_, parts_.options.labeller}, plan, job, stop);
  };
  return AnswerWork{.work = std::move(work), .model = model_of(spec, request)};
}

void WorkMaker::count_prompt(const Prompt& prompt) const {
  parts_.metrics.turns_remembered += prompt.turns_remembered;
  parts_.metrics.turns_rendered += prompt.turns_rendered;
  parts_.metrics.tool_types_degraded += prompt.types_degraded;
}

// What was lost is read again, which nobody would see but as a long silence.
void WorkMaker::tell_departure(const AnswerCall& call, const AnswerPlan& plan) const {
  const auto departure = parts_.prompts.departure(plan.prompt, plan.generate.kv_user);
  if (!departure) return;
  ++parts_.metrics.prefixes_departed;
  parts_.metrics.prefix_tokens_lost += departure->lost_tokens;
  log_info(fmt::format("request={} prefix=departed shared_tokens={} lost_tokens={} changed={}", call.id,
                       departure->shared_tokens, departure->lost_tokens, departure->changed));
}

}  // namespace hearth::gateway
