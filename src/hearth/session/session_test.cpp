#include "hearth/session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/file.h"

namespace hearth::session {
namespace fs = std::filesystem;
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Sessions : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(memory());
    write("cat.md", "The cat is called Mia.\n");
  }
  fs::path memory() const { return home_.path() / "memory"; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(memory() / name) << text; }

  Session start(const std::string& id = "journal") {
    auto files = *read_memory_folder(memory());
    auto session = Session::create(*shelf_.create(id), {.id = id, .memory_folder = memory().string(), .instructions = "Be kind."},
                                   std::move(files));
    return *std::move(session);
  }
  Session load(const std::string& id = "journal") {
    auto log = shelf_.open(id);
    EXPECT_TRUE(log) << log.error().message;
    auto session = Session::load(*std::move(log), shelf_.read(id)->records);
    EXPECT_TRUE(session) << session.error().message;
    return *std::move(session);
  }
  static std::string roles(const Session& session) {
    std::string out;
    for (const chat::Message& message : session.conversation().messages) out += chat::role_name(message.role)[0];
    return out;
  }
  static chat::ToolCall call(std::string_view arguments) {
    return {.id = "call_1", .name = "memory", .arguments = *parse_json(arguments), .raw_arguments = {}};
  }

  TemporaryDirectory home_ = *TemporaryDirectory::create("hearth-session-test");
  SessionShelf shelf_{home_.path() / "sessions"};
  std::unique_ptr<MemoryPlace> place_ = make_plain_memory(memory());
};

TEST_F(Sessions, ThePrefixStaysWhileMemoryChanges) {
  Session session = start();
  const std::string prefix = session.prefix();
  EXPECT_THAT(prefix, HasSubstr("Mia"));
  ASSERT_TRUE(session.say("hello", 1));
  EXPECT_EQ(roles(session), "su");
  write("cat.md", "The cat is called Leo.\n");
  EXPECT_THAT(*session.see_disk(*read_memory_folder(memory())), IsEmpty());
  ASSERT_TRUE(session.say("and now?", 2));
  EXPECT_EQ(session.prefix(), prefix);
  EXPECT_EQ(roles(session), "susu");
  EXPECT_THAT(session.conversation().messages[2].text, HasSubstr("Leo"));
  ASSERT_TRUE(session.say("again", 3));
  EXPECT_EQ(roles(session), "susuu");  // told once
}

TEST_F(Sessions, GoingBackTellsTheModelAgain) {
  Session session = start();
  ASSERT_TRUE(session.say("hello", 1));
  ASSERT_TRUE(session.run_tool(call(R"({"command":"create","path":"/memories/dog.md","file_text":"Rex"})"), 2));
  EXPECT_EQ(*session.undo(), "hello");
  EXPECT_EQ(roles(session), "s");
  ASSERT_TRUE(session.say("hello again", 3));
  EXPECT_EQ(roles(session), "ssu");
  EXPECT_THAT(session.conversation().messages[1].text, HasSubstr("Rex"));
}

TEST_F(Sessions, ToolChangesReachTheFolderOnlyWhenFolded) {
  Session session = start();
  ASSERT_TRUE(session.say("remember this", 1));
  const auto reply = session.run_tool(
      call(R"({"command":"str_replace","path":"/memories/cat.md","old_str":"Mia","new_str":"Leo"})"), 2);
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->is_error);
  EXPECT_EQ(roles(session), "sut");
  EXPECT_EQ(*read_text_file(memory() / "cat.md", 100), "The cat is called Mia.\n");
  const auto report = session.fold(*place_, "S");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->written, ElementsAre("cat.md"));
  EXPECT_EQ(*read_text_file(memory() / "cat.md", 100), "The cat is called Leo.\n");
  EXPECT_THAT(session.unfolded(), IsEmpty());
  EXPECT_THAT(session.prefix(), HasSubstr("Mia"));
}

