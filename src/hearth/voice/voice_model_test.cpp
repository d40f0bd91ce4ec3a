// Three authors of the public domain (data/impostors): does the score know who wrote what?
#include "hearth/voice/voice_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "hearth/base/random.h"
#include "hearth/voice/profile.h"

namespace hearth::voice {
namespace {

using Authors = std::map<std::string, std::vector<Measures>>;

// Paragraphs are taken out: those of one source were never the author's.
Authors authors(std::size_t words) {
  Authors out;
  const std::vector<NamedText> all = shipped_impostors();
  for (const NamedText& text : all) {
    for (const std::string& piece : pieces_of(text.text, words)) {
      std::string flat = piece;
      std::ranges::replace(flat, '\n', ' ');
      out[text.name.substr(0, text.name.find('/'))].push_back(measure(flat));
    }
  }
  return out;
}

// One draw: of every author one piece is held out; one author's others are the user's, the rest are
// impostors. Is the held-out piece of the user's nearest?
bool ranks_own_first(const Authors& all, const std::string& user, Random& random) {
  std::map<std::string, Measures> held_out;
  std::vector<Measures> own, impostors;
  for (const auto& [name, pieces] : all) {
    const std::size_t out = random.below(pieces.size());
    held_out[name] = pieces[out];
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (i != out && (name != user || random.chance(0.6))) {
        (name == user ? own : impostors).push_back(pieces[i]);
      }
    }
  }
  const VoiceModel model = VoiceModel::fit(own, impostors).value();
  const double mine = model.score(held_out[user]).distance;
  for (const auto& [name, piece] : held_out) {
    if (name != user && model.score(piece).distance <= mine) return false;
  }
  return true;
}

TEST(VoiceModel, RanksHeldOutTextOfTheSameAuthorFirstInNineDrawsOfTen) {
  const Authors all = authors(1'000);
  ASSERT_EQ(all.size(), 3u);
  Random random(5);
  int draws = 0, right = 0;
  for (const auto& [user, pieces] : all) {
    for (int i = 0; i < 12; ++i, ++draws) right += ranks_own_first(all, user, random) ? 1 : 0;
  }
  EXPECT_GE(right, draws * 9 / 10) << right << " of " << draws;
}

TEST(VoiceModel, FloorLiesBelowTheCeiling) {
  const Authors all = authors(1'500);
  std::vector<Measures> impostors = all.at("melville");
  const VoiceModel model = VoiceModel::fit(all.at("austen"), impostors).value();
  EXPECT_LT(model.floor()[model.floor().size() / 2], model.ceiling().front());
  EXPECT_GT(model.score(all.at("austen")[0]).score, 0.05);
  EXPECT_LE(model.score(all.at("roosevelt")[0]).score, 0.05);
}

TEST(VoiceModel, WorksWithoutImpostors) {
  const Authors all = authors(1'500);
  const VoiceModel model = VoiceModel::fit(all.at("roosevelt"), {}).value();
  EXPECT_TRUE(model.ceiling().empty());
  EXPECT_LT(model.score(all.at("roosevelt")[3]).distance,
            model.score(all.at("austen")[3]).distance);
}

TEST(VoiceModel, ComesBackAsItWas) {
  const Authors all = authors(1'500);
  const VoiceModel model = VoiceModel::fit(all.at("austen"), all.at("melville")).value();
  const VoiceModel again =
      VoiceModel::from_json(parse_json(dump_json(model.json())).value()).value();
  for (const auto& [name, pieces] : all) {
    EXPECT_NEAR(again.score(pieces[0]).distance, model.score(pieces[0]).distance, 1e-9);
    EXPECT_EQ(again.score(pieces[0]).score, model.score(pieces[0]).score);
  }
}

TEST(VoiceModel, RefusesTooLittle) {
  const std::vector<Measures> few(3, measure("a b c"));
  EXPECT_FALSE(VoiceModel::fit(few, {}));
}

}  // namespace
}  // namespace hearth::voice
