#include "hearth/session/chat_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <fstream>

#include "hearth/base/file.h"

namespace hearth::session {
namespace fs = std::filesystem;
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A service that answers from a list and notes what it was asked.
class ScriptedEndpoint final : public upstream::Endpoint {
 public:
  struct Answer {
    std::string text, thinking;
    std::vector<std::pair<std::string, std::string>> calls;  // id, arguments
    std::optional<chat::ApiError> error;  // after what else there is
    std::uint32_t prompt_tokens = 100;
  };
  std::deque<Answer> answers;
  std::vector<chat::ChatRequest> asked;

  using upstream::Endpoint::ask;
  const upstream::EndpointSpec& spec() const override { return spec_; }
  upstream::EndpointState look(Deadline, const StopToken&) override { return {}; }
  chat::ApiResult<std::unique_ptr<upstream::AnswerStream>> ask(const chat::ChatRequest& request, Deadline,
                                                               const StopToken&) override {
    asked.push_back(request);
    Answer answer{.text = "(nothing more)"};
    if (!answers.empty()) {
      answer = answers.front();
      answers.pop_front();
    }
    return std::make_unique<Stream>(std::move(answer));
  }

 private:
  class Stream final : public upstream::AnswerStream {
   public:
    explicit Stream(Answer answer) : error_(answer.error) {
      const auto add = [this](chat::AnswerEvent::Kind kind, std::string text, std::string id = {}, std::string name = {}) {
        if (text.empty()) return;
        arrivals_.push_back({.at = {}, .what = upstream::Piece{{.kind = kind, .text = std::move(text), .id = std::move(id), .name = std::move(name)}, {}}});
      };
      add(chat::AnswerEvent::Kind::thinking, answer.thinking);
      add(chat::AnswerEvent::Kind::text, answer.text);
      for (const auto& [id, arguments] : answer.calls) add(chat::AnswerEvent::Kind::call, arguments, id, "memory");
      upstream::Answered last;
      last.end.usage = {.prompt_tokens = answer.prompt_tokens, .answer_tokens = 10};
      if (!error_) arrivals_.push_back({.at = {}, .what = last});
    }
    chat::ApiResult<std::optional<upstream::Arrival>> next(Deadline) override {
      if (arrivals_.empty()) return std::unexpected(error_.value_or(chat::ApiError{.message = "over"}));
      auto out = std::move(arrivals_.front());
      arrivals_.pop_front();
      return out;
    }
    const upstream::ExchangeTimes& times() const override { return times_; }

   private:
    std::deque<upstream::Arrival> arrivals_;
    std::optional<chat::ApiError> error_;
    upstream::ExchangeTimes times_;
  };
  upstream::EndpointSpec spec_;
};

class ScriptedScreen final : public ChatScreen {
 public:
  std::deque<std::string> lines;
  std::string shown, notices, printed, initial;
  bool stops_answers = false;

