#pragma once
// One request from its arrival to its last token: choose, hand off, choose again when a peer has no
// time or fails, generate, start over when the decoding worker dies, and end inside the deadline
// with the whole answer or one error.
//
// An answer that is computed again is compared with what the client has seen, token by token:
// nothing is repeated, nothing is lost, a difference is an error.
// The simulation's client: hearth run does the same with threads (node/local_run.cpp).
// Not thread-safe. No I/O, no clock.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/cluster/decode_run.h"

namespace hearth::sim {

struct RequestParameters {
  std::uint32_t answers_max = 3;    // times that an answer is begun
  std::uint32_t hand_offs_max = 3;  // peers tried for each
  Duration retry_pause = std::chrono::milliseconds(200);
};

struct ChooseWay {};                 // choose(), then on_chosen()
struct StartHandOff {                // then on_hand_off_over()
  std::string peer;
  std::uint32_t attempt;             // of this request, from 1
};
struct GenerateAnswer {              // then on_token(), on_generated() or on_decode_lost()
  std::uint32_t answer;              // which try, from 1
};
struct AbortWork {};                 // whatever runs for it; nothing is reported of it any more
struct WaitRequest {
  Instant until;
};
struct RequestOver {                 // final; the client is told
  std::optional<Error> error;
};
using RequestAction =
    std::variant<ChooseWay, StartHandOff, GenerateAnswer, AbortWork, WaitRequest, RequestOver>;

enum class TokenVerdict : std::uint8_t {
  emit,     // new: give it to the client
  repeat,   // the client has it
  refused,  // out of place, or not what the client has seen: the request ends with an error
};

class RequestRun {
 public:
  RequestRun(RequestParameters parameters, Instant deadline);

  RequestAction next(Instant now);

  // nothing: the decode side works alone.
  void on_chosen(std::optional<std::string> peer);
  // No machine can decode now (starting, no free sequence). Nothing has begun, so it costs only
  // time: chosen again until the deadline.
  void on_cannot_choose(Error error, Instant now);
  void on_hand_off_over(const cluster::DecodeRunOver& over, Instant now);
  TokenVerdict on_token(std::uint32_t index, std::int32_t token);
  void on_generated();
  void on_decode_lost(Error error, Instant now);  // worker or agent died, or is not there
  void cancel();                                  // the client has left

  // Peers not to choose again for this answer.
  const std::set<std::string>& tried_peers() const { return tried_peers_; }
  // Where computing goes on when the last hand-off did not bring everything.
  std::uint32_t committed_tokens() const { return committed_tokens_; }
  std::uint32_t emitted_tokens() const { return static_cast<std::uint32_t>(emitted_.size()); }
  bool is_over() const { return state_ == State::over; }
  const std::string& last_trouble() const { return trouble_; }

 private:
  enum class State : std::uint8_t { choosing, handing_off, generating, pausing, over };
  void pause(Instant now);
  void end(std::optional<Error> error);

  RequestParameters parameters_;
  Instant deadline_;
  State state_ = State::choosing;
  bool was_told_ = false;   // the action of this state was given out
  bool must_abort_ = false;
  std::uint32_t answers_ = 1, hand_offs_ = 0, attempts_ = 0, pauses_ = 0;
  std::string peer_;
  std::set<std::string> tried_peers_;
  std::uint32_t committed_tokens_ = 0;
  Instant not_before_{};
  std::vector<std::int32_t> emitted_;
  std::uint32_t next_index_ = 0;  // of this answer
  std::string trouble_;
  std::optional<Error> error_;
};

}  // namespace hearth::sim
