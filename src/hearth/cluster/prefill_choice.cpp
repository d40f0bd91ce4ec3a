#include "hearth/cluster/prefill_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/model/token_range.h"

namespace hearth::cluster {
namespace {

constexpr double margin_floor_s = 0.01;
constexpr double margin_share_min = 0.01;
// A choice within 10 % of the better one is right; the margin alone may not break that.
constexpr double margin_share_max = 0.08;

// The sum is known when every part is.
class Unknowns {
 public:
  // The value, or 0 and a reason.
  double take(const std::optional<Estimate>& estimate, const std::string& what) {
    if (estimate) return estimate->value;
    if (reason_.empty()) reason_ = "unknown rates: " + what;
    return 0;
  }
  const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

class Chooser {
 public:
  Chooser(const PrefillSituation& situation, const RateBook& rates)
      : at_(situation), rates_(rates) {}

  PrefillOption alone(const DecodeSide& side) const;
  PrefillOption remote(const DecodeSide& side, const PrefillSide& peer) const;

 private:
  std::optional<Estimate> prefill_s(const std::string& machine, std::uint32_t new_tokens,
                                    std::uint32_t depth_tokens, Beside beside = Beside::nothing) const {
    if (new_tokens == 0) return Estimate{};
    const auto curve = rates_.prefill({machine, at_.model}, at_.now, beside);
    if (!curve) return {};
    return curve->seconds(new_tokens, depth_tokens);
  }
  std::string prefill_name(const std::string& machine, std::uint32_t end_tokens) const {
    return fmt::format("prefill of {} on {} up to token {}", at_.model, machine, end_tokens);
  }
  double import_s(const DecodeSide& side, std::uint32_t tokens, Unknowns& unknowns) const {
    if (tokens == 0) return 0;
    return tokens * unknowns.take(rates_.import_token_s({side.machine, at_.model}, at_.now),
                                  fmt::format("import of {} on {}", at_.model, side.machine));
  }
  std::optional<double> moving_token_s(const DecodeSide& side, const PrefillSide& peer) const;
  void add_missing_prefix(PrefillOption& option, const DecodeSide& side, const PrefillSide& peer,
                          TokenRange missing, Unknowns& unknowns) const;
  void settle(PrefillOption& option, const Unknowns& unknowns) const;
  double answer_s(const DecodeSide& side, Unknowns& unknowns) const;
  std::uint32_t present_tokens(const DecodeSide& side) const {
    return std::min(std::max(side.held_tokens, side.stored_tokens), at_.prompt_tokens - 1);
  }

