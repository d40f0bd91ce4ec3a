#include "hearth/seal/conversations.h"

#include <gtest/gtest.h>

#include "hearth/base/random.h"

namespace hearth::seal {
namespace {

struct Sink final : AuditSink {
  Result<> append(const AuditRecord& record) override {
    if (is_full) return fail(Code::resource_exhausted, "full");
    records.push_back(record);
    return {};
  }
  std::vector<AuditRecord> records;
  bool is_full = false;
};

LabelDecision says(Label label, Source source = Source::key, std::string rule = "k") {
  LabelDecision out;
  out.add(Reason{source, label, std::move(rule)});
  return out;
}

TEST(Conversations, ALabelSticks) {
  Conversations book;
  EXPECT_EQ(book.observe("a", says(Label::open)).label, Label::open);
  EXPECT_EQ(book.observe("a", says(Label::sealed, Source::detector, "private_key")).label, Label::sealed);
  const LabelDecision later = book.observe("a", says(Label::open));
  EXPECT_EQ(later.label, Label::sealed);
  EXPECT_EQ(later.reasons.front().source, Source::session);
  EXPECT_EQ(later.reasons.front().rule, "earlier: detector private_key");
  EXPECT_EQ(book.observe("b", says(Label::open)).label, Label::open);
}

TEST(Conversations, RandomRequestsNeverLowerOne) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    Conversations book;
    std::map<std::string, Label> highest;
    for (int i = 0; i < 60; ++i) {
      const std::string id = std::to_string(random.below(4));
      const auto label = static_cast<Label>(random.below(3));
      Label& most = highest[id];
      most = join(most, label);
      EXPECT_EQ(book.observe(id, says(label, static_cast<Source>(random.below(8)), std::to_string(i))).label, most);
      EXPECT_EQ(book.known(id).label, most);
    }
  }
}

TEST(Conversations, LoweringTakesTheRightWordsAndARecord) {
  Conversations book;
  Sink sink;
  book.observe("3f2a", says(Label::sealed));
  Lowering act{.conversation = "3f2a", .to = Label::open, .who = "me", .typed = "yes", .why = "public now"};
  EXPECT_EQ(book.lower(act, 1, sink).error().code, Code::permission);
  act.typed = lowering_phrase("3f2a", Label::sealed, Label::open);
  sink.is_full = true;
  EXPECT_FALSE(book.lower(act, 1, sink));
  EXPECT_EQ(book.known("3f2a").label, Label::sealed);  // not recorded: not done
  sink.is_full = false;
  ASSERT_TRUE(book.lower(act, 1, sink));
  EXPECT_EQ(book.known("3f2a").label, Label::open);
  ASSERT_EQ(sink.records.size(), 1);
  EXPECT_EQ(sink.records[0].act, AuditAct::lowered);
  EXPECT_EQ(sink.records[0].clearance.decision.label, Label::sealed);
  EXPECT_EQ(book.lower(act, 1, sink).error().code, Code::not_found);
}

TEST(Conversations, LoweringDoesNotRaise) {
  Conversations book;
  Sink sink;
  book.observe("a", says(Label::house));
  const Lowering act{.conversation = "a", .to = Label::sealed, .who = "me", .typed = "x", .why = {}};
  EXPECT_EQ(book.lower(act, 1, sink).error().code, Code::invalid_argument);
}

TEST(Conversations, AFullBookSealsWhatItDoesNotKnow) {
  Conversations book;
  for (std::size_t i = 0; i < labelled_conversations_max; ++i) book.observe(std::to_string(i), says(Label::house));
  EXPECT_EQ(book.observe("new", says(Label::open)).label, Label::sealed);
  EXPECT_EQ(book.observe("7", says(Label::open)).label, Label::house);
}

TEST(Conversations, AnEndlessIdIsSealed) {
  Conversations book;
  EXPECT_EQ(book.observe(std::string(1000, 'x'), says(Label::open)).label, Label::sealed);
}

TEST(Audit, ARecordHasNoRoomForText) {
  AuditRecord record;
  record.clearance.decision.add(Reason{Source::key, Label::open, "key k1"});
  record.upstream = "anthropic";
  const std::string text = dump_json(to_json(record));
  EXPECT_NE(text.find("\"upstream\":\"anthropic\""), text.npos);
  EXPECT_NE(text.find("\"label\":\"open\""), text.npos);
}

TEST(Audit, TheKeyIsMadeOnceAndPrivate) {
  const auto directory = TemporaryDirectory::create("audit").value();
  const auto path = directory.path() / "key";
  const std::string key = load_or_make_key(path).value();
  EXPECT_EQ(key.size(), 32);
  EXPECT_EQ(load_or_make_key(path).value(), key);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_NE(audit_digest(key, as_byte_span("hi")), audit_digest("", as_byte_span("hi")));
}

}  // namespace
}  // namespace hearth::seal
