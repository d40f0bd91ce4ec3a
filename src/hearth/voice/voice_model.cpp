#include "hearth/voice/voice_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "hearth/base/check.h"

namespace hearth::voice {
namespace {

// A word counts as common, not as the subject of one piece, when it is in so many of them.
constexpr double word_presence_min = 0.6;
// What one occurrence more or less does; nothing is surer than that.
double deviation_floor(double share, std::size_t words) {
  return std::sqrt(std::max(share, 1e-5) / static_cast<double>(std::max<std::size_t>(words, 1)));
}

struct MeanAndDeviation {
  double mean = 0, deviation = 0;
};

template <class Values>
MeanAndDeviation moments(const Values& values) {
  MeanAndDeviation out;
  if (values.empty()) return out;
  for (const double value : values) out.mean += value;
  out.mean /= static_cast<double>(values.size());
  for (const double value : values) out.deviation += (value - out.mean) * (value - out.mean);
  out.deviation =
      values.size() < 2 ? 0 : std::sqrt(out.deviation / static_cast<double>(values.size() - 1));
  return out;
}

template <std::size_t N>
std::array<double, N> as_shares(const std::array<double, N>& counts) {
  double total = 0;
  for (const double count : counts) total += count;
  std::array<double, N> out{};
  for (std::size_t i = 0; i < N && total > 0; ++i) out[i] = counts[i] / total;
  return out;
}

double entropy_term(double p, double q) { return p > 0 ? p * std::log2(p / q) : 0; }

// Square root of the divergence, a metric; bits, so 0 to 1.
template <std::size_t N>
double jensen_shannon(const std::array<double, N>& a, const std::array<double, N>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < N; ++i) {
    const double middle = (a[i] + b[i]) / 2;
    sum += (entropy_term(a[i], middle) + entropy_term(b[i], middle)) / 2;
  }
  return std::sqrt(std::max(sum, 0.0));
}

std::array<double, 2> as_yes_no(double share) { return {share, 1 - share}; }
double contraction_share(const Measures& text) {
  return text.words == 0 ? 0 : text.contractions / static_cast<double>(text.words);
}

}  // namespace

std::string_view distance_name(std::size_t index) {
  static constexpr std::array<std::string_view, distance_count> names = {
      "words", "words_cosine", "letters", "rhythm", "variety"};
  CHECK(index < distance_count);
  return names[index];
}

// What learning with one piece left out has in common with learning from all: counted once.
class VoiceModel::Lesson {
 public:
  Lesson(std::span<const Measures> own, std::span<const Measures> impostors)
      : own_(own), impostors_(impostors), documents_(ngram_buckets, 0) {
    choose_candidates();
    for (const auto pieces : {own, impostors}) {
      for (const Measures& piece : pieces) {
        std::vector<double> shares;
        for (const std::string& word : candidates_) shares.push_back(piece.share_of(word));
        shares_.push_back(std::move(shares));
        for (const NgramWeight& ngram : piece.ngrams) documents_[ngram.bucket] += 1;
      }
    }
  }

  static constexpr std::size_t nothing = SIZE_MAX;
  VoiceModel learn(std::size_t left_out) const {
    VoiceModel out;
    learn_words(left_out, out);
    learn_letters(left_out, out);
    learn_rhythm(left_out, out);
    out.spread_deviation_.fill(1);
    return out;
  }

 private:
  // More than are used, so that leaving a piece out may change which.
  void choose_candidates() {
    std::map<std::string_view, std::pair<std::size_t, double>> seen;  // pieces, sum of shares
    for (const Measures& piece : own_) {
      for (const auto& [word, count] : piece.word_counts) {
        auto& [pieces, shares] = seen[word];
        ++pieces;
        shares += static_cast<double>(count) / static_cast<double>(piece.words);
      }
    }
    std::vector<std::pair<double, std::string_view>> ranked;
    for (const auto& [word, facts] : seen) {
      if (static_cast<double>(facts.first) >= word_presence_min * static_cast<double>(own_.size())) {
        ranked.emplace_back(-facts.second, word);
      }
    }
    std::ranges::sort(ranked);
    if (ranked.size() > 2 * words_used_max) ranked.resize(2 * words_used_max);
    for (const auto& [share, word] : ranked) candidates_.emplace_back(word);
  }

