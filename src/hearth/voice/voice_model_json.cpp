// A fitted model as JSON, and back: docs/formats/voice_profile.md.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/voice/voice_model.h"

namespace hearth::voice {
namespace {

constexpr std::size_t spread_values_max = 100'000;

template <class Values>
Json numbers_json(const Values& values) {
  Json::Array out;
  for (const double value : values) out.emplace_back(value);
  return Json::array(std::move(out));
}

Result<std::vector<double>> numbers(const Json& json, std::string_view key, std::size_t count_max) {
  const Json* list = json.find(key);
  if (list == nullptr || !list->is_array() || list->as_array().size() > count_max) {
    return fail(Code::invalid_argument,
                fmt::format("{}: expected a list of at most {} numbers", key, count_max));
  }
  std::vector<double> out;
  for (const Json& value : list->as_array()) {
    out.push_back(TRY(read_json<double>(value, key)));
    if (!std::isfinite(out.back())) {
      return fail(Code::invalid_argument, fmt::format("{}: a number that is none", key));
    }
  }
  return out;
}

template <std::size_t N>
Result<std::array<double, N>> fixed_numbers(const Json& json, std::string_view key) {
  const std::vector<double> found = TRY(numbers(json, key, N));
  if (found.size() != N) {
    return fail(Code::invalid_argument,
                fmt::format("{}: expected {} numbers, found {}", key, N, found.size()));
  }
  std::array<double, N> out{};
  std::ranges::copy(found, out.begin());
  return out;
}

Result<double> positive(const Json& json, std::string_view key) {
  const double out = TRY(get<double>(json, key));
  if (!std::isfinite(out) || out <= 0) {
    return fail(Code::invalid_argument, fmt::format("{}: expected a number above 0", key));
  }
  return out;
}

}  // namespace

Json VoiceModel::json() const {
  Json words = Json::array();
  for (const UsedWord& used : words_) {
    words.push(Json::object({{"word", used.word},
                             {"mean", used.mean},
                             {"all_mean", used.all_mean},
                             {"deviation", used.deviation}}));
  }
  Json letters = Json::array();
  for (std::size_t i = 0; i < letters_.size(); ++i) {
    letters.push(
        Json::array({letters_[i].bucket, double{letters_[i].weight}, double{letter_rarity_[i].weight}}));
  }
  return Json::object({{"words", std::move(words)},
                       {"letters", std::move(letters)},
                       {"punctuation", numbers_json(punctuation_)},
                       {"sentence_lengths", numbers_json(sentence_lengths_)},
                       {"paragraph_lengths", numbers_json(paragraph_lengths_)},
                       {"contraction_share", contraction_share_},
                       {"variety_mean", variety_mean_},
                       {"variety_deviation", variety_deviation_},
                       {"weights", numbers_json(weights_)},
                       {"spread_mean", numbers_json(spread_mean_)},
                       {"spread_deviation", numbers_json(spread_deviation_)},
                       {"floor", numbers_json(floor_)},
                       {"ceiling", numbers_json(ceiling_)}});
}

Result<VoiceModel> VoiceModel::from_json(const Json& json) {
  VoiceModel out;
  const Json* words = json.find("words");
  if (words == nullptr || !words->is_array() || words->as_array().size() > words_used_max) {
    return fail(Code::invalid_argument,
                fmt::format("words: expected a list of at most {}", words_used_max));
  }
  for (const Json& item : words->as_array()) {
    UsedWord used;
    used.word = TRY(get<std::string>(item, "word", "words[]"));
    used.mean = TRY(get<double>(item, "mean", "words[]"));
    used.all_mean = TRY(get<double>(item, "all_mean", "words[]"));
    used.deviation = TRY(positive(item, "deviation"));
    out.words_.push_back(std::move(used));
  }
  const Json* letters = json.find("letters");
  if (letters == nullptr || !letters->is_array() || letters->as_array().size() > letters_kept_max) {
    return fail(Code::invalid_argument,
                fmt::format("letters: expected a list of at most {}", letters_kept_max));
  }
  for (const Json& item : letters->as_array()) {
    if (!item.is_array() || item.as_array().size() != 3) {
      return fail(Code::invalid_argument, "letters: expected [bucket, weight, rarity]");
    }
    const auto bucket = TRY(read_json<std::uint32_t>(item.as_array()[0], "letters"));
    const double weight = TRY(read_json<double>(item.as_array()[1], "letters"));
    const double rarity = TRY(read_json<double>(item.as_array()[2], "letters"));
    const bool in_order = out.letters_.empty() || out.letters_.back().bucket < bucket;
    if (bucket >= ngram_buckets || !in_order || !std::isfinite(weight) || !std::isfinite(rarity)) {
      return fail(Code::invalid_argument, "letters: buckets must rise and weights be numbers");
    }
    out.letters_.push_back({bucket, static_cast<float>(weight)});
    out.letter_rarity_.push_back({bucket, static_cast<float>(rarity)});
  }
  out.punctuation_ = TRY(fixed_numbers<punctuation_marks>(json, "punctuation"));
  out.sentence_lengths_ = TRY(fixed_numbers<length_bins>(json, "sentence_lengths"));
  out.paragraph_lengths_ = TRY(fixed_numbers<length_bins>(json, "paragraph_lengths"));
  out.contraction_share_ = TRY(get<double>(json, "contraction_share"));
  out.variety_mean_ = TRY(get<double>(json, "variety_mean"));
  out.variety_deviation_ = TRY(positive(json, "variety_deviation"));
  out.weights_ = TRY(fixed_numbers<distance_count>(json, "weights"));
  out.spread_mean_ = TRY(fixed_numbers<distance_count>(json, "spread_mean"));
  out.spread_deviation_ = TRY(fixed_numbers<distance_count>(json, "spread_deviation"));
  if (std::ranges::any_of(out.spread_deviation_, [](double value) { return value <= 0; })) {
    return fail(Code::invalid_argument, "spread_deviation: expected numbers above 0");
  }
  out.floor_ = TRY(numbers(json, "floor", spread_values_max));
  out.ceiling_ = TRY(numbers(json, "ceiling", spread_values_max));
  if (out.floor_.empty() || !std::ranges::is_sorted(out.floor_) ||
      !std::ranges::is_sorted(out.ceiling_)) {
    return fail(Code::invalid_argument,
                "floor and ceiling: expected numbers in rising order, at least one of floor");
  }
  return out;
}

}  // namespace hearth::voice
