#include "hearth/cluster/rate_book.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::cluster {
namespace {

constexpr std::size_t name_bytes_max = 512;
// A small body says more about the round trip than about bandwidth.
constexpr std::uint64_t transfer_bytes_min = 16 << 10;
// A few tokens beside answers say more about the wait for a batch than about the rate.
constexpr std::uint32_t beside_answers_tokens_min = 100;

template <class Map>
auto& touch(Map& map, const typename Map::key_type& key, Instant now) {
  if (!map.contains(key) && map.size() >= rate_entries_max) {
    map.erase(std::min_element(map.begin(), map.end(), [](const auto& a, const auto& b) {
      return a.second.last < b.second.last;
    }));
  }
  auto& entry = map[key];
  entry.last = now;
  return entry;
}

template <class Map, class Member>
std::optional<Estimate> look_up(const Map& map, const typename Map::key_type& key, Member member,
                                Instant now) {
  const auto found = map.find(key);
  if (found == map.end()) return {};
  return (found->second.*member).at(now);
}

void set_rate(Json& out, const char* name, const FadingMean& rate, Instant now) {
  if (rate.count() > 0) out.set(name, rate.to_json(now));
}

Result<> read_rate(const Json& entry, const char* name, const std::string& path, FadingMean& rate,
                   Instant& last, Instant now) {
  const Json* found = entry.find(name);
  if (!found) return {};
  rate = TRY(FadingMean::from_json(*found, path + "." + name, now));
  last = std::max(last, rate.last());
  return {};
}

Result<std::string> read_name(const Json& entry, const char* key, const std::string& path) {
  std::string out = TRY(get<std::string>(entry, key, path));
  if (out.size() <= name_bytes_max) return out;
  return fail(Code::invalid_argument,
              fmt::format("{}.{}: at most {} bytes are expected", path, key, name_bytes_max));
}

Result<const Json::Array*> read_entries(const Json& json, const char* key) {
  const Json* found = json.find(key);
  if (found && found->is_array() && found->as_array().size() <= rate_entries_max) {
    return &found->as_array();
  }
  return fail(Code::invalid_argument,
              fmt::format("{}: an array of at most {} entries is expected", key, rate_entries_max));
}

}  // namespace

void RateBook::observe_prefill(const MachineModel& on, std::uint32_t new_tokens,
                               std::uint32_t depth_tokens, double seconds, Instant now, Beside beside) {
  MachineRates& rates = touch(machines_, on, now);
  if (beside == Beside::nothing) return rates.prefill.observe(new_tokens, depth_tokens, seconds, now);
  if (new_tokens < beside_answers_tokens_min) return;
  const auto curve = rates.prefill.curve(now);
  const auto alone = curve ? curve->seconds(new_tokens, depth_tokens) : std::nullopt;
  if (!alone) {
    const auto factor = rates.beside_answers.at(now);
    rates.prefill.observe(new_tokens, depth_tokens, seconds / (factor ? factor->value : 1), now);
  } else {
    rates.beside_answers.observe(seconds / alone->value, now);
  }
}

void RateBook::observe_import(const MachineModel& on, std::uint32_t tokens, double seconds,
                              Instant now) {
  if (tokens > 0) touch(machines_, on, now).import_token_s.observe(seconds / tokens, now);
}

void RateBook::observe_decode(const MachineModel& on, double seconds_of_one_token, Instant now) {
  touch(machines_, on, now).decode_s.observe(seconds_of_one_token, now);
}

void RateBook::observe_transfer(const LinkEnds& link, std::uint64_t bytes, double seconds,
                                Instant now) {
  if (bytes < transfer_bytes_min) return;
  LinkRates& rates = touch(links_, link, now);
  // The round trip is counted apart, as far as it is known; most of the body is not round trip.
  const double latency_s =
      rates.round_trip_s.count() > 0 ? std::min(rates.round_trip_s.mean(), seconds / 2) : 0;
  rates.byte_s.observe((seconds - latency_s) / static_cast<double>(bytes), now);
}

