#pragma once
// Somebody's way of writing, learnt from texts of theirs, and how far another text is from it.
//
// Five distances, each read against the writer's own spread: how far each piece of theirs is from the
// rest of them (leave one out). Short texts scatter more, so a text must be read against pieces of about
// its own length.
//
//   words        Burrows's Delta over the writer's commonest words: mean |z|
//   words_cosine the same z as a direction: 1 - cosine (Smith and Aldridge)
//   letters      1 - cosine of TF-IDF over runs of 3 to 5 characters
//   rhythm       Jensen-Shannon: punctuation, lengths of sentences and paragraphs, contractions
//   variety      share of different words in 500, against the writer's mean, in standard deviations
//
// A value once fitted; pure; thread-safe. Others' texts (impostors) give the words their scale and the
// distances a ceiling.

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/voice/measures.h"

namespace hearth::voice {

inline constexpr std::size_t pieces_max = 400;
inline constexpr std::size_t pieces_min = 4;         // fewer have no spread
inline constexpr std::size_t floor_pieces_max = 60;  // left out one by one
inline constexpr std::size_t words_used_max = 150;
inline constexpr std::size_t letters_kept_max = 20'000;  // buckets of a centroid

inline constexpr std::size_t distance_count = 5;
using Distances = std::array<double, distance_count>;
std::string_view distance_name(std::size_t index);

struct VoiceScore {
  Distances distances{};
  // Weighted mean over the distances of (distance - writer's mean) / writer's standard deviation: smaller
  // is nearer, 0 is as the writer's own pieces are on the average. A distance weighs by how well it tells
  // the writer from the impostors; without any, all weigh the same.
  double distance = 0;
  // Share of the writer's own pieces that are at least as far from the rest of them: 1 is as near as any,
  // below 0.05 hardly theirs.
  double score = 0;
  std::size_t words = 0;
};

class VoiceModel {
 public:
  // invalid_argument when there are fewer than pieces_min pieces of the writer; impostors may be missing.
  static Result<VoiceModel> fit(std::span<const Measures> own, std::span<const Measures> impostors);

  VoiceScore score(const Measures& text) const;
  const std::vector<double>& floor() const {
    return floor_;
  }  // distances of the writer's own pieces, sorted
  const std::vector<double>& ceiling() const {
    return ceiling_;
  }  // of the impostors', sorted; may be empty

  Json json() const;
  static Result<VoiceModel> from_json(const Json& json);  // invalid_argument, naming the field

 private:
  struct UsedWord {
    std::string word;
    double mean = 0;       // the writer's share
    double all_mean = 0;   // over writer and impostors
    double deviation = 0;  // likewise
  };
  class Lesson;
  Distances distances(const Measures& text) const;
  double letters_distance(const Measures& text) const;
  double combined(const Distances& distances) const;
  void weigh(std::span<const Distances> own, std::span<const Distances> impostors);

  std::vector<UsedWord> words_;
  std::vector<NgramWeight> letters_;     // weights of the centroid, of unit length
  std::vector<NgramWeight> letter_rarity_;  // of the same buckets
  std::array<double, punctuation_marks> punctuation_{};
  std::array<double, length_bins> sentence_lengths_{}, paragraph_lengths_{};
  double contraction_share_ = 0;
  double variety_mean_ = 0, variety_deviation_ = 1;
  Distances weights_{};                           // add up to 1
  Distances spread_mean_{}, spread_deviation_{};  // of the writer's pieces, left out one by one
  std::vector<double> floor_, ceiling_;
};

}  // namespace hearth::voice
