#pragma once
// The requests that want an answer: access, dialect, label, a running answer it may join, route, work for the
// model here or for a service (or its reply handed through), the answer as a stream or whole. Private to
// gateway. Thread-safe.

#include "hearth/gateway/answer_plan.h"
#include "hearth/gateway/answer_response.h"
#include "hearth/gateway/replies.h"

namespace hearth::gateway {

// The name under which a client has KV kept: also a part of a path.
inline constexpr std::size_t pin_owner_bytes_max = 64;
bool is_pin_owner(std::string_view name);

// A JSON object, or the error that its sender is told.
ApiResult<Json> parse_body(const net::Request& request);

// All outlive what uses them.
struct AnsweringParts {
  engine::ModelService& service;
  const chat::Format& format;
  const GatewayOptions& options;
  const Access& access;
  PromptBuilder& prompts;
  Metrics& metrics;
};

class Answering {
 public:
  explicit Answering(const AnsweringParts& parts)
      : parts_(parts), replies_(parts.access), jobs_(parts.options.jobs) {}

  net::Response answer(const Dialect& dialect, const net::Request& request);
  // What the prompt of the same body would have, computing nothing.
  net::Response count_tokens(const Dialect& dialect, const net::Request& request);
  std::size_t jobs() const { return jobs_.jobs(); }
  void end_answers() { jobs_.end_all(); }

 private:
  struct Call;
  ApiResult<net::Response> try_answer(Call& call);
  ApiResult<seal::Clearance> label(const Call& call, const ChatRequest& request, const Json& body) const;
  struct Way;
  std::optional<Repetition> repetition_of(const Call& call, const Json& body, const ChatRequest& request) const;
  ApiResult<std::unique_ptr<Attachment>> start(Call& call, const ChatRequest& request,
                                               const std::optional<Repetition>& repetition, const Way& way);
  void record_end(const Way& way, std::string_view outcome) const;
  bool passes_through(const Call& call, const Way& way) const;
  ApiResult<net::Response> pass(Call& call, const ChatRequest& request, const Json& body, Way way);
  ApiResult<net::Response> pass_with_images(Call& call, const Json& body, const ApiError& why_not);
  ApiResult<Way> choose_way(Call& call, const ChatRequest& request) const;
  ApiResult<JobTable::Work> work_here(Call& call, const ChatRequest& request, const Way& way, AnswerInfo& info,
                                      std::uint32_t& prompt_tokens);
  ApiResult<JobTable::Work> work_there(const Call& call, const ChatRequest& request, const Way& way,
                                       const std::string& target);
  static void take_route(Call& call, const AnswerJob& job);
  ApiResult<net::Response> respond(Call& call, const ChatRequest& request,
                                   std::unique_ptr<Attachment> job);
  ApiResult<net::Response> stream(Call& call, const ChatRequest& request,
                                  std::unique_ptr<Attachment> job, const ResponseTimes& times);
  net::Response tell_in_stream(const Call& call, const ChatRequest& request,
                               const ApiError& error);
  net::Response event_stream(const Call& call, net::Body body) const;
  AnswerInfo new_info(std::string handle) const;
  std::string model_of(const std::string& target, const ChatRequest& request) const;
  net::Response refuse(const Call& call, const ApiError& error);
  void count_joined(Call& call);
  void count_prompt(const Prompt& prompt);

  const AnsweringParts parts_;
  const Replies replies_;
  JobTable jobs_;  // last: its threads use all of the above
};

}  // namespace hearth::gateway
