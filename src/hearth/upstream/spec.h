#pragma once
// What configuration says of a service that answers conversations. Values; pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/clock.h"
#include "hearth/chat/exchange.h"
#include "hearth/seal/label.h"

namespace hearth::upstream {

enum class Kind : std::uint8_t { hearth, anthropic, openai, llama_server, exo, mlx, vllm_pair };
std::string_view kind_name(Kind kind);  // as in configuration: "llama-server", "vllm-pair"
std::optional<Kind> kind_of_name(std::string_view name);

// US dollars per million tokens; zero costs nothing or is not known.
struct Prices {
  double prompt = 0, cached = 0, cache_write = 0, answer = 0;
  bool operator==(const Prices&) const = default;
};
double cost_usd(const Prices& prices, const chat::Usage& usage, std::uint32_t cache_write_tokens = 0);

// A value from configuration. It says where the key is, and never holds it.
struct EndpointSpec {
  std::string name;         // how it is called here: "sonnet"
  Kind kind = Kind::openai;
  std::string url;          // with or without /v1; vllm_pair: of the server that writes answers
  std::string prefill_url;  // vllm_pair only: of the server that reads prompts
  std::string model;        // its own id for the model; empty: as requests say
  std::string key_variable; // environment variable with the key, or
  std::string key_file;     // a file with it; both empty: no key is shown
  seal::Reach reach = seal::Reach::remote;
  Prices prices;
  // Its window, for services that have no guard of their own (exo, mlx): a prompt is refused that would
  // be longer at three bytes a token. 0: not checked.
  std::uint32_t context_tokens = 0;
  std::uint32_t answer_tokens_max = 0;  // where a request sets no limit and the service needs one; 0: 8192
  int tries_max = 3;        // nothing is repeated once any of an answer was given out
  Duration connect_time_max = std::chrono::seconds(3);
  Duration silence_max = std::chrono::minutes(15);  // no byte for so long: timed_out
};
// What must hold of it; invalid_argument names the field and what was expected.
Result<> check_spec(const EndpointSpec& spec);

}  // namespace hearth::upstream
