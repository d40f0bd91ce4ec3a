#pragma once
// What one request showed, on our own clock, with what the server told beside it. Values; pure.
// A sample is the raw row of a run: everything shown later is made of samples.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::bench {

// What is measured together: one column of settings.
struct Case {
  std::uint32_t prompt_tokens = 0;  // new ones, about; the server's own count is in the sample
  std::uint32_t depth = 0;          // tokens that were there before, about
  std::uint32_t answer_tokens = 0;  // at most
  std::uint32_t streams = 1;        // requests at once
  std::string workload = "fixed";   // or the name of a trace
  auto operator<=>(const Case&) const = default;
};
std::string case_text(const Case& of);  // "2048 after 8192, 4 streams"

// The prompt as it was being read.
struct ProgressPoint {
  std::uint32_t tokens = 0;  // done, those reused among them
  double at_ms = 0;          // since the request was sent
};

struct HandOff {
  std::string prefilled_by;  // the other machine that computed; empty: none did
  std::uint64_t bytes = 0;
  std::uint32_t chunks = 0;
  double hidden_share = 0;  // of the transfer, behind the computation
  double tail_ms = 0;       // after the last chunk was computed
  std::optional<double> import_ms{};  // of that, since the last chunk had come; absent: not told
};

struct Sample {
  std::string target;
  Case of;
  std::uint32_t repeat = 0;
  std::string failure;  // why there are no numbers
  double sent_at_s = 0;  // since the run began
  double late_ms = 0;    // replay: after its time in the trace
  double ttft_ms = 0;
  double total_ms = 0;   // to the last piece; to the end of an answer that was cut at its limit
  // The server's own counts; 0 prompt tokens: it told none.
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, answer_tokens = 0;
  std::vector<double> gaps_ms;  // between pieces, as the service cut them
  std::vector<ProgressPoint> progress;
  std::optional<double> server_prefill_tok_s, server_decode_tok_s;
  std::optional<double> server_prompt_ms;  // without waiting for a place
  std::optional<HandOff> hand_off;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> energy_j;
  std::vector<std::string> findings;  // what is odd about it

  bool is_good() const { return failure.empty(); }
  std::uint32_t computed_tokens() const { return prompt_tokens - cached_tokens; }
  // Absent where there is too little to divide.
  std::optional<double> prefill_tok_s() const;
  std::optional<double> tpot_ms() const;
};

// One interval of reading: its middle as depth, and the rate there.
struct DepthRate {
  double depth = 0, tok_s = 0;
};
std::vector<DepthRate> rates_along(const std::vector<ProgressPoint>& progress);

// Contradictions in what a server told; added to `findings`.
struct Promise {
  std::uint32_t answer_tokens_max = 0;
  std::size_t pieces = 0;
  std::size_t prompt_bytes = 0;
  std::optional<double> server_prompt_ms;
};
void find_lies(Sample& sample, const Promise& promise);

Json sample_json(const Sample& sample);
// Everything sample_json wrote. invalid_argument otherwise.
Result<Sample> parse_sample(std::string_view text);

}  // namespace hearth::bench
