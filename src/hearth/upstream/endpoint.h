#pragma once
// Services that answer conversations over HTTP, each in its own dialect: another hearth, the Anthropic
// API, any OpenAI-compatible API, llama-server, exo, mlx_lm.server, and a pair of vLLM servers of which
// one reads prompts and the other writes answers. The neutral request of chat/exchange.h goes in, its
// events come out, with the time of each and with what the service tells of itself. Always streamed.
//
// An Endpoint is a service in the house. One outside of it (Reach::remote) is another type,
// RemoteEndpoint in upstream/remote.h: it takes cleared requests only, and only the egress process
// connects to it.
//
// An Endpoint is thread-safe; a stream is one thread's. Errors are ApiErrors in our own words; what a
// service says of a bad request is quoted, cut short, for the client that made it. A field that a service would accept and
// ignore is refused as invalid_request. No text of a prompt, an answer or a key reaches the log.

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/chat/exchange.h"
#include "hearth/net/http_client.h"
#include "hearth/seal/clearance.h"
#include "hearth/upstream/spec.h"

namespace hearth::upstream {

struct PromptProgress {
  std::uint32_t tokens_done = 0, tokens_total = 0, cached_tokens = 0;
};

// A piece of the answer. Pieces are as the service cut them: never a count of tokens.
struct Piece {
  chat::AnswerEvent event;
  std::vector<Token> tokens;  // where the service tells them
};

// What the service measured itself; absent: it does not tell. Never instead of our own clock.
struct ServerTimes {
  std::optional<double> prompt_ms, answer_ms, prompt_tok_s, answer_tok_s;
  std::optional<std::uint32_t> prompt_tokens_computed, answer_tokens;
  std::optional<model::HandOffFacts> hand_off;  // of another hearth
};

struct Answered {
  chat::AnswerEnd end;        // usage is zero where it is not known
  bool usage_known = false;
  std::uint32_t cache_write_tokens = 0;  // of the prompt, priced differently (Anthropic)
  std::string model;          // as the service calls what answered; may be empty
  std::string build;          // of its engine, where it tells
  std::string answer_id;      // its own name of the answer or of the request
  std::string reason;         // its own word for why it ended
  ServerTimes server;
  std::vector<std::string> findings;  // what is odd: another model answered, usage missing, ...
};

struct Arrival {
  Instant at{};  // when the bytes that completed it were read
  std::variant<PromptProgress, Piece, Answered> what;
};

// Our own clock on one exchange, of the last try.
struct ExchangeTimes {
  Instant asked{};  // the caller's call
  Instant sent{};   // this try began
  std::optional<Instant> head, first_byte, first_piece, last;
  int tries = 0;
  std::uint64_t bytes_out = 0, bytes_in = 0;  // bodies of all tries
};

class AnswerStream {
 public:
  virtual ~AnswerStream() = default;  // closes the connection: the service stops soon
  // Nothing: none came by the deadline, call again. After Answered or an error it is over. May take
  // longer than the deadline while a broken start is tried again.
  virtual chat::ApiResult<std::optional<Arrival>> next(Deadline deadline) = 0;
  virtual const ExchangeTimes& times() const = 0;
};

// What a look at a service told; nothing is computed there.
struct EndpointState {
  bool alive = false;  // something of its kind answers
  bool ready = false;  // as far as it tells; mlx does not
  std::string build, model;
  std::vector<std::string> models;
  std::optional<std::uint32_t> context_tokens, slots;
  std::vector<std::string> findings;  // each says what, and how to mend it
};

class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual const EndpointSpec& spec() const = 0;
  // Returns when the service has taken the request. `stop` stays in force for the stream. For work of
  // our own; what belongs to somebody goes by the next two.
  virtual chat::ApiResult<std::unique_ptr<AnswerStream>> ask(const chat::ChatRequest& request,
                                                             Deadline head_deadline,
                                                             const StopToken& stop) = 0;
  // Another hearth is told the label: it has stores and routes of its own. Others know none.
  virtual chat::ApiResult<std::unique_ptr<AnswerStream>> ask_labelled(const chat::ChatRequest& request, seal::Label label,
                                                                      Deadline head_deadline, const StopToken& stop) {
    (void)label;
    return ask(request, head_deadline, stop);
  }
  chat::ApiResult<std::unique_ptr<AnswerStream>> ask(
      const seal::ClearedForHouse<chat::ChatRequest>& request, Deadline head_deadline,
      const StopToken& stop) {
    return ask_labelled(request.request(), request.clearance().decision.label, head_deadline, stop);
  }
  // permission unless it is a machine of the cluster.
  chat::ApiResult<std::unique_ptr<AnswerStream>> ask(
      const seal::ClearedForCluster<chat::ChatRequest>& request, Deadline head_deadline,
      const StopToken& stop);
  virtual EndpointState look(Deadline deadline, const StopToken& stop) = 0;
};

// `http` outlives it. invalid_argument for a spec that check_spec refuses, or a remote one.
Result<std::unique_ptr<Endpoint>> make_endpoint(EndpointSpec spec, std::string key,
                                                net::HttpClient& http);

// Reads a stream to its end: all arrivals' events joined, and the end.
struct WholeReply {
  std::vector<Arrival> arrivals;  // with the pieces as they came
  Answered last;
  ExchangeTimes times;
  std::string text() const;       // of the answer, without thinking and calls
};
chat::ApiResult<WholeReply> read_whole(AnswerStream& stream, Deadline deadline);

}  // namespace hearth::upstream