  const PrefillSituation& at_;
  const RateBook& rates_;
};

// A worker takes the prompt of which the least is left first.
double wait_s(const std::vector<double>& prompts_left_s, double own_s) {
  double out = 0;
  for (const double left_s : prompts_left_s) out += left_s <= own_s ? left_s : 0;
  return out;
}

std::string_view sender_of(const PrefillSide& peer) {
  return peer.sends_from.empty() ? peer.name : peer.sends_from;
}

double Chooser::answer_s(const DecodeSide& side, Unknowns& unknowns) const {
  if (at_.decode.size() < 2 || at_.answer_tokens == 0) return 0;
  return at_.answer_tokens *
         unknowns.take(rates_.decode_s({side.machine, at_.model}, at_.now),
                       fmt::format("decode of {} on {}", at_.model, side.machine));
}

void Chooser::settle(PrefillOption& option, const Unknowns& unknowns) const {
  option.is_possible = true;
  option.excluded = unknowns.reason();
  if (option.excluded.empty()) option.predicted_s = option.terms.total_s();
}

PrefillOption Chooser::alone(const DecodeSide& side) const {
  const std::uint32_t present = present_tokens(side);
  PrefillOption out{.kind = present > 0 ? OptionKind::resume : OptionKind::local,
                    .decode = side.machine};
  if (!side.excluded.empty()) {
    out.excluded = side.excluded;
    return out;
  }
  Unknowns unknowns;
  out.terms.import_s =
      import_s(side, present - std::min(present, side.held_tokens), unknowns);
  out.terms.prefill_s = unknowns.take(
      prefill_s(side.machine, at_.prompt_tokens - present, present, side.beside),
      prefill_name(side.machine, at_.prompt_tokens));
  out.terms.queue_s = side.queue_s + wait_s(side.prompts_left_s, out.terms.prefill_s);
  out.answer_s = answer_s(side, unknowns);
  settle(out, unknowns);
  return out;
}

// Of a token of the stored prefix, where bringing it is shorter than computing it. A link that was only
// seen the other way is taken to be as fast this way: what computes for us sends much and fetches little.
std::optional<double> Chooser::moving_token_s(const DecodeSide& side, const PrefillSide& peer) const {
  if (!peer.takes_chunks || side.stored_tokens == 0) return {};
  const std::string sender(sender_of(peer));
  auto byte_s = rates_.byte_s({side.machine, sender}, at_.now);
  if (!byte_s) byte_s = rates_.byte_s({sender, side.machine}, at_.now);
  if (!byte_s) return {};
  const double token_s = at_.kv_bytes_per_token * byte_s->value;
  const auto computed = prefill_s(peer.name, side.stored_tokens, 0);
  if (computed && computed->value <= side.stored_tokens * token_s) return {};
  return token_s;
}

// What the peer lacks of the prefix that the decode side has: brought over as far as it is stored, or computed again.
void Chooser::add_missing_prefix(PrefillOption& option, const DecodeSide& side, const PrefillSide& peer,
                                 TokenRange missing, Unknowns& unknowns) const {
  const auto token_s = moving_token_s(side, peer);
  option.moves_prefix = token_s.has_value();  // what it turns out to lack beyond what is known, too
  if (token_s && missing.begin < side.stored_tokens) {
    const std::uint32_t end = std::min(missing.end, side.stored_tokens);
    option.terms.missing_prefix_s = (end - missing.begin) * *token_s;
    missing.begin = end;
  }
  option.terms.missing_prefix_s += unknowns.take(prefill_s(peer.name, missing.count(), missing.begin),
                                                 prefill_name(peer.name, missing.end));
}

PrefillOption Chooser::remote(const DecodeSide& side, const PrefillSide& peer) const {
  PrefillOption out{.kind = peer.is_pool ? OptionKind::gathered : OptionKind::remote,
                    .decode = side.machine,
                    .prefill = peer.name};
  const std::uint32_t wanted = at_.prompt_tokens - 1;  // the last token is the decode side's
  const std::uint32_t present = present_tokens(side);
  const std::uint32_t n = wanted - present;
  const auto other_layout = peer.other_layout.find(side.machine);
  if (!side.excluded.empty()) {
    out.excluded = side.machine + ": " + side.excluded;
  } else if (!peer.excluded.empty()) {
    out.excluded = peer.excluded;
  } else if (other_layout != peer.other_layout.end()) {
    out.excluded = "other layout: " + other_layout->second;
  } else if (n == 0) {
    out.excluded = "nothing is missing";
  }
  if (!out.excluded.empty()) return out;

  const std::string sender(sender_of(peer));
  const std::string link_name = fmt::format("link from {} to {}", sender, side.machine);
  const std::uint32_t m = wanted - std::min(peer.held_tokens, wanted);
  const std::uint32_t computed = std::min(m, n);
  const std::uint32_t last = std::min(at_.chunk_tokens, n);
  out.is_preferred = peer.is_preferred && n >= preferred_chunks_min * at_.chunk_tokens;
  Unknowns unknowns;
  PrefillTerms& t = out.terms;
  t.overlapped = peer.streams_chunks;
  t.ticket_s = unknowns.take(rates_.round_trip_s({side.machine, sender}, at_.now),
                             fmt::format("round trip from {} to {}", side.machine, sender));
  add_missing_prefix(out, side, peer, {wanted - m, wanted - computed}, unknowns);
  t.prefill_s = unknowns.take(prefill_s(peer.name, computed, wanted - computed),
                              prefill_name(peer.name, wanted));
  t.queue_s = peer.queue_s + wait_s(peer.prompts_left_s, t.missing_prefix_s + t.prefill_s);
  const double byte_s = unknowns.take(rates_.byte_s({sender, side.machine}, at_.now), link_name);
  t.transfer_s = n * at_.kv_bytes_per_token * byte_s;
  t.tail_s = last * at_.kv_bytes_per_token * byte_s;
  t.import_s = import_s(side, last, unknowns);
  t.import_all_s =
      import_s(side, n + present - std::min(present, side.held_tokens), unknowns);
  t.decode_s = unknowns.take(rates_.decode_s({side.machine, at_.model}, at_.now),
                             fmt::format("decode of {} on {}", at_.model, side.machine));
  out.answer_s = answer_s(side, unknowns);
  settle(out, unknowns);
  return out;
}

double rank_s(const PrefillOption& option) { return *option.predicted_s + option.answer_s; }

template <class Filter>
std::optional<std::size_t> best_of(const std::vector<PrefillOption>& options, Filter filter) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (!options[i].predicted_s || !filter(options[i])) continue;
    if (!best || rank_s(options[i]) < rank_s(options[*best])) best = i;
  }
  return best;
}

std::string alone_text(const PrefillOption& option) {
  return option.decode + (option.kind == OptionKind::resume ? " continues alone" : " alone");
}

// The side that was set up for such a prompt, while its time and that of the machine alone cannot be compared:
// using it makes its rates known, and short prompts make known those of the machine alone.
std::optional<std::size_t> untried_preference(const Choice& choice) {
  if (!choice.chosen || !choice.find_chosen()->is_alone()) return {};
  const auto preferred =
      std::ranges::find_if(choice.options, [](const auto& o) { return o.is_preferred && o.is_possible; });
  if (preferred == choice.options.end()) return {};
  if (preferred->predicted_s && choice.find_chosen()->predicted_s) return {};
  return preferred - choice.options.begin();
}

// Why nobody else was taken, from the best that was known or the first that was not.
std::string others_text(const Choice& choice) {
  const auto best = best_of(choice.options, [&](const PrefillOption& o) {
    return &o != choice.find_chosen();
  });
  if (best) {
    const PrefillOption& other = choice.options[*best];
    return fmt::format("; {} would take {}",
                       other.is_alone() ? alone_text(other) : other.prefill,
                       seconds_text(*other.predicted_s));
  }
  std::string reasons;
  for (const PrefillOption& option : choice.options) {
    // Where nobody can decode, the peers do not matter.
    if (&option == choice.find_chosen() || (!choice.chosen && !option.is_alone())) continue;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "; " : ", ",
                           option.is_alone() ? option.decode : option.prefill, option.excluded);
  }
  return reasons;
}

