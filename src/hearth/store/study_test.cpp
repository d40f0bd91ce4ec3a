#include "hearth/store/study.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"

namespace hearth::store {
namespace {

class StudyFile : public testing::Test {
 protected:
  StudyFile() : folder_(TemporaryDirectory::create("hearth-study-store").value()) {}
  StudyStore open() const { return StudyStore::open(folder_.path() / "study.db").value(); }

 private:
  TemporaryDirectory folder_;
};

GenerationRecord generation(std::string key, std::uint32_t k = 0) {
  return {.key = std::move(key),
          .item = "code/a",
          .prompt_digest = "p",
          .arm = "Q8",
          .arm_digest = "a",
          .k = k,
          .seed = 7,
          .request_digest = "r",
          .output = "text\n\xe2\x80\x9c",
          .thinking = "hm",
          .end = "end_turn",
          .answer_tokens = 12,
          .total_s = 1.5,
          .model = "m",
          .engine_build = "b",
          .cost_usd = 0.25,
          .tries = 2,
          .began_s = 99};
}

TEST_F(StudyFile, GivesBackWhatWasWritten) {
  {
    StudyStore store = open();
    ASSERT_TRUE(store.add_generation(generation("g1")));
    ASSERT_TRUE(store.add_generation(generation("g2", 1)));
    ASSERT_TRUE(
        store.add_score({.generation = "g1", .item_digest = "i", .grader_version = 1, .score = 0.5, .detail = "{}"}));
    ASSERT_TRUE(store.add_event({.kind = "registered", .body = "{}", .at_s = 5}));
  }
  const StudyStore store = open();
  const std::vector<GenerationRecord> found = store.generations().value();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].key, "g1");
  EXPECT_EQ(found[0].output, generation("g1").output);
  EXPECT_EQ(found[0].thinking, "hm");
  EXPECT_EQ(found[0].seed, 7u);
  EXPECT_EQ(found[1].k, 1u);
  EXPECT_DOUBLE_EQ(found[1].cost_usd, 0.25);
  EXPECT_EQ(found[1].began_s, 99);
  EXPECT_DOUBLE_EQ(store.scores()->at(0).score, 0.5);
  EXPECT_EQ(store.events()->at(0).kind, "registered");
}

TEST_F(StudyFile, NothingIsThereTwice) {
  StudyStore store = open();
  ASSERT_TRUE(store.add_generation(generation("g1")));
  EXPECT_FALSE(store.add_generation(generation("g1")));
  ASSERT_TRUE(store.add_round({.round = 1, .k_end = 2, .commitment = "c"},
                              {{.id = "t1", .round = 1, .digest = "d", .egress = "judge", .task = "{}"}}));
  EXPECT_FALSE(store.add_round({.round = 2, .k_end = 2, .commitment = "c"},
                               {{.id = "t2", .round = 2, .digest = "d", .egress = "judge", .task = "{}"},
                                {.id = "t1", .round = 2, .digest = "d", .egress = "judge", .task = "{}"}}));
  EXPECT_EQ(store.rounds()->size(), 1u);  // all or nothing
  EXPECT_TRUE(store.tasks(2)->empty());
  ASSERT_TRUE(store.add_grade({.task = "t1", .judge = "j", .task_digest = "d", .graded = true, .value = 0.5}));
  EXPECT_FALSE(store.add_grade({.task = "t1", .judge = "j", .task_digest = "d", .graded = true, .value = 0.7}));
  ASSERT_TRUE(
      store.add_grade({.task = "t1", .judge = "j", .repeat = 1, .task_digest = "d", .graded = true, .value = 0.7}));
}

TEST_F(StudyFile, ARoundIsOpenedOnceAndKnowsItsLastGrade) {
  StudyStore store = open();
  ASSERT_TRUE(store.add_round(
      {.round = 1, .k_end = 2, .commitment = "c"},
      {{.id = "t1", .round = 1, .digest = "d", .egress = "deny", .copy = 1, .for_second = true, .task = "{}"}}));
  ASSERT_TRUE(store.add_grade({.task = "t1", .judge = "j", .task_digest = "d", .graded = true, .value = 0.5}));
  EXPECT_FALSE(store.rounds()->at(0).map);
  ASSERT_TRUE(store.open_round(1, "{map}"));
  EXPECT_FALSE(store.open_round(1, "{another}"));
  EXPECT_FALSE(store.open_round(2, "{map}"));
  const RoundRecord round = store.rounds()->at(0);
  EXPECT_EQ(round.map, "{map}");
  EXPECT_EQ(round.last_grade, store.grades()->at(0).sequence);
  EXPECT_EQ(store.tasks(1)->at(0).copy, 1u);
  EXPECT_TRUE(store.tasks(1)->at(0).for_second);
}

