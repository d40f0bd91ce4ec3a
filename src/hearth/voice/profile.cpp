#include "hearth/voice/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/base/check.h"

namespace hearth::voice {
namespace {

constexpr std::string_view profile_kind = "hearth-voice-profile";
constexpr std::int64_t profile_version = 1;
constexpr std::size_t exemplars_max = 1'000;

// All texts, one after another, cut anew: a post of a hundred words says nothing alone.
std::vector<std::string> pooled_pieces(std::span<const NamedText> texts, std::size_t words) {
  std::string all;
  for (const NamedText& text : texts) all += text.text + "\n\n";
  return pieces_of(all, words);
}

std::vector<Measures> measured(std::span<const std::string> pieces) {
  std::vector<Measures> out;
  for (const std::string& piece : pieces) out.push_back(measure(piece));
  return out;
}

std::size_t word_total(std::span<const NamedText> texts) {
  std::size_t out = 0;
  for (const NamedText& text : texts) out += words_of(text.text).size();
  return out;
}

// Those that give enough pieces; one more than needed, because pieces are cut at paragraphs.
std::vector<std::size_t> lengths_for(std::size_t words) {
  const std::size_t longest = words / (pieces_min + 1);
  std::vector<std::size_t> out;
  for (const std::size_t length : piece_lengths) {
    if (length <= longest) out.push_back(length);
  }
  if (out.empty() && longest >= piece_words_min) out.push_back(longest);
  return out;
}

Result<VoiceModel> fit_pieces(std::span<const NamedText> own, std::span<const NamedText> impostors,
                              std::size_t length) {
  std::vector<std::string> pieces = pooled_pieces(own, length);
  if (pieces.size() > pieces_max) {
    // Evenly over all texts.
    std::vector<std::string> chosen;
    for (std::size_t i = 0; i < pieces_max; ++i) {
      chosen.push_back(std::move(pieces[i * pieces.size() / pieces_max]));
    }
    pieces = std::move(chosen);
  }
  std::vector<std::string> others = pooled_pieces(impostors, length);
  if (others.size() > pieces_max) others.resize(pieces_max);
  return VoiceModel::fit(measured(pieces), measured(others));
}

// Greedy cover: each next passage is the one that brings most weight of runs of letters not shown yet,
// where a run weighs by how many passages share it. What everybody of them has is wanted first; then the
// manners of letters, notes, essays.
std::vector<NamedText> choose_exemplars(std::span<const NamedText> texts,
                                        const ProfileOptions& options) {
  std::vector<NamedText> passages;
  for (const NamedText& text : texts) {
    for (std::string& piece : pieces_of(text.text, options.exemplar_words)) {
      passages.push_back({text.name, std::move(piece)});
    }
  }
  std::vector<Measures> found;
  std::vector<float> weight(ngram_buckets, 0);
  for (const NamedText& passage : passages) {
    found.push_back(measure(passage.text));
    for (const NgramWeight& ngram : found.back().ngrams) weight[ngram.bucket] += 1;
  }
  // A run in one passage alone is its subject.
  for (float& one : weight) one = one < 2 ? 0 : std::sqrt(one);
  std::vector<NamedText> out;
  std::vector<bool> taken(passages.size(), false);
  while (out.size() < std::min(options.exemplars, passages.size())) {
    std::size_t best = passages.size();
    double best_gain = -1;
    for (std::size_t i = 0; i < passages.size(); ++i) {
      if (taken[i]) continue;
      double gain = 0;
      for (const NgramWeight& ngram : found[i].ngrams) gain += weight[ngram.bucket];
      // By length, or the longest passage always wins.
      gain /= std::sqrt(static_cast<double>(std::max<std::size_t>(found[i].words, 1)));
      if (gain > best_gain) {
        best_gain = gain;
        best = i;
      }
    }
    taken[best] = true;
    for (const NgramWeight& ngram : found[best].ngrams) weight[ngram.bucket] *= 0.25F;
    out.push_back(passages[best]);
  }
  return out;
}

Json slop_json(const Slop& slop) {
  Json found = Json::array();
  for (const std::string& one : slop.found) found.push(one);
  return Json::object({{"words_per_1000", slop.words},
                       {"phrases_per_1000", slop.phrases},
                       {"contrasts_per_1000_characters", slop.contrasts},
                       {"lone_sentences", slop.lone_sentences},
                       {"marked_lines", slop.marked_lines},
                       {"closing_question", slop.closing_question},
                       {"found", std::move(found)}});
}

Result<Slop> slop_from_json(const Json& json) {
  Slop out;
  out.words = TRY(get<double>(json, "words_per_1000", "own"));
  out.phrases = TRY(get<double>(json, "phrases_per_1000", "own"));
  out.contrasts = TRY(get<double>(json, "contrasts_per_1000_characters", "own"));
  out.lone_sentences = TRY(get<double>(json, "lone_sentences", "own"));
  out.marked_lines = TRY(get<double>(json, "marked_lines", "own"));
  out.closing_question = TRY(get<bool>(json, "closing_question", "own"));
  return out;
}

}  // namespace

Result<Profile> build_profile(std::span<const NamedText> own, std::span<const NamedText> impostors,
                              const ProfileOptions& options) {
  const std::size_t words = word_total(own);
  const std::vector<std::size_t> lengths = lengths_for(words);
  if (lengths.empty()) {
    return fail(
        Code::invalid_argument,
        fmt::format("{} words of yours: at least {} are needed to know a voice, 20,000 are better",
                    words, piece_words_min * (pieces_min + 1)));
  }
  Profile out;
  for (const std::size_t length : lengths) {
    out.models.push_back({length, TRY(fit_pieces(own, impostors, length))});
  }
  out.texts = own.size();
  out.words = words;
  std::string all;
  for (const NamedText& text : own) all += text.text + "\n\n";
  out.own = find_slop(all);
  out.avoid = never_said(all);
  out.exemplars = choose_exemplars(own, options);
  return out;
}

const LengthModel& Profile::model_for(std::size_t word_count) const {
  CHECK(!models.empty());
  const LengthModel* out = &models.front();
  for (const LengthModel& one : models) {
    if (one.words <= word_count) out = &one;
  }
  return *out;
}

Json Profile::json() const {
  Json shown = Json::array(), avoided = Json::array(), fitted = Json::array();
  for (const LengthModel& one : models) {
    fitted.push(Json::object({{"piece_words", one.words}, {"model", one.model.json()}}));
  }
  for (const NamedText& one : exemplars) {
    shown.push(Json::object({{"name", one.name}, {"text", one.text}}));
  }
  for (const std::string& one : avoid) avoided.push(one);
  return Json::object({{"kind", profile_kind},
                       {"version", profile_version},
                       {"texts", texts},
                       {"words", words},
                       {"own", slop_json(own)},
                       {"avoid", std::move(avoided)},
                       {"exemplars", std::move(shown)},
                       {"models", std::move(fitted)}});
}

Result<Profile> Profile::from_json(const Json& json) {
  const auto kind = TRY(get<std::string>(json, "kind"));
  const auto version = TRY(get<std::int64_t>(json, "version"));
  if (kind != profile_kind) {
    return fail(
        Code::invalid_argument,
        fmt::format("kind: '{}' is no voice profile; make one with hearth voice build", kind));
  }
  if (version != profile_version) {
    return fail(Code::unsupported,
                fmt::format("version {} of a voice profile; this program reads {}: build it again",
                            version, profile_version));
  }
  const Json* models = json.find("models");
  const Json* own = json.find("own");
  const Json* exemplars = json.find("exemplars");
  const Json* avoid = json.find("avoid");
  if (models == nullptr || !models->is_array() || models->as_array().empty() ||
      models->as_array().size() > piece_lengths.size() || own == nullptr || exemplars == nullptr ||
      !exemplars->is_array() || avoid == nullptr || !avoid->is_array() ||
      exemplars->as_array().size() > exemplars_max) {
    return fail(Code::invalid_argument,
                "models, own, exemplars and avoid: one of them is missing or no list");
  }
  Profile out;
  for (const Json& item : models->as_array()) {
    const Json* model = item.find("model");
    if (model == nullptr) return fail(Code::invalid_argument, "models[]: model is missing");
    const auto length = TRY(get<std::uint64_t>(item, "piece_words", "models[]"));
    out.models.push_back({length, TRY(VoiceModel::from_json(*model))});
  }
  out.texts = TRY(get<std::uint64_t>(json, "texts"));
  out.words = TRY(get<std::uint64_t>(json, "words"));
  out.own = TRY(slop_from_json(*own));
  for (const Json& item : exemplars->as_array()) {
    NamedText text;
    text.name = TRY(get<std::string>(item, "name", "exemplars[]"));
    text.text = TRY(get<std::string>(item, "text", "exemplars[]"));
    out.exemplars.push_back(std::move(text));
  }
  for (const Json& item : avoid->as_array()) {
    out.avoid.push_back(TRY(read_json<std::string>(item, "avoid[]")));
  }
  return out;
}

DraftReport report_draft(const Profile& profile, const CopyGuard& guard, const NamedText& draft) {
  const Measures measured = measure(draft.text);
  const LengthModel& fitted = profile.model_for(measured.words);
  return {.name = draft.name,
          .voice = fitted.model.score(measured),
          .read_against = fitted.words,
          .slop = find_slop(draft.text),
          .copied = guard.check(draft.text)};
}

Json draft_json(const DraftReport& report) {
  Json distances = Json::object();
  for (std::size_t i = 0; i < distance_count; ++i) {
    distances.set(std::string(distance_name(i)), report.voice.distances[i]);
  }
  return Json::object({{"name", report.name},
                       {"words", report.voice.words},
                       {"score", report.voice.score},
                       {"read_against_words", report.read_against},
                       {"distance", report.voice.distance},
                       {"distances", std::move(distances)},
                       {"slop", slop_json(report.slop)},
                       {"copied", Json::object({{"longest_words", report.copied.longest_words},
                                                {"longest", report.copied.longest},
                                                {"source", report.copied.source},
                                                {"share", report.copied.share}})}});
}

}  // namespace hearth::voice
