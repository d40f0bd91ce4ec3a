#pragma once
// Who prefills a prompt: the machine that will decode it, alone, or another one that sends the KV
// over. Compared are predicted seconds to the first token of the answer, term by term
// (docs/coordinator.md); a term that nobody has measured makes its option unknown, and what is
// unknown is not preferred to what is known, but for what the owner set up to be tried first (`is_preferred`).
//
// Pure. Tokens and seconds are of one request; rates come from the RateBook.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/cluster/rate_book.h"

namespace hearth::cluster {

// A machine that can write the answer. `excluded`: why it cannot after all; empty: it can.
struct DecodeSide {
  std::string machine;
  std::string excluded = {};
  std::uint32_t held_tokens = 0;    // of this prompt, in a sequence of its worker
  std::uint32_t stored_tokens = 0;  // in its chunk store: these can be brought to a peer
  double queue_s = 0;
  std::vector<double> prompts_left_s = {};  // of the prompts that it computes already (PromptQueue)
  Beside beside = Beside::nothing;  // what else it does while it computes a prompt
};

// A machine, or a pool of machines, that can prefill for others.
struct PrefillSide {
  std::string name;             // as in the RateBook
  std::string sends_from = {};  // the machine whose link carries the chunks; empty: `name`
  bool is_pool = false;         // layers on several machines, KV gathered
  bool streams_chunks = true;   // false: sends when the prefill is done
  bool takes_chunks = false;    // a prefix that it lacks can be brought to it before it begins
  // Set up to read long prompts: it does so unless this machine alone is known to be sooner.
  bool is_preferred = false;
  std::string excluded = {};    // "busy", "does not hold the model", "gone"
  std::map<std::string, std::string> other_layout = {};  // by decode side: the field that differs
  std::uint32_t held_tokens = 0;  // of this prompt, as far as is known
  double queue_s = 0;
  std::vector<double> prompts_left_s = {};  // of those that it computes already; a peer that does says busy instead
};

// A prompt of which so many chunks are missing is a long one.
inline constexpr std::uint32_t preferred_chunks_min = 2;

// What the user wants. `alone`: nobody else is ever asked. `remote`: the best peer that can,
// whatever the prediction, even an unknown one; alone where none can.
enum class PrefillPolicy : std::uint8_t { automatic, alone, remote };
std::string_view prefill_policy_name(PrefillPolicy policy);  // "auto", "alone", "remote"
Result<PrefillPolicy> parse_prefill_policy(std::string_view name);

struct PrefillSituation {
  std::string model;
  std::uint32_t prompt_tokens = 0;  // at least 1
  std::uint32_t chunk_tokens = 1'024;
  double kv_bytes_per_token = 0;
  // Matters where several machines can decode, at unlike speeds.
  std::uint32_t answer_tokens = 0;
  std::vector<DecodeSide> decode;  // the first that is not excluded is the default
  std::vector<PrefillSide> prefill;
  PrefillPolicy policy = PrefillPolicy::automatic;
  double error_share = 0.16;  // of past predictions: PredictionError::share()
  Instant now;
};

// What the seconds are made of; each is documented in docs/coordinator.md.
struct PrefillTerms {
  double ticket_s = 0, queue_s = 0, missing_prefix_s = 0;
  double prefill_s = 0, transfer_s = 0, import_all_s = 0;  // at the same time when `overlapped`
  double tail_s = 0, import_s = 0, decode_s = 0;
  bool overlapped = true;

  double total_s() const;
  double hand_off_s() const;  // what moving KV adds to computing it
};

enum class OptionKind : std::uint8_t {
  local,      // the decode side computes everything
  resume,     // it goes on where its prefix ends
  remote,     // a peer prefills
  gathered,   // a pool prefills
};
std::string_view option_kind_name(OptionKind kind);

struct PrefillOption {
  OptionKind kind = OptionKind::local;
  std::string decode;        // machine
  std::string prefill = {};  // peer or pool; empty: nobody else
  PrefillTerms terms = {};
  std::optional<double> predicted_s = {};  // nothing: excluded, and why:
  std::string excluded = {};
  double answer_s = 0;  // of the whole answer, where that is compared too
  bool is_possible = false;   // nothing stands in its way but rates that nobody knows
  bool is_preferred = false;  // that side is, and this prompt is long
  bool moves_prefix = false;  // bring the peer what it lacks of the stored prefix: shorter than computing

  std::string name() const;  // "local on studio", "remote on spark-1 for studio"
  bool is_alone() const { return prefill.empty(); }
};

struct Choice {
  std::vector<PrefillOption> options;  // all, chosen or not
  std::optional<std::size_t> chosen;   // nothing: no machine can decode
  bool is_calibrated = false;          // the chosen one has a prediction
  double margin_s = 0;                 // what another machine must save to be chosen
  std::string sentence;                // for people

  const PrefillOption* find_chosen() const { return chosen ? &options[*chosen] : nullptr; }
};

Choice choose(const PrefillSituation& situation, const RateBook& rates);

// What another machine must save before it is worth the risk; grows with the error of past
// predictions, never beyond a share that would cost more than it protects.
double choice_margin_s(double alone_s, double error_share);

Json terms_json(const PrefillTerms& terms);
std::string seconds_text(double s);  // "41 s", "3.1 s", "140 ms"

}  // namespace hearth::cluster
