#include "hearth/voice/profile.h"

#include <gtest/gtest.h>

#include <set>

namespace hearth::voice {
namespace {

std::vector<NamedText> texts_of(std::string_view author) {
  std::vector<NamedText> out;
  std::vector<NamedText> all = shipped_impostors();
  for (NamedText& text : all) {
    if (text.name.starts_with(author)) out.push_back(std::move(text));
  }
  return out;
}

class VoiceProfile : public ::testing::Test {
 protected:
  VoiceProfile() : own_(texts_of("austen")), held_out_(own_[11]) { own_.erase(own_.begin() + 11); }
  std::vector<NamedText> own_;
  NamedText held_out_;
};

TEST_F(VoiceProfile, KnowsItsWriterAndComesBackAsItWas) {
  const Profile built = build_profile(own_, texts_of("melville"), {}).value();
  EXPECT_EQ(built.texts, 19u);
  EXPECT_EQ(built.exemplars.size(), 8u);
  const Profile read = Profile::from_json(parse_json(dump_json(built.json())).value()).value();
  ASSERT_EQ(read.exemplars.size(), built.exemplars.size());
  EXPECT_EQ(read.exemplars[3].text, built.exemplars[3].text);
  EXPECT_EQ(read.models.size(), 3u);
  EXPECT_EQ(read.avoid, built.avoid);
  CopyGuard guard;
  for (const NamedText& text : own_) guard.add(text.name, text.text);
  const DraftReport theirs = report_draft(read, guard, held_out_);
  EXPECT_EQ(theirs.read_against, 1'000u);
  const DraftReport other = report_draft(read, guard, texts_of("roosevelt")[0]);
  EXPECT_GE(theirs.voice.score, score_min);
  EXPECT_LT(other.voice.score, score_min);
  EXPECT_LT(theirs.copied.share, 0.01);
  EXPECT_GT(report_draft(read, guard, own_[0]).copied.share, 0.99);
}

TEST_F(VoiceProfile, ExemplarsComeFromManyTexts) {
  std::set<std::string> sources;
  const Profile built = build_profile(own_, {}, {.exemplars = 12}).value();
  for (const NamedText& one : built.exemplars) sources.insert(one.name);
  EXPECT_GE(sources.size(), 6u);
}

TEST_F(VoiceProfile, ShortTextsArePooled) {
  std::vector<NamedText> posts;
  for (const NamedText& text : own_) {
    for (std::string& piece : pieces_of(text.text, 80)) {
      posts.push_back({text.name, std::move(piece)});
    }
  }
  EXPECT_TRUE(build_profile(posts, {}, {}));
  posts.resize(5);
  const auto refused = build_profile(posts, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  EXPECT_NE(refused.error().message.find("1250"), std::string::npos) << refused.error().message;
}

TEST_F(VoiceProfile, RefusesWhatIsNoProfile) {
  for (const char* text :
       {"{}", R"({"kind":"other","version":1})", R"({"kind":"hearth-voice-profile","version":9})",
        R"({"kind":"hearth-voice-profile","version":1,"model":{}})"}) {
    EXPECT_FALSE(Profile::from_json(parse_json(text).value())) << text;
  }
}

}  // namespace
}  // namespace hearth::voice