  std::optional<std::string> read_line(std::string_view, std::string_view before) override {
    initial = before;
    if (lines.empty()) return std::nullopt;
    std::string line = lines.front();
    lines.pop_front();
    return line;
  }
  StopToken begin_answer() override {
    StopSource source;
    if (stops_answers) source.request_stop();
    return source.token();
  }
  void progress(double) override {}
  void thinking(std::string_view piece) override { shown += "(" + std::string(piece) + ")"; }
  void text(std::string_view piece) override { shown += piece; }
  void tool(const chat::ToolCall& call, const ToolReply& reply) override { shown += "[" + call.name + (reply.is_error ? " failed]" : "]"); }
  void end_answer(const ContextUse&) override { shown += "\n"; }
  void show_thinking(bool) override {}
  void notice(std::string_view text) override { notices += std::string(text) + "\n"; }
  void print(std::string_view text) override { printed += text; }
};

class Chats : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(home_.path() / "memory");
    std::ofstream(home_.path() / "memory/cat.md") << "The cat is called Mia.\n";
  }
  // What the chat was told, line by line.
  bool talk(std::deque<std::string> lines) {
    if (!session_) {
      auto created = Session::create(*shelf_.create("s"), {.id = "s", .memory_folder = (home_.path() / "memory").string()},
                                     *read_memory_folder(home_.path() / "memory"));
      session_.emplace(*std::move(created));
    }
    screen_.lines = std::move(lines);
    ChatLoop loop({.shelf = shelf_, .answers = answers_, .memory = memory_, .screen = screen_, .place = place_.get(), .ask = {}, .window_tokens = 1000,
                   .now_s = [] { return 1'795'877'879; }, .stop = {}}, *std::move(session_));
    session_.reset();
    const auto done = loop.run();
    EXPECT_TRUE(done) << done.error().message;
    roles_.clear();
    for (const chat::Message& message : loop.session().conversation().messages) roles_ += chat::role_name(message.role)[0];
    texts_ = transcript(loop.session());
    return !loop.had_failure();
  }
  static std::string transcript(const Session& session) {
    std::string out;
    for (const Node* node : session.tree().path()) out += node->message.text + "|";
    return out;
  }
  std::string file(const std::string& name) const { return read_text_file(home_.path() / "memory" / name, 1000).value_or("(none)"); }

  TemporaryDirectory home_ = *TemporaryDirectory::create("hearth-chat-test");
  SessionShelf shelf_{home_.path() / "sessions"};
  std::unique_ptr<MemoryPlace> place_ = make_plain_memory(home_.path() / "memory");
  ScriptedEndpoint answers_, memory_;
  ScriptedScreen screen_;
  std::optional<Session> session_;
  std::string roles_, texts_;
};

TEST_F(Chats, MemoryIsReadAheadAndPinnedBeforeTheFirstLine) {
  answers_.answers = {{.text = "Hello.", .thinking = "hm"}};
  EXPECT_TRUE(talk({"hi"}));
  ASSERT_EQ(memory_.asked.size(), 1U);
  EXPECT_EQ(memory_.asked[0].tokens_max, 0U);
  ASSERT_EQ(memory_.asked[0].conversation.messages.size(), 1U);
  EXPECT_THAT(memory_.asked[0].conversation.messages[0].text, HasSubstr("Mia"));
  // The prompt of the first answer continues what was read ahead.
  EXPECT_EQ(answers_.asked[0].conversation.messages[0], memory_.asked[0].conversation.messages[0]);
  EXPECT_EQ(answers_.asked[0].conversation.tools, memory_.asked[0].conversation.tools);
  EXPECT_EQ(screen_.shown, "\n(hm)Hello.\n");
  EXPECT_EQ(roles_, "sua");
}

TEST_F(Chats, TheModelsMemoryCallsAreRunAndFoldedWhenTheChatIsLeft) {
  answers_.answers = {{.text = "Noted.", .calls = {{"c1", R"({"command":"create","path":"/memories/dog.md","file_text":"Rex\n"})"},
                                                   {"c2", R"({"command":"view","path":"/memories/../x"})"}}},
                      {.text = "Done."}};
  EXPECT_TRUE(talk({"remember my dog", "/memory diff"}));
  EXPECT_EQ(roles_, "suatta");
  EXPECT_THAT(screen_.shown, HasSubstr("[memory][memory failed]"));
  EXPECT_THAT(screen_.printed, HasSubstr("+Rex"));
  EXPECT_EQ(file("dog.md"), "Rex\n");
  EXPECT_EQ(memory_.asked.size(), 2U);  // the next session's opening too
  EXPECT_THAT(memory_.asked[1].conversation.messages[0].text, HasSubstr("Rex"));
  EXPECT_EQ(answers_.asked[1].conversation.messages[2].calls.size(), 2U);
}

TEST_F(Chats, UndoEditRetryAndBranches) {
  answers_.answers = {{.text = "a1"}, {.text = "a2"}, {.text = "a3"}, {.text = "a4"}};
  EXPECT_TRUE(talk({"q1", "q2", "/undo", "/edit 1 Q1", "/retry", "/branches", "/go 1"}));
  EXPECT_EQ(texts_, "q1|a1|q2|a2|");
  EXPECT_THAT(screen_.printed, HasSubstr("   1    4 messages  q2\n"));
  EXPECT_THAT(screen_.printed, HasSubstr("*  3    2 messages  Q1\n"));
}

TEST_F(Chats, EditOffersWhatWasSaid) {
  answers_.answers = {{.text = "a1"}, {.text = "a2"}};
  EXPECT_TRUE(talk({"q1", "/edit", "q1 better"}));
  EXPECT_EQ(texts_, "q1 better|a2|");
}

TEST_F(Chats, WhatDoesNotFitIsKeptAndNothingIsLeftOutByItself) {
  answers_.answers = {{.text = "a1"}, {.text = "a2", .prompt_tokens = 890},
                      {.error = chat::ApiError{.kind = chat::ApiError::Kind::prompt_too_long, .message = "too long",
                                               .prompt_tokens = 1100, .prompt_tokens_max = 1000}},
                      {.text = "a3"}};
  EXPECT_FALSE(talk({"q1", "q2", "q3", "/leave-out 1", "/send"}));
  EXPECT_THAT(screen_.notices, HasSubstr("the window is 90 % full (900 of 1000 tokens)"));
  EXPECT_THAT(screen_.notices, HasSubstr("does not fit any more: 1100 tokens, the window takes 1000. Nothing was left out"));
  EXPECT_EQ(texts_, "The user left the first 1 turns of this conversation out.|q2|a2|q3|a3|");
}

TEST_F(Chats, AnAnswerThatIsStoppedOrBreaksIsKeptAsFarAsItCame) {
  answers_.answers = {{.text = "half an", .error = chat::ApiError{.message = "the worker died"}}, {.text = "whole"}};
  EXPECT_FALSE(talk({"q1"}));
  EXPECT_EQ(texts_, "q1|half an|");
  EXPECT_THAT(screen_.notices, HasSubstr("the worker died; what you said is kept"));
  auto log = shelf_.open("s");
  session_.emplace(*Session::load(*std::move(log), shelf_.read("s")->records));
  EXPECT_TRUE(talk({"/retry"}));
  EXPECT_EQ(texts_, "q1|whole|");
}

TEST_F(Chats, AHandoverBeginsANewSessionWithANoteThatWasAccepted) {
  answers_.answers = {{.text = "a1"}, {.text = "We talked about the cat."}, {.text = "a2"}};
  EXPECT_TRUE(talk({"q1", "/handover", "next", "", "q2"}));
  EXPECT_THAT(texts_, HasSubstr("read and accepted by the user:\n\nWe talked about the cat.|q2|a2|"));
  EXPECT_THAT(*shelf_.ids(), ::testing::ElementsAre("next", "s"));
  EXPECT_EQ(transcript(*Session::load(nullptr, shelf_.read("s")->records)), "q1|a1|");
}

TEST_F(Chats, AMemoryFolderThatBreaksMeanwhileIsNamedAndTheChatGoesOn) {
  answers_.answers = {{.text = "a1"}};
  fs::create_symlink("/etc/passwd", home_.path() / "memory/bad.md");
  session_.emplace(*Session::create(*shelf_.create("s"), {.id = "s", .memory_folder = (home_.path() / "memory").string()}, {}));
  EXPECT_FALSE(talk({"q1", "/memory add x.md text", "/nonsense"}));
  EXPECT_THAT(screen_.notices, HasSubstr("bad.md: is a link"));
  EXPECT_THAT(screen_.notices, HasSubstr("no command /nonsense"));
  EXPECT_THAT(screen_.notices, HasSubstr("memory was not written, the changes stay in the session"));
}

TEST(ChatCommands, AreReadAsTyped) {
  using Kind = ChatCommand::Kind;
  EXPECT_EQ(read_chat_command("hello /undo").kind, Kind::say);
  EXPECT_EQ(read_chat_command("//undo").text, "/undo");
  EXPECT_EQ(read_chat_command("/ undo ").kind, Kind::undo);
  const ChatCommand edit = read_chat_command("/edit 3 in other words");
  EXPECT_EQ(edit.number, 3U);
  EXPECT_EQ(edit.text, "in other words");
  EXPECT_EQ(read_chat_command("/edit in other words").text, "in other words");
  EXPECT_EQ(read_chat_command("/what").kind, Kind::unknown);
  EXPECT_EQ(read_chat_command("/").kind, Kind::unknown);
}

}  // namespace
}  // namespace hearth::session