  void learn_words(std::size_t left_out, VoiceModel& out) const {
    std::size_t words = 0;
    for (std::size_t i = 0; i < own_.size(); ++i) words += i == left_out ? 0 : own_[i].words;
    const std::size_t pieces = own_.size() - (left_out == nothing ? 0 : 1);
    for (std::size_t w = 0; w < candidates_.size(); ++w) {
      std::vector<double> mine, all;
      for (std::size_t i = 0; i < shares_.size(); ++i) {
        if (i == left_out) continue;
        all.push_back(shares_[i][w]);
        if (i < own_.size()) mine.push_back(shares_[i][w]);
      }
      const MeanAndDeviation of_mine = moments(mine), of_all = moments(all);
      const double floor = deviation_floor(of_mine.mean, words / pieces);
      out.words_.push_back(
          {candidates_[w], of_mine.mean, of_all.mean, std::max(of_all.deviation, floor)});
    }
    std::ranges::stable_sort(out.words_, std::greater(), &UsedWord::mean);
    if (out.words_.size() > words_used_max) out.words_.resize(words_used_max);
  }

  void learn_letters(std::size_t left_out, VoiceModel& out) const {
    const auto total = static_cast<float>(shares_.size() - (left_out == nothing ? 0 : 1));
    std::vector<std::uint32_t> documents = documents_;
    if (left_out != nothing) {
      for (const NgramWeight& ngram : own_[left_out].ngrams) documents[ngram.bucket] -= 1;
    }
    std::vector<float> rarity_of_count = {0};  // by how many pieces have it
    for (std::size_t count = 1; count <= shares_.size(); ++count) {
      rarity_of_count.push_back(std::log((1 + total) / (1 + static_cast<float>(count))) + 1);
    }
    std::vector<float> rarity(ngram_buckets, 0), centroid(ngram_buckets, 0);
    for (std::size_t bucket = 0; bucket < ngram_buckets; ++bucket) {
      rarity[bucket] = rarity_of_count[documents[bucket]];
    }
    for (std::size_t i = 0; i < own_.size(); ++i) {
      if (i == left_out) continue;
      float length = 0;
      for (const NgramWeight& ngram : own_[i].ngrams) {
        const float weight = ngram.weight * rarity[ngram.bucket];
        length += weight * weight;
      }
      for (const NgramWeight& ngram : own_[i].ngrams) {
        centroid[ngram.bucket] += ngram.weight * rarity[ngram.bucket] / std::sqrt(length);
      }
    }
    for (std::uint32_t bucket = 0; bucket < ngram_buckets; ++bucket) {
      if (centroid[bucket] > 0) out.letters_.push_back({bucket, centroid[bucket]});
    }
    const auto heavier = [](const NgramWeight& a, const NgramWeight& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.bucket < b.bucket;
    };
    if (out.letters_.size() > letters_kept_max) {
      std::ranges::nth_element(out.letters_, out.letters_.begin() + letters_kept_max, heavier);
      out.letters_.resize(letters_kept_max);
      std::ranges::sort(out.letters_, {}, &NgramWeight::bucket);
    }
    float length = 0;
    for (const NgramWeight& one : out.letters_) length += one.weight * one.weight;
    for (NgramWeight& one : out.letters_) {
      one.weight /= std::sqrt(length);
      out.letter_rarity_.push_back({one.bucket, rarity[one.bucket]});
    }
  }

  void learn_rhythm(std::size_t left_out, VoiceModel& out) const {
    std::vector<double> variety, contractions;
    for (std::size_t piece = 0; piece < own_.size(); ++piece) {
      if (piece == left_out) continue;
      for (std::size_t i = 0; i < punctuation_marks; ++i) {
        out.punctuation_[i] += own_[piece].punctuation[i];
      }
      for (std::size_t i = 0; i < length_bins; ++i) {
        out.sentence_lengths_[i] += own_[piece].sentence_lengths[i];
        out.paragraph_lengths_[i] += own_[piece].paragraph_lengths[i];
      }
      variety.push_back(own_[piece].variety);
      contractions.push_back(contraction_share(own_[piece]));
    }
    out.punctuation_ = as_shares(out.punctuation_);
    out.sentence_lengths_ = as_shares(out.sentence_lengths_);
    out.paragraph_lengths_ = as_shares(out.paragraph_lengths_);
    out.contraction_share_ = moments(contractions).mean;
    out.variety_mean_ = moments(variety).mean;
    out.variety_deviation_ = std::max(moments(variety).deviation, 1e-3);
  }

  std::span<const Measures> own_, impostors_;
  std::vector<std::string> candidates_;
  std::vector<std::vector<double>> shares_;  // of own pieces, then of impostors, by candidate
  std::vector<std::uint32_t> documents_;             // pieces that have a run of letters
};

double VoiceModel::letters_distance(const Measures& text) const {
  double dot = 0, length = 0;
  auto ngram = text.ngrams.begin();
  for (std::size_t i = 0; i < letters_.size(); ++i) {
    while (ngram != text.ngrams.end() && ngram->bucket < letters_[i].bucket) ++ngram;
    if (ngram == text.ngrams.end()) break;
    if (ngram->bucket != letters_[i].bucket) continue;
    const double weight = ngram->weight * letter_rarity_[i].weight;
    dot += weight * letters_[i].weight;
    length += weight * weight;
  }
  return length > 0 ? 1 - dot / std::sqrt(length) : 1;
}

