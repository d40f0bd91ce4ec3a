#pragma once
// A voice profile: what a writer's texts teach, in one file that drafts are written with and measured
// by. docs/formats/voice_profile.md. It holds passages of the texts in plain.

#include <array>
#include <span>
#include <string>
#include <vector>

#include "hearth/voice/copy_guard.h"
#include "hearth/voice/slop.h"
#include "hearth/voice/voice_model.h"

namespace hearth::voice {

struct NamedText {
  std::string name, text;
};

struct ProfileOptions {
  std::size_t exemplars = 8;
  std::size_t exemplar_words = 400;
};

// Fitted to pieces of about so many words.
struct LengthModel {
  std::size_t words = 0;
  VoiceModel model;
};
inline constexpr std::array<std::size_t, 3> piece_lengths = {500, 1'000, 2'000};

struct Profile {
  std::vector<LengthModel> models;  // by length, at least one
  std::size_t texts = 0, words = 0;
  Slop own;                          // rates of the writer's own texts, to compare with
  std::vector<NamedText> exemplars;  // passages that together show most of how the writer writes
  std::vector<std::string> avoid;    // words and phrases of the lists that the writer never uses

  // That of the longest pieces that are not longer than a text of so many words; else the shortest.
  const LengthModel& model_for(std::size_t word_count) const;
  Json json() const;
  static Result<Profile> from_json(const Json& json);
};

// Texts are pooled and cut anew into pieces of each of piece_lengths for which there is enough, or of
// fewer words where there is little.
// invalid_argument when there is too little for pieces_min pieces of piece_words_min words.
inline constexpr std::size_t piece_words_min = 250;
Result<Profile> build_profile(std::span<const NamedText> own, std::span<const NamedText> impostors,
                              const ProfileOptions& options);

// Public-domain texts of three authors that ship with Hearth (data/impostors): a ceiling where the user
// has none of others.
std::vector<NamedText> shipped_impostors();

struct DraftReport {
  std::string name;
  VoiceScore voice;
  std::size_t read_against = 0;  // words of the pieces
  Slop slop;
  Copied copied;
};
// A draft is theirs by the figures when voice.score is at least this.
inline constexpr double score_min = 0.05;
DraftReport report_draft(const Profile& profile, const CopyGuard& guard, const NamedText& draft);
Json draft_json(const DraftReport& report);

}  // namespace hearth::voice
