#pragma once
// The requests that want an answer, once they are let in: dialect, label, a running answer it may join, route,
// work for the model here or for a service (or its reply handed through), the answer as a stream or whole.
// Private to gateway. Thread-safe.

#include "hearth/gateway/answer_response.h"
#include "hearth/gateway/answer_work.h"
#include "hearth/gateway/replies.h"

namespace hearth::gateway {

// A JSON object, or the error that its sender is told.
ApiResult<Json> parse_body(const net::Request& request);

class Answering {
 public:
  explicit Answering(const AnsweringParts& parts)
      : parts_(parts), replies_(parts.access), maker_(parts, parts.options.jobs.grace), jobs_(parts.options.jobs) {}

  net::Response answer(const Dialect& dialect, const net::Request& request);
  // The refusal of a request of which only the head is known.
  net::Response turn_away(const Dialect& dialect, const net::Request& request, const ApiError& error);
  // What the prompt of the same body would have, computing nothing.
  net::Response count_tokens(const Dialect& dialect, const net::Request& request);
  std::size_t jobs() const { return jobs_.jobs(); }
  JobTable::Reading reading() const { return jobs_.reading(); }
  std::vector<AnswerJob::Course> courses() const { return jobs_.courses(); }
  void end_answers() { jobs_.end_all(); }

 private:
  ApiResult<net::Response> try_answer(AnswerCall& call);
  ApiResult<seal::Clearance> label(const AnswerCall& call, const ChatRequest& request, const Json& body) const;
  std::optional<Repetition> repetition_of(const AnswerCall& call, const Json& body, const ChatRequest& request) const;
  ApiResult<std::unique_ptr<Attachment>> start(AnswerCall& call, const ChatRequest& request,
                                               const std::optional<Repetition>& repetition, const Way& way);
  bool passes_through(const AnswerCall& call, const Way& way) const;
  ApiResult<net::Response> pass(AnswerCall& call, const ChatRequest& request, const Json& body, Way way);
  ApiResult<net::Response> pass_with_images(AnswerCall& call, const Json& body, const ApiError& why_not);
  ApiResult<Way> choose_way(AnswerCall& call, const ChatRequest& request) const;
  static void take_route(AnswerCall& call, const AnswerJob& job);
  ApiResult<net::Response> respond(AnswerCall& call, const ChatRequest& request,
                                   std::unique_ptr<Attachment> job);
  ApiResult<net::Response> stream(AnswerCall& call, const ChatRequest& request,
                                  std::unique_ptr<Attachment> job, const ResponseTimes& times);
  net::Response tell_in_stream(const AnswerCall& call, const ChatRequest& request,
                               const ApiError& error);
  net::Response event_stream(const AnswerCall& call, net::Body body) const;
  AnswerInfo new_info(std::string handle) const;
  net::Response refuse(const AnswerCall& call, const ApiError& error);
  void count_joined(AnswerCall& call);

  const AnsweringParts parts_;
  const Replies replies_;
  const WorkMaker maker_;
  JobTable jobs_;  // last: its threads use all of the above
};

}  // namespace hearth::gateway