// Says where a text belongs, and hides nothing.
class Marking final : public TextCipher {
 public:
  Result<std::string> seal(std::string_view text, std::string_view place) override { return std::string(place) + "|" + std::string(text); }
  Result<std::string> open(std::string_view sealed, std::string_view place) override {
    if (!sealed.starts_with(std::string(place) + "|")) return fail(Code::corrupt, "moved: " + std::string(sealed));
    return std::string(sealed.substr(place.size() + 1));
  }
};

TEST_F(StudyFile, SealsWhatIsToBeSealedAndNothingElse) {
  StudyStore store = open();
  GenerationRecord hidden = generation("g1");
  hidden.is_sealed = true;
  EXPECT_EQ(store.add_generation(hidden).error().code, Code::unavailable);
  EXPECT_EQ(store.check_cipher().error().code, Code::unavailable);
  const auto cipher = std::make_shared<Marking>();
  store.set_cipher(cipher);
  ASSERT_TRUE(store.check_cipher());
  ASSERT_TRUE(store.add_generation(hidden));
  ASSERT_TRUE(store.add_generation(generation("g2")));
  ASSERT_TRUE(store.add_score({.generation = "g1", .item_digest = "i", .grader_version = 1, .detail = "{d}", .is_sealed = true}));
  ASSERT_TRUE(store.add_round({.round = 1, .k_end = 1, .commitment = "c"},
                              {{.id = "t1", .round = 1, .digest = "d", .egress = "deny", .task = "{t}", .is_sealed = true}}));
  ASSERT_TRUE(store.add_grade({.task = "t1", .judge = "j", .task_digest = "d", .graded = true, .answer = "{a}", .fault = "f", .raw = "r", .is_sealed = true}));
  EXPECT_EQ(store.generations()->at(0).output, hidden.output);
  EXPECT_EQ(store.generations()->at(0).thinking, "hm");
  EXPECT_FALSE(store.generations()->at(1).is_sealed);
  EXPECT_EQ(store.scores()->at(0).detail, "{d}");
  EXPECT_EQ(store.tasks(1)->at(0).task, "{t}");
  EXPECT_EQ(store.grades()->at(0).answer + store.grades()->at(0).fault + store.grades()->at(0).raw, "{a}fr");
  EXPECT_EQ(store.cached_grade("d", "j", 0, 0).value()->raw, "r");
  const StudyStore without = open();
  EXPECT_EQ(without.generations().error().code, Code::unavailable);
  EXPECT_EQ(without.rounds()->size(), 1u) << "what has no text is read all the same";
}

TEST_F(StudyFile, FindsGradesOfTheSameQuestion) {
  StudyStore store = open();
  ASSERT_TRUE(store.add_round({.round = 1, .k_end = 2, .commitment = "c"},
                              {{.id = "t1", .round = 1, .digest = "d", .egress = "judge", .task = "{}"},
                               {.id = "t2", .round = 1, .digest = "e", .egress = "judge", .task = "{}"}}));
  ASSERT_TRUE(store.add_grade({.task = "t1", .judge = "j", .task_digest = "d", .graded = true, .value = 0.5}));
  ASSERT_TRUE(store.add_grade({.task = "t2", .judge = "j", .task_digest = "e", .graded = false, .fault = "prose"}));
  EXPECT_DOUBLE_EQ(store.cached_grade("d", "j", 0, 0).value()->value, 0.5);
  EXPECT_FALSE(store.cached_grade("d", "j", 1, 0).value());  // another repeat
  EXPECT_FALSE(store.cached_grade("d", "j", 0, 1).value());  // asked once more on purpose
  EXPECT_FALSE(store.cached_grade("d", "k", 0, 0).value());  // another judge
  EXPECT_FALSE(store.cached_grade("e", "j", 0, 0).value());  // was given up
}

}  // namespace
}  // namespace hearth::store