TEST_F(Sessions, WhatSomebodyElseChangedWinsOverTheSession) {
  Session session = start();
  ASSERT_TRUE(session.change_memory({{"cat.md", "The session's cat.\n"}}));
  write("cat.md", "Her own words.\n");
  EXPECT_THAT(*session.see_disk(*read_memory_folder(memory())), ElementsAre("cat.md"));
  const auto report = session.fold(*place_, "S");
  ASSERT_TRUE(report);
  EXPECT_THAT(report->conflicts, ElementsAre("cat.md"));
  EXPECT_EQ(session.view().at("cat.md"), "Her own words.\n");
  EXPECT_EQ(*read_text_file(memory() / ".hearth/backup/S/cat.md.session", 100), "The session's cat.\n");
}

TEST_F(Sessions, AllOfItSurvivesTheProcess) {
  chat::Conversation before;
  {
    Session session = start();
    ASSERT_TRUE(session.say("one", 1));
    Node answer;
    answer.message = {.role = chat::Role::assistant, .text = "two", .thinking = "hm", .calls = {call(R"({"command":"view","path":"/memories"})")}};
    answer.prompt_tokens = 10;
    ASSERT_TRUE(session.add(answer));
    ASSERT_TRUE(session.run_tool(answer.message.calls.front(), 2));
    ASSERT_TRUE(session.change_memory({{"new.md", "text"}}));
    ASSERT_TRUE(session.set_title("A talk"));
    ASSERT_TRUE(session.raise_label("sealed"));
    ASSERT_TRUE(session.raise_label("open"));
    before = session.conversation();
  }
  const Session session = load();
  EXPECT_EQ(session.conversation().messages, before.messages);
  EXPECT_EQ(session.facts().title, "A talk");
  EXPECT_EQ(session.facts().label, "sealed");
  EXPECT_EQ(session.unfolded(), (std::vector<MemoryChange>{{"new.md", "text"}}));
}

TEST_F(Sessions, OldTurnsAreLeftOutOnlyWhenAsked) {
  Session session = start();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(session.say("q" + std::to_string(i), i));
    Node answer;
    answer.message = {.role = chat::Role::assistant, .text = "a" + std::to_string(i)};
    ASSERT_TRUE(session.add(answer));
  }
  EXPECT_FALSE(session.leave_out_oldest(3, 9));
  ASSERT_TRUE(session.leave_out_oldest(2, 9));
  EXPECT_EQ(roles(session), "ssua");
  EXPECT_THAT(session.conversation().messages[1].text, HasSubstr("first 2 turns"));
  EXPECT_EQ(session.conversation().messages[2].text, "q3");
  EXPECT_THAT(session.tree().leaves(), ElementsAre(6, 9));
}

TEST_F(Sessions, TwoCannotWriteInOne) {
  const Session session = start();
  const auto second = shelf_.open("journal");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::unavailable);
  EXPECT_THAT(second.error().message, HasSubstr("open in another hearth (process "));
  EXPECT_TRUE(shelf_.read("journal"));  // looking is allowed
  EXPECT_FALSE(shelf_.remove("journal"));
  EXPECT_THAT(shelf_.create("journal").error().message, HasSubstr("open in another hearth"));
}

TEST_F(Sessions, ATornEndIsLeftOutAndADamagedLineIsNamed) {
  { ASSERT_TRUE(start().say("one", 1)); }
  std::ofstream(shelf_.path_of("journal"), std::ios::app) << "{\"kind\":\"mess";
  EXPECT_TRUE(shelf_.read("journal")->torn);
  {
    Session session = load();
    EXPECT_EQ(roles(session), "su");
    ASSERT_TRUE(session.say("two", 2));
  }
  EXPECT_FALSE(shelf_.read("journal")->torn);
  std::string text = *read_text_file(shelf_.path_of("journal"), 1 << 20);
  text.insert(text.find("\"message\""), "#");
  std::ofstream(shelf_.path_of("journal")) << text;
  const auto records = shelf_.read("journal")->records;
  EXPECT_THAT(Session::load(nullptr, records).error().message, HasSubstr("record 3: "));
  std::vector<std::string> damaged;
  EXPECT_TRUE(Session::load(nullptr, records, &damaged));
  EXPECT_EQ(damaged.size(), 2U);  // the message, and the one that counts on it
}

