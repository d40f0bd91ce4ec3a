#pragma once
// Turns a running answer into what its client reads: a stream of events, or one JSON body.
// Private to gateway.

#include <functional>
#include <memory>

#include "hearth/gateway/dialect.h"
#include "hearth/gateway/job_table.h"
#include "hearth/net/http_message.h"

namespace hearth::gateway {

struct ResponseTimes {
  Duration heartbeat;
  Duration start_wait;
  Duration whole_answer_wait;
};

// What is told when a response has ended, for the log and the counters. Counts only.
struct ResponseReport {
  Usage usage;
  std::string outcome;  // "end_turn", "overloaded", "left", ...
};
using OnResponseEnd = std::function<void(const ResponseReport&)>;

// Waits until the answer has begun (at most start_wait), so that an error up to then is a plain
// HTTP error. The writer is the dialect's for this answer.
ApiResult<std::unique_ptr<net::BodySource>> stream_answer(std::unique_ptr<Attachment> attachment,
                                                          std::unique_ptr<AnswerWriter> writer,
                                                          const ResponseTimes& times,
                                                          const StopToken& stop,
                                                          OnResponseEnd on_end);

ApiResult<WholeAnswer> wait_for_answer(Attachment& attachment, const ResponseTimes& times,
                                       const StopToken& stop);

std::string_view reason_name(AnswerEnd::Reason reason);
std::string_view kind_name(ApiError::Kind kind);

}  // namespace hearth::gateway
