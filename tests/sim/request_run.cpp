#include "tests/sim/request_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::sim {
namespace {

constexpr std::uint32_t pause_doublings_max = 3;

}  // namespace

RequestRun::RequestRun(RequestParameters parameters, Instant deadline)
    : parameters_(parameters), deadline_(deadline) {}

RequestAction RequestRun::next(Instant now) {
  if (state_ != State::over && now >= deadline_) {
    end(Error{Code::timed_out,
              "the answer was not done within the time that the request allows" +
                  (trouble_.empty() ? "" : "; the last trouble: " + trouble_)});
  }
  if (std::exchange(must_abort_, false)) return AbortWork{};
  if (state_ == State::over) return RequestOver{error_};
  if (state_ == State::pausing) {
    if (now < not_before_) return WaitRequest{std::min(not_before_, deadline_)};
    state_ = State::choosing;
    was_told_ = false;
  }
  if (std::exchange(was_told_, true)) return WaitRequest{deadline_};
  if (state_ == State::choosing) return ChooseWay{};
  if (state_ == State::handing_off) return StartHandOff{peer_, ++attempts_};
  next_index_ = 0;
  return GenerateAnswer{answers_};
}

void RequestRun::on_chosen(std::optional<std::string> peer) {
  if (state_ != State::choosing) return;
  was_told_ = false;
  pauses_ = 0;
  if (peer && hand_offs_ < parameters_.hand_offs_max) {
    ++hand_offs_;
    peer_ = std::move(*peer);
    tried_peers_.insert(peer_);
    state_ = State::handing_off;
  } else {
    state_ = State::generating;
  }
}

void RequestRun::on_cannot_choose(Error error, Instant now) {
  if (state_ != State::choosing) return;
  trouble_ = std::move(error.message);
  pause(now);
}

void RequestRun::pause(Instant now) {
  not_before_ = now + parameters_.retry_pause * (1u << std::min(pauses_++, pause_doublings_max));
  state_ = State::pausing;
}

void RequestRun::on_hand_off_over(const cluster::DecodeRunOver& over, Instant now) {
  if (state_ != State::handing_off) return;
  committed_tokens_ = over.committed_tokens;
  trouble_ = over.reason;
  was_told_ = false;
  switch (over.kind) {
    case cluster::DecodeRunOver::Kind::complete:
    case cluster::DecodeRunOver::Kind::compute_rest: state_ = State::generating; return;
    case cluster::DecodeRunOver::Kind::busy: state_ = State::choosing; return;
    case cluster::DecodeRunOver::Kind::cancelled:
      return end(Error{Code::cancelled, "the hand-off was cancelled"});
    case cluster::DecodeRunOver::Kind::worker_lost:
      return on_decode_lost({Code::unavailable, over.reason}, now);
  }
}

TokenVerdict RequestRun::on_token(std::uint32_t index, std::int32_t token) {
  if (state_ != State::generating) return TokenVerdict::refused;
  if (index != next_index_) {
    end(Error{Code::internal, fmt::format("token {} of an answer came where {} was expected", index,
                                          next_index_)});
    return TokenVerdict::refused;
  }
  ++next_index_;
  if (index == emitted_.size()) {
    emitted_.push_back(token);
    return TokenVerdict::emit;
  }
  if (emitted_[index] == token) return TokenVerdict::repeat;
  end(Error{Code::internal, fmt::format("the answer was computed again and differs at token {}; "
                                        "what was given out cannot be taken back",
                                        index)});
  return TokenVerdict::refused;
}

void RequestRun::on_generated() {
  if (state_ != State::generating) return;
  if (next_index_ < emitted_.size()) {
    return end(Error{Code::internal,
                     fmt::format("the answer was computed again and is shorter: {} tokens, {} were "
                                 "given out",
                                 next_index_, emitted_.size())});
  }
  end({});
  must_abort_ = false;  // nothing is left to abort
}

void RequestRun::on_decode_lost(Error error, Instant now) {
  if (state_ == State::over || state_ == State::pausing) return;
  trouble_ = error.message;
  must_abort_ = state_ == State::handing_off;
  if (answers_ >= parameters_.answers_max) {
    return end(with_context(std::move(error), fmt::format("given up after {} tries", answers_)));
  }
  ++answers_;
  hand_offs_ = 0;
  tried_peers_.clear();
  committed_tokens_ = 0;
  pause(now);
}

void RequestRun::cancel() { end(Error{Code::cancelled, "the client has left"}); }

void RequestRun::end(std::optional<Error> error) {
  if (state_ == State::over) return;
  must_abort_ = state_ == State::handing_off || state_ == State::generating;
  state_ = State::over;
  error_ = std::move(error);
}

}  // namespace hearth::sim
