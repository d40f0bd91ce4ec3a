#include "hearth/session/draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::session {
namespace {

using ::testing::ElementsAre;
using Step = BannedDraft::Step;

TEST(PhraseBans, FindWholeWordsHoweverTheyAreSpelt) {
  const PhraseBans bans({"delve", "it's not just", "  A  tapestry of "});
  struct Case {
    std::string_view text;
    int begin;  // -1: nothing
  };
  const Case cases[] = {{"We Delve deeper", 3},       {"We delved deeper", -1},       {"undelve it", -1},
                        {"It\u2019s not\njust ham", 0}, {"its not just ham", -1},       {"a tapestry  of x", 0},
                        {"a tapestry", -1},           {"so delve", 3}};
  for (const Case& c : cases) {
    const auto found = bans.find(c.text, 0, /*is_open=*/false);
    EXPECT_EQ(found ? static_cast<int>(found->begin) : -1, c.begin) << c.text;
  }
  EXPECT_FALSE(bans.find("so delve", 0, /*is_open=*/true));  // "delves" may come
  EXPECT_TRUE(bans.find("so delve ", 0, /*is_open=*/true));
}

TEST(BannedDraft, GoesBackBeforeThePhraseWhereverItsPiecesEnd) {
  const PhraseBans bans({"rich tapestry"});
  for (std::size_t cut = 1; cut < 20; ++cut) {
    const std::string text = "A rich tapestry of x";
    BannedDraft draft(bans, {});
    Step step = draft.take(text.substr(0, cut));
    if (step == Step::go_on) step = draft.take(text.substr(cut));
    EXPECT_EQ(step, Step::again) << cut;
    EXPECT_EQ(draft.text(), "A ");
  }
}

TEST(BannedDraft, GoesFurtherBackEachTimeAndGivesUpInTheEnd) {
  const PhraseBans bans({"delve"});
  BannedDraft draft(bans, {.tries_per_place = 2, .retries_max = 6});
  EXPECT_EQ(draft.take("One.\n\nTwo. I delve "), Step::again);
  EXPECT_EQ(draft.text(), "One.\n\nTwo. I ");
  EXPECT_EQ(draft.take("delve "), Step::again);
  EXPECT_EQ(draft.take("delve "), Step::again);
  EXPECT_EQ(draft.text(), "One.\n\nTwo.");  // the sentence
  EXPECT_EQ(draft.take(" I delve "), Step::again);
  EXPECT_EQ(draft.take(" I delve "), Step::again);
  EXPECT_EQ(draft.text(), "One.\n\n");  // the paragraph
  EXPECT_EQ(draft.take("Two. I delve "), Step::again);
  EXPECT_EQ(draft.take("Two. I delve "), Step::go_on);
  EXPECT_THAT(draft.passed(), ElementsAre("delve"));
  EXPECT_EQ(draft.text(), "One.\n\nTwo. I delve ");
  EXPECT_EQ(draft.finish(), Step::go_on);
}

TEST(BannedDraft, ThePhraseAtTheVeryEndIsFound) {
  const PhraseBans bans({"delve"});
  BannedDraft draft(bans, {});
  EXPECT_EQ(draft.take("I delve"), Step::go_on);
  EXPECT_EQ(draft.finish(), Step::again);
  EXPECT_EQ(draft.text(), "I ");
}

TEST(Phrases, AreReadLineByLine) {
  EXPECT_THAT(read_phrases("# list\nDelve\n\n in  short # a comment\n"), ElementsAre("delve", "in short"));
}

// Says its line whatever the prompt is, and the next one when asked again.
class LineEndpoint final : public upstream::Endpoint {
 public:
  std::vector<std::string> lines;
  std::vector<chat::ChatRequest> asked;
  using upstream::Endpoint::ask;
  const upstream::EndpointSpec& spec() const override { return spec_; }
  upstream::EndpointState look(Deadline, const StopToken&) override { return {}; }
  chat::ApiResult<std::unique_ptr<upstream::AnswerStream>> ask(const chat::ChatRequest& request, Deadline, const StopToken&) override {
    asked.push_back(request);
    const std::string line = lines[std::min(asked.size(), lines.size()) - 1];
    return std::make_unique<Stream>(line);
  }

 private:
  class Stream final : public upstream::AnswerStream {
   public:
    explicit Stream(std::string line) : line_(std::move(line)) {}
    chat::ApiResult<std::optional<upstream::Arrival>> next(Deadline) override {
      if (at_ == line_.size()) {
        upstream::Answered last;
        last.end.usage.answer_tokens = 3;
        return upstream::Arrival{.at = {}, .what = last};
      }
      return upstream::Arrival{.at = {}, .what = upstream::Piece{{.text = line_.substr(at_++, 1)}, {}}};
    }
    const upstream::ExchangeTimes& times() const override { return times_; }

   private:
    const std::string line_;
    std::size_t at_ = 0;
    upstream::ExchangeTimes times_;
  };
  upstream::EndpointSpec spec_;
};

TEST(Drafts, AreWrittenAroundBannedPhrases) {
  LineEndpoint endpoint;
  endpoint.lines = {"Let us delve into it.", "look at it."};
  DraftOrder order{.brief = "Write.", .samples = {{"a", "Own words."}}, .banned = {"delve"}};
  const auto draft = write_draft(endpoint, order, /*seed=*/5, [](std::size_t) {}, {});
  ASSERT_TRUE(draft);
  EXPECT_EQ(draft->text, "Let us look at it.");
  EXPECT_EQ(draft->retries, 1);
  EXPECT_TRUE(draft->is_complete);
  ASSERT_EQ(endpoint.asked.size(), 2U);
  EXPECT_TRUE(endpoint.asked[1].continues_last);
  EXPECT_EQ(endpoint.asked[1].conversation.messages.back().text, "Let us ");
  EXPECT_NE(endpoint.asked[0].sampling.seed, endpoint.asked[1].sampling.seed);
  EXPECT_EQ(endpoint.asked[0].conversation.messages[0], endpoint.asked[1].conversation.messages[0]);
  order.continues = true;
  EXPECT_EQ(std::get<std::string>(*draft_request(order, " More").raw_prompt), "Own words.\n\n* * *\n\nWrite. More");
}

TEST(Drafts, CopiesAndBannedPhrasesGoBehindWhateverTheirScore) {
  std::vector<Draft> drafts(4);
  drafts[1].passed = {"delve"};
  const std::vector<DraftVerdict> verdicts = {{.score = 0.1}, {.score = 0.9}, {.score = 0.8, .copied_words = 40}, {.score = 0.5}};
  EXPECT_THAT(rank_drafts(drafts, verdicts), ElementsAre(3, 0, 1, 2));
}

}  // namespace
}  // namespace hearth::session
