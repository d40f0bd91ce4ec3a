#pragma once
// How fast everything is, learned from what was done: prefill over depth, import and decode for
// each (machine, model), bandwidth and round trip for each direction of a link. Whoever did
// something reports it; whoever chooses asks. What nobody has seen is not answered.
//
// Prefill rates of a pool (layers on several machines) stand under the pool's name.
// A value; no I/O, no clock; bounded: the entry longest unseen makes room for a new one.

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "hearth/cluster/fading_mean.h"
#include "hearth/cluster/prefill_curve.h"

namespace hearth::cluster {

inline constexpr std::size_t rate_entries_max = 256;  // of (machine, model), and of links
inline constexpr int rate_book_version = 1;

struct MachineModel {
  std::string machine, model;
  auto operator<=>(const MachineModel&) const = default;
};
// A direction; the way back is another link.
struct LinkEnds {
  std::string from, to;
  auto operator<=>(const LinkEnds&) const = default;
};
// What a machine did while it computed a prompt. Answers that it wrote take their part of every batch.
enum class Beside : std::uint8_t { nothing, answers };

class RateBook {
 public:
  // Beside answers it teaches how much slower that is than the curve, and the curve only where nothing else has.
  void observe_prefill(const MachineModel& on, std::uint32_t new_tokens, std::uint32_t depth_tokens,
                       double seconds, Instant now, Beside beside = Beside::nothing);
  void observe_import(const MachineModel& on, std::uint32_t tokens, double seconds, Instant now);
  void observe_decode(const MachineModel& on, double seconds_of_one_token, Instant now);
  // One body, from its first byte to the reply.
  void observe_transfer(const LinkEnds& link, std::uint64_t bytes, double seconds, Instant now);
  void observe_round_trip(const LinkEnds& link, double seconds, Instant now);

  // Beside answers, before that was seen: as beside nothing.
  std::optional<PrefillCurve> prefill(const MachineModel& on, Instant now, Beside beside = Beside::nothing) const;
  std::optional<Estimate> import_token_s(const MachineModel& on, Instant now) const;
  std::optional<Estimate> decode_s(const MachineModel& on, Instant now) const;
  std::optional<Estimate> byte_s(const LinkEnds& link, Instant now) const;  // seconds for one byte
  std::optional<Estimate> round_trip_s(const LinkEnds& link, Instant now) const;

  Json to_json(Instant now) const;
  // invalid_argument naming the member; unsupported for another version.
  static Result<RateBook> from_json(const Json& json, Instant now);

 private:
  struct MachineRates {
    PrefillRates prefill;
    FadingMean beside_answers;  // times as long as beside nothing
    FadingMean import_token_s, decode_s;
    Instant last{};
  };
  struct LinkRates {
    FadingMean byte_s, round_trip_s;
    Instant last{};
  };
  std::map<MachineModel, MachineRates> machines_;
  std::map<LinkEnds, LinkRates> links_;
};

}  // namespace hearth::cluster
