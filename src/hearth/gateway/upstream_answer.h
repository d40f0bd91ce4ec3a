#pragma once
// An answer that another service gives: asks it, hands its pieces to the job under our own ids, ends when
// nobody reads it any more. Returns when the job is over. Private to gateway.
//
// The request comes with its label as one value: only what is open becomes a request to a service outside
// of the house, and that is a matter of types (seal/clearance.h).

#include "hearth/gateway/answer_job.h"
#include "hearth/gateway/metrics.h"
#include "hearth/gateway/route_entry.h"
#include "hearth/gateway/routing.h"
#include "hearth/seal/labeller.h"

namespace hearth::gateway {

struct UpstreamParts {
  const Routing& routing;
  Metrics& metrics;
  Duration grace;  // of an answer nobody reads
  seal::LabelGiver* labeller = nullptr;
};

struct UpstreamPlan {
  seal::Sorted<ChatRequest> work;
  // As the client wrote them, which is how it sends them back: `work` has them arranged.
  std::vector<chat::Message> asked;
  std::string target;
  std::string escalate_to;  // empty: nowhere
  std::string call_id_prefix;
  std::uint64_t random_seed = 0;
  std::shared_ptr<RouteEntry> entry;
};

// Arranged, and without what clients put at the head of a prompt that changes from request to request.
ApiResult<ChatRequest> prepare_for_upstream(ChatRequest request, bool keeps_client_header);

void run_upstream_answer(const UpstreamParts& parts, UpstreamPlan plan, AnswerJob& job, const StopToken& stop);

}  // namespace hearth::gateway
