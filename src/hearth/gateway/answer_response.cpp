#include "hearth/gateway/answer_response.h"

#include <algorithm>
#include <utility>

namespace hearth::gateway {
namespace {

constexpr Duration come_back_after = std::chrono::seconds(1);

// One client's stream. Its connection's thread pulls; nothing is kept but what is being sent.
class AnswerBody final : public net::BodySource {
 public:
  AnswerBody(std::unique_ptr<Attachment> attachment, std::unique_ptr<AnswerWriter> writer,
             Duration heartbeat, OnResponseEnd on_end)
      : attachment_(std::move(attachment)), writer_(std::move(writer)), heartbeat_(heartbeat),
        on_end_(std::move(on_end)) {}
  ~AnswerBody() override {
    if (on_end_) on_end_(report_);
  }

  Result<ByteSpan> next(const StopToken& stop) override {
    if (over_) {
      attachment_->set_delivered(AnswerJob::Delivery::stream);  // asked for more: all was sent
      return ByteSpan{};
    }
    out_.clear();
    Deadline silence = Deadline::after(begun_ ? heartbeat_ : Duration::zero());
    while (out_.empty() && !over_) {
      const AnswerJob::View view = attachment_->job().wait(cursor_, !begun_, silence, stop);
      if (stop.stop_requested()) return fail(Code::cancelled, "the client left");
      write(view);
      // Events that this client is not shown are no reason to say anything.
      if (!out_.empty() || over_ || !silence.passed()) continue;
      writer_->heartbeat(view.prompt, out_);
      silence = Deadline::after(heartbeat_);
    }
    return as_byte_span(out_);
  }

 private:
  void write(const AnswerJob::View& view) {
    if (!std::exchange(begun_, true)) writer_->begin(view.usage, out_);
    for (const AnswerEvent& event : view.fresh) writer_->event(event, out_);
    cursor_ += view.fresh.size();
    report_.usage = view.usage;
    if (view.end) {
      writer_->end(*view.end, out_);
      report_.outcome = reason_name(view.end->reason);
    } else if (view.error) {
      writer_->error(*view.error, out_);
      report_.outcome = kind_name(view.error->kind);
    }
    over_ = view.over();
  }

  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<AnswerWriter> writer_;
  const Duration heartbeat_;
  const OnResponseEnd on_end_;
  ResponseReport report_{.usage = {}, .outcome = "left"};
  std::string out_;
  std::size_t cursor_ = 0;
  bool begun_ = false;
  bool over_ = false;
};

// Pieces of one kind that stand next to each other are one block.
std::vector<AnswerEvent> join_pieces(std::vector<AnswerEvent> events) {
  std::vector<AnswerEvent> out;
  for (AnswerEvent& event : events) {
    const bool joins = !out.empty() && event.kind != AnswerEvent::Kind::call &&
                       out.back().kind == event.kind;
    if (!joins) {
      out.push_back(std::move(event));
      continue;
    }
    out.back().text += event.text;
    std::ranges::move(event.choices, std::back_inserter(out.back().choices));
  }
  return out;
}

}  // namespace

std::string_view reason_name(AnswerEnd::Reason reason) {
  switch (reason) {
    case AnswerEnd::Reason::end_turn: return "end_turn";
    case AnswerEnd::Reason::tokens_max: return "tokens_max";
    case AnswerEnd::Reason::stop_string: return "stop_string";
    case AnswerEnd::Reason::calls: return "calls";
  }
  return "";
}

std::string_view kind_name(ApiError::Kind kind) {
  using Kind = ApiError::Kind;
  switch (kind) {
    case Kind::invalid_request: return "invalid_request";
    case Kind::authentication: return "authentication";
    case Kind::permission: return "permission";
    case Kind::not_found: return "not_found";
    case Kind::too_large: return "too_large";
    case Kind::prompt_too_long: return "prompt_too_long";
    case Kind::rate_limit: return "rate_limit";
    case Kind::overloaded: return "overloaded";
    case Kind::timed_out: return "timed_out";
    case Kind::bad_upstream: return "bad_upstream";
    case Kind::internal: return "internal";
  }
  return "";
}

ApiResult<std::unique_ptr<net::BodySource>> stream_answer(std::unique_ptr<Attachment> attachment,
                                                          std::unique_ptr<AnswerWriter> writer,
                                                          const ResponseTimes& times,
                                                          const StopToken& stop,
                                                          OnResponseEnd on_end) {
  const auto view =
      attachment->job().wait(0, /*for_start=*/true, Deadline::after(times.start_wait), stop);
  if (view.error && view.fresh.empty()) return std::unexpected(*view.error);
  return std::make_unique<AnswerBody>(std::move(attachment), std::move(writer), times.heartbeat,
                                      std::move(on_end));
}

ApiResult<WholeAnswer> wait_for_answer(Attachment& attachment, const ResponseTimes& times,
                                       const StopToken& stop) {
  AnswerJob::View view =
      attachment.job().wait_for_end(Deadline::after(times.whole_answer_wait), stop);
  if (view.error) return std::unexpected(*view.error);
  if (view.end) return WholeAnswer{join_pieces(std::move(view.fresh)), *view.end};
  if (stop.stop_requested()) {
    return std::unexpected(ApiError{.kind = ApiError::Kind::overloaded, .message = "the client left"});
  }
  return std::unexpected(ApiError{
      .kind = ApiError::Kind::overloaded,
      .message = "the answer takes longer than clients wait without a stream; it is still being "
                 "computed: send the same request again to get it, or ask for a stream",
      .retry_after = come_back_after});
}

}  // namespace hearth::gateway