Distances VoiceModel::distances(const Measures& text) const {
  double delta = 0, dot = 0, text_length = 0, own_length = 0;
  for (const UsedWord& used : words_) {
    const double share = text.share_of(used.word);
    delta += std::abs(share - used.mean) / used.deviation;
    const double z = (share - used.all_mean) / used.deviation,
                 own_z = (used.mean - used.all_mean) / used.deviation;
    dot += z * own_z;
    text_length += z * z;
    own_length += own_z * own_z;
  }
  Distances out;
  out[0] = words_.empty() ? 0 : delta / static_cast<double>(words_.size());
  // Without impostors the writer is the middle of the world, and there is no direction.
  const double lengths = std::sqrt(text_length * own_length);
  out[1] = own_length < 1e-9 || lengths == 0 ? 0 : 1 - dot / lengths;
  out[2] = letters_distance(text);
  out[3] = (jensen_shannon(as_shares(text.punctuation), punctuation_) +
            jensen_shannon(as_shares(text.sentence_lengths), sentence_lengths_) +
            jensen_shannon(as_shares(text.paragraph_lengths), paragraph_lengths_) +
            jensen_shannon(as_yes_no(contraction_share(text)), as_yes_no(contraction_share_))) /
           4;
  out[4] = std::abs(text.variety - variety_mean_) / variety_deviation_;
  return out;
}

double VoiceModel::combined(const Distances& distances) const {
  double sum = 0;
  for (std::size_t i = 0; i < distance_count; ++i) {
    sum += weights_[i] * (distances[i] - spread_mean_[i]) / spread_deviation_[i];
  }
  return sum;
}

// The writer's spread, and how many standard deviations lie between the writer and the others.
void VoiceModel::weigh(std::span<const Distances> own, std::span<const Distances> impostors) {
  double total = 0;
  for (std::size_t d = 0; d < distance_count; ++d) {
    std::vector<double> mine, others;
    for (const Distances& one : own) mine.push_back(one[d]);
    for (const Distances& one : impostors) others.push_back(one[d]);
    const MeanAndDeviation spread = moments(mine), of_others = moments(others);
    spread_mean_[d] = spread.mean;
    spread_deviation_[d] = std::max({spread.deviation, 0.05 * std::abs(spread.mean), 1e-6});
    const double pooled = std::sqrt(
        (spread.deviation * spread.deviation + of_others.deviation * of_others.deviation) / 2);
    const double apart = (of_others.mean - spread.mean) / std::max(pooled, spread_deviation_[d]);
    weights_[d] = impostors.empty() ? 1 : std::max(apart, 0.0);
    total += weights_[d];
  }
  for (double& weight : weights_) {
    weight = total > 0 ? weight / total : 1.0 / static_cast<double>(distance_count);
  }
}

Result<VoiceModel> VoiceModel::fit(std::span<const Measures> own,
                                   std::span<const Measures> impostors) {
  if (own.size() < pieces_min || own.size() > pieces_max) {
    return fail(
        Code::invalid_argument,
        fmt::format(
            "{} pieces of writing: expected {} to {}; give more texts of yours, or longer ones",
            own.size(), pieces_min, pieces_max));
  }
  const Lesson lesson(own, impostors);
  // Evenly over the texts, where there are many.
  const std::size_t step = (own.size() + floor_pieces_max - 1) / floor_pieces_max;
  std::vector<Distances> left_out;
  for (std::size_t i = 0; i < own.size(); i += step) {
    left_out.push_back(lesson.learn(i).distances(own[i]));
  }
  VoiceModel out = lesson.learn(Lesson::nothing);
  std::vector<Distances> of_others;
  for (const Measures& piece : impostors) of_others.push_back(out.distances(piece));
  out.weigh(left_out, of_others);
  for (const Distances& one : left_out) out.floor_.push_back(out.combined(one));
  for (const Distances& one : of_others) out.ceiling_.push_back(out.combined(one));
  std::ranges::sort(out.floor_);
  std::ranges::sort(out.ceiling_);
  return out;
}

VoiceScore VoiceModel::score(const Measures& text) const {
  VoiceScore out{.distances = distances(text), .words = text.words};
  out.distance = combined(out.distances);
  const auto nearer = std::ranges::lower_bound(floor_, out.distance);
  out.score = static_cast<double>(floor_.end() - nearer) / static_cast<double>(floor_.size());
  return out;
}

}  // namespace hearth::voice