// The choice was not ours.
std::string ordered_text(const PrefillOption& chosen) {
  return fmt::format("{}, as configured: {}", chosen.is_alone() ? alone_text(chosen) : chosen.prefill,
                     chosen.predicted_s ? seconds_text(*chosen.predicted_s) : chosen.excluded);
}

std::string sentence_of(const Choice& choice, std::optional<std::size_t> best_alone, bool is_ordered) {
  const PrefillOption* chosen = choice.find_chosen();
  if (!chosen) return "no machine can answer" + others_text(choice);
  if (is_ordered) return ordered_text(*chosen) + others_text(choice);
  if (!chosen->predicted_s) {
    return fmt::format("{}: nothing to compare with, {}", alone_text(*chosen), chosen->excluded);
  }
  if (chosen->is_alone()) {
    return fmt::format("{}: {}{}", alone_text(*chosen), seconds_text(*chosen->predicted_s),
                       others_text(choice));
  }
  const double alone_s = *choice.options[*best_alone].predicted_s;
  return fmt::format("{} saves {} of {}; hand-off {}", chosen->prefill,
                     seconds_text(alone_s - *chosen->predicted_s), seconds_text(alone_s),
                     seconds_text(chosen->terms.hand_off_s()));
}

}  // namespace

double PrefillTerms::total_s() const {
  const double moving_s = std::max(transfer_s, import_all_s);
  const double work_s = overlapped ? std::max(prefill_s, moving_s) : prefill_s + moving_s;
  return ticket_s + queue_s + missing_prefix_s + work_s + tail_s + import_s + decode_s;
}

double PrefillTerms::hand_off_s() const { return total_s() - queue_s - prefill_s; }

double choice_margin_s(double alone_s, double error_share) {
  const double share = std::clamp(error_share / 2, margin_share_min, margin_share_max);
  return std::max(margin_floor_s, alone_s * share);
}

Choice choose(const PrefillSituation& situation, const RateBook& rates) {
  CHECK(situation.prompt_tokens > 0);
  const Chooser chooser(situation, rates);
  Choice out;
  for (const DecodeSide& side : situation.decode) out.options.push_back(chooser.alone(side));
  for (const DecodeSide& side : situation.decode) {
    for (const PrefillSide& peer : situation.prefill) {
      if (peer.name != side.machine) out.options.push_back(chooser.remote(side, peer));
    }
  }
  std::optional<std::size_t> usual;
  for (std::size_t i = 0; i < situation.decode.size() && !usual; ++i) {
    if (situation.decode[i].excluded.empty()) usual = i;
  }
  const auto best_alone = best_of(out.options, [](const auto& o) { return o.is_alone(); });
  const auto best_remote = best_of(out.options, [](const auto& o) { return !o.is_alone(); });
  out.chosen = usual;
  // Without a prediction for the default there is nothing to compare with; using it makes one.
  if (usual && out.options[*usual].predicted_s) {
    out.chosen = best_alone;
    const double alone_s = rank_s(out.options[*best_alone]);
    out.margin_s = choice_margin_s(alone_s, situation.error_share);
    if (best_remote && rank_s(out.options[*best_remote]) + out.margin_s < alone_s) {
      out.chosen = best_remote;
    }
  }
  bool is_ordered = false;
  if (const auto preferred = untried_preference(out); preferred && situation.policy == PrefillPolicy::automatic) {
    out.chosen = preferred;
    is_ordered = true;
  }
  if (situation.policy == PrefillPolicy::remote) {
    // The best that is known; otherwise the first that can.
    const auto can = std::ranges::find_if(
        out.options, [](const auto& o) { return !o.is_alone() && o.is_possible; });
    const auto first = can == out.options.end() ? std::optional<std::size_t>() : can - out.options.begin();
    const auto ordered = best_remote ? best_remote : first;
    is_ordered = ordered.has_value();
    if (ordered) out.chosen = ordered;
  } else if (situation.policy == PrefillPolicy::alone) {
    is_ordered = usual.has_value();
    out.chosen = best_alone ? best_alone : usual;
  }
  out.is_calibrated = out.chosen && out.options[*out.chosen].predicted_s;
  out.sentence = sentence_of(out, best_alone, is_ordered);
  return out;
}

}  // namespace hearth::cluster