// Writes backwards, while it is allowed to.
class MirrorCodec final : public RecordCodec {
 public:
  bool is_locked = false;
  std::vector<std::string> forgotten;
  std::string_view name() const override { return "mirror"; }
  Result<std::string> encode(std::string_view, std::uint64_t index, std::string_view record) override {
    if (is_locked) return fail(Code::unavailable, "locked");
    return std::to_string(index) + std::string(record.rbegin(), record.rend());
  }
  Result<std::string> decode(std::string_view, std::uint64_t index, std::string_view line) override {
    if (is_locked) return fail(Code::unavailable, "locked");
    const std::string place = std::to_string(index);
    if (!line.starts_with(place)) return fail(Code::corrupt, "of another place");
    line.remove_prefix(place.size());
    return std::string(line.rbegin(), line.rend());
  }
  Result<> forget(std::string_view session) override {
    forgotten.emplace_back(session);
    return {};
  }
};

// A place that is told to be sealed: what the vault is for, without one.
class SealedPlace final : public MemoryPlace {
 public:
  explicit SealedPlace(fs::path folder) : plain_(make_plain_memory(std::move(folder))) {}
  Result<MemoryFiles> read() override { return plain_->read(); }
  Result<FoldReport> fold(const MemoryFiles& known, const MemoryFiles& wanted, std::string_view stamp) override {
    return plain_->fold(known, wanted, stamp);
  }
  bool is_sealed() const override { return true; }

 private:
  const std::unique_ptr<MemoryPlace> plain_;
};

TEST_F(Sessions, ThatAreSealedFoldIntoASealedPlaceOnly) {
  auto session = Session::create(*shelf_.create("s"), {.id = "s", .label = "sealed", .memory_folder = memory().string()}, {});
  ASSERT_TRUE(session->change_memory({{"new.md", "words"}}));
  EXPECT_EQ(session->fold(*place_, "S").error().code, Code::permission);
  EXPECT_FALSE(fs::exists(memory() / "new.md"));
  SealedPlace sealed(memory());
  EXPECT_THAT(session->fold(sealed, "S")->written, ElementsAre("new.md"));
  EXPECT_THAT(session->unfolded(), IsEmpty());
}

TEST_F(Sessions, AreWrittenAsTheirCodecDoesAndNotAtAllWithoutIt) {
  auto owned = std::make_unique<MirrorCodec>();
  MirrorCodec& codec = *owned;
  std::vector<std::unique_ptr<RecordCodec>> codecs;
  codecs.push_back(std::move(owned));
  SessionShelf shelf(home_.path() / "sealed", std::move(codecs));
  {
    auto session = Session::create(*shelf.create("s", "mirror"), {.id = "s", .label = "sealed", .memory_folder = memory().string()}, {});
    ASSERT_TRUE(session);
    ASSERT_TRUE(session->say("a secret", 1));
    ASSERT_TRUE(session->change_memory({{"cat.md", "sealed words"}}));
    EXPECT_EQ(session->fold(*place_, "S").error().code, Code::permission);
  }
  EXPECT_EQ(read_text_file(shelf.path_of("s"), 1 << 20)->find("secret"), std::string::npos);
  EXPECT_EQ(Session::load(nullptr, shelf.read("s")->records)->conversation().messages.back().text, "a secret");
  codec.is_locked = true;
  EXPECT_EQ(shelf.read("s", /*tolerant=*/true).error().code, Code::unavailable);
  EXPECT_FALSE(shelf.create("t", "mirror"));
  EXPECT_THAT(*shelf.ids(), ElementsAre("s"));
  codec.is_locked = false;
  ASSERT_TRUE(shelf.remove("s"));
  EXPECT_THAT(codec.forgotten, ElementsAre("s"));
  EXPECT_FALSE(shelf_.create("u", "mirror"));  // a shelf without the codec
}

TEST_F(Sessions, ForgottenIsGone) {
  { start(); }
  EXPECT_THAT(*shelf_.ids(), ElementsAre("journal"));
  ASSERT_TRUE(shelf_.remove("journal"));
  EXPECT_THAT(*shelf_.ids(), IsEmpty());
  EXPECT_TRUE(fs::is_empty(home_.path() / "sessions"));
  EXPECT_EQ(shelf_.read("journal").error().code, Code::not_found);
  EXPECT_FALSE(shelf_.read("../journal"));
}

}  // namespace
}  // namespace hearth::session