void RateBook::observe_round_trip(const LinkEnds& link, double seconds, Instant now) {
  touch(links_, link, now).round_trip_s.observe(seconds, now);
}

std::optional<PrefillCurve> RateBook::prefill(const MachineModel& on, Instant now, Beside beside) const {
  const auto found = machines_.find(on);
  if (found == machines_.end()) return {};
  const auto curve = found->second.prefill.curve(now);
  const auto factor = found->second.beside_answers.at(now);
  return curve && factor && beside == Beside::answers ? curve->slower(*factor) : curve;
}

std::optional<Estimate> RateBook::import_token_s(const MachineModel& on, Instant now) const {
  return look_up(machines_, on, &MachineRates::import_token_s, now);
}

std::optional<Estimate> RateBook::decode_s(const MachineModel& on, Instant now) const {
  return look_up(machines_, on, &MachineRates::decode_s, now);
}

std::optional<Estimate> RateBook::byte_s(const LinkEnds& link, Instant now) const {
  return look_up(links_, link, &LinkRates::byte_s, now);
}

std::optional<Estimate> RateBook::round_trip_s(const LinkEnds& link, Instant now) const {
  return look_up(links_, link, &LinkRates::round_trip_s, now);
}

Json RateBook::to_json(Instant now) const {
  Json machines = Json::array();
  for (const auto& [on, rates] : machines_) {
    Json entry = Json::object({{"machine", on.machine}, {"model", on.model}});
    entry.set("prefill", rates.prefill.to_json(now));
    set_rate(entry, "beside_answers", rates.beside_answers, now);
    set_rate(entry, "import_token_s", rates.import_token_s, now);
    set_rate(entry, "decode_s", rates.decode_s, now);
    machines.push(std::move(entry));
  }
  Json links = Json::array();
  for (const auto& [ends, rates] : links_) {
    Json entry = Json::object({{"from", ends.from}, {"to", ends.to}});
    set_rate(entry, "byte_s", rates.byte_s, now);
    set_rate(entry, "round_trip_s", rates.round_trip_s, now);
    links.push(std::move(entry));
  }
  return Json::object({{"version", rate_book_version},
                       {"machines", std::move(machines)},
                       {"links", std::move(links)}});
}

Result<RateBook> RateBook::from_json(const Json& json, Instant now) {
  const auto version = TRY(get<std::int64_t>(json, "version"));
  if (version != rate_book_version) {
    return fail(Code::unsupported, fmt::format("rates of version {}; this program reads {}",
                                               version, rate_book_version));
  }
  RateBook out;
  const Json::Array* machines = TRY(read_entries(json, "machines"));
  for (std::size_t i = 0; i < machines->size(); ++i) {
    const Json& entry = (*machines)[i];
    const std::string path = fmt::format("machines[{}]", i);
    MachineModel on;
    on.machine = TRY(read_name(entry, "machine", path));
    on.model = TRY(read_name(entry, "model", path));
    MachineRates& rates = out.machines_[on];
    if (const Json* prefill = entry.find("prefill")) {
      rates.prefill = TRY(PrefillRates::from_json(*prefill, path + ".prefill", now));
      rates.last = rates.prefill.last();
    }
    TRY(read_rate(entry, "beside_answers", path, rates.beside_answers, rates.last, now));
    TRY(read_rate(entry, "import_token_s", path, rates.import_token_s, rates.last, now));
    TRY(read_rate(entry, "decode_s", path, rates.decode_s, rates.last, now));
  }
  const Json::Array* links = TRY(read_entries(json, "links"));
  for (std::size_t i = 0; i < links->size(); ++i) {
    const Json& entry = (*links)[i];
    const std::string path = fmt::format("links[{}]", i);
    LinkEnds ends;
    ends.from = TRY(read_name(entry, "from", path));
    ends.to = TRY(read_name(entry, "to", path));
    LinkRates& rates = out.links_[ends];
    TRY(read_rate(entry, "byte_s", path, rates.byte_s, rates.last, now));
    TRY(read_rate(entry, "round_trip_s", path, rates.round_trip_s, rates.last, now));
  }
  return out;
}

}  // namespace hearth::cluster
