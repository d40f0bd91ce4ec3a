#include "hearth/seal/label_gate.h"

#include <gtest/gtest.h>

#include "hearth/seal/labeller.h"

namespace hearth::seal {
namespace {

using chat::Role;

const std::string long_question = "What do you think about my mother's letter, the one she never sent me back then?";
const std::string answer_text = "It reads as if she had wanted you to find it, years later.";

chat::ChatRequest request(std::vector<chat::Message> messages) {
  chat::ChatRequest out;
  out.conversation.messages = std::move(messages);
  return out;
}
chat::Message said(std::string text) { return {.role = Role::user, .text = std::move(text)}; }
chat::Message answered(std::string text) { return {.role = Role::assistant, .text = std::move(text)}; }

class LabellerTest : public testing::Test {
 protected:
  LabelRules rules() const {
    LabelRules out;
    out.keys = {{"sealedkey", Label::sealed}, {"housekey", Label::house}};
    out.folders = {{"/home/me/diary", Label::sealed}, {"/srv/house", Label::house}};
    out.home = "/home/me";
    return out;
  }
  void open() {
    labeller_.reset();  // it holds its log
    labeller_ = Labeller::open(rules(), directory_.path() / "seal").value();
  }
  void SetUp() override { open(); }
  Label label(const chat::ChatRequest& request, std::string client = "openkey", std::string session = {},
              std::optional<std::string> header = {}) {
    const auto out = labeller_->label({std::move(client), std::move(header), request}, session);
    EXPECT_TRUE(out);
    return out ? out->decision.label : Label::sealed;
  }
  TemporaryDirectory directory_ = TemporaryDirectory::create("labeller").value();
  std::unique_ptr<Labeller> labeller_;
};

TEST_F(LabellerTest, TheStrictestSourceWins) {
  struct Case {
    std::string text, client;
    std::optional<std::string> header;
    Label expected;
  };
  const std::vector<Case> cases = {
      {"hello", "openkey", {}, Label::open},
      {"hello", "housekey", {}, Label::house},
      {"hello", "sealedkey", {}, Label::sealed},
      {"hello", "openkey", "house", Label::house},
      {"hello", "housekey", "sealed", Label::sealed},
      {"hello", "openkey", "secret", Label::sealed},  // unreadable
      {"read /home/me/diary/may.md", "openkey", {}, Label::sealed},
      {"read ~/diary.", "openkey", {}, Label::sealed},
      {"read /home/me/diaryx and /home/me/diary.txt", "openkey", {}, Label::open},
      {"cd /srv/house && ls", "openkey", {}, Label::house},
      {"-----BEGIN PRIVATE KEY-----", "openkey", {}, Label::sealed},
      {"card 4111 1111 1111 1111", "housekey", "house", Label::sealed},
  };
  for (const Case& c : cases) EXPECT_EQ(label(request({said(c.text)}), c.client, {}, c.header), c.expected) << c.text << c.client;
}

TEST_F(LabellerTest, LooksIntoCallsResultsAndThinking) {
  chat::Message call = answered("");
  call.calls.push_back({.id = "toolu_1", .name = "Read", .arguments = Json::object({{"file_path", "/home/me/diary/a.md"}}), .raw_arguments = {}});
  EXPECT_EQ(label(request({said("hi"), call})), Label::sealed);
  EXPECT_EQ(label(request({said("hi"), {.role = Role::tool, .text = "total 1\n/home/me/diary"}})), Label::sealed);
  // At the begin of a line within JSON within JSON it follows the letter n.
  call.calls[0].arguments = Json::object({{"cmd", "cat <<E\n/home/me/diary/x\nE"}});
  EXPECT_EQ(label(request({said("hi"), call})), Label::sealed);
  call.calls[0].arguments = Json::object({{"input", dump_json(Json::object({{"cmd", "ls\n/home/me/diary"}}))}});
  EXPECT_EQ(label(request({said("hi"), call})), Label::sealed);
  call.calls[0].arguments = Json();
  call.calls[0].raw_arguments = R"({"cmd": "cat\n\/home\u002fme\/diary\/x")";
  EXPECT_EQ(label(request({said("hi"), call})), Label::sealed);
  call.calls[0].raw_arguments = R"({"cmd": "ls \\home \n/home/me/diaryx"})";
  EXPECT_EQ(label(request({said("hi"), call})), Label::open);
  chat::Message thought = answered("");
  thought.thinking = "the file /home/me/diary/x says";
  EXPECT_EQ(label(request({said("hi"), thought})), Label::sealed);
  EXPECT_EQ(label(request({{.role = Role::system, .text = "Working directory: /home/me/diary"}, said("hi")})), Label::sealed);
}

TEST_F(LabellerTest, TokenIdsCannotBeReadAndAreSealed) {
  chat::ChatRequest raw;
  raw.raw_prompt = std::vector<Token>{1, 2, 3};
  EXPECT_EQ(label(raw), Label::sealed);
  raw.raw_prompt = std::string("hello");
  EXPECT_EQ(label(raw), Label::open);
}

TEST_F(LabellerTest, ASealedSessionStaysSealedUnderAnyKeyAndAfterARestart) {
  EXPECT_EQ(label(request({said("hi")}), "sealedkey", "s1"), Label::sealed);
  EXPECT_EQ(label(request({said("and now?")}), "openkey", "s1"), Label::sealed);
  open();
  EXPECT_EQ(label(request({said("and now?")}), "openkey", "s1"), Label::sealed);
  EXPECT_EQ(label(request({said("and now?")}), "openkey", "s2"), Label::open);
}

TEST_F(LabellerTest, TheGateOpensWithTheProofAndClosesWhenALabelRises) {
  LabelGate gate(*labeller_);
  const auto clearance = [&](std::string text) {
    const auto asked = request({said(std::move(text))});
    return labeller_->label({"openkey", {}, asked}, "one").value();
  };
  const Clearance open = clearance("hello");
  ASSERT_EQ(open.decision.label, Label::open);
  EXPECT_FALSE(gate.check(open));
  gate.set_proven(true);
  EXPECT_TRUE(gate.check(open));
  ASSERT_EQ(clearance("read ~/diary.").decision.label, Label::sealed);
  EXPECT_FALSE(gate.check(open)) << "what was open when it was asked is of a conversation that no longer is";
}

TEST_F(LabellerTest, AHeaderThatAsksForLessIsRefused) {
  (void)label(request({said("hi")}), "openkey", "s1", "sealed");
  for (const auto& [client, session] : {std::pair("openkey", "s1"), std::pair("sealedkey", "s9")}) {
    const auto hi = request({said("hi")});
    const auto refused = labeller_->label({client, "open", hi}, session);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, chat::ApiError::Kind::permission);
  }
  EXPECT_EQ(label(request({said("hi")}), "openkey", "s1", "sealed"), Label::sealed);
}

// The bad input by name: a sealed conversation continued through an open key, without any session.
TEST_F(LabellerTest, SealedTextIsKnownUnderAnotherKeyWithoutASession) {
  const auto first = request({said("short"), answered("also short")});
  const auto clearance = labeller_->label({"sealedkey", {}, first}, "").value();
  labeller_->learn_answer(clearance, first.conversation.messages, answered(answer_text));
  EXPECT_EQ(label(request({said("short"), answered("also short"), answered(answer_text), said("go on")})), Label::sealed);
  EXPECT_EQ(label(request({said("quite another start"), answered(answer_text), said("go on")})), Label::sealed);
  open();
  EXPECT_EQ(label(request({answered(answer_text), said("go on")})), Label::sealed);
  EXPECT_EQ(label(request({said("short"), answered("something else")})), Label::open);
}

TEST_F(LabellerTest, ASubAgentThatCarriesAMessageIsSealedToo) {
  EXPECT_EQ(label(request({said(long_question)}), "sealedkey", "s1"), Label::sealed);
  EXPECT_EQ(label(request({{.role = Role::system, .text = "Write a title"}, said(long_question)}), "openkey", "s2"), Label::sealed);
}

TEST_F(LabellerTest, CallIdsAreKnown) {
  chat::Message call = answered("");
  call.calls.push_back({.id = "toolu_abcdefgh", .name = "Read", .arguments = Json::object(), .raw_arguments = {}});
  (void)label(request({said("go"), call}), "sealedkey");
  chat::Message result{.role = Role::tool, .text = "x", .call_id = "toolu_abcdefgh"};
  EXPECT_EQ(label(request({result})), Label::sealed);
}

// A request as its client sent it; the dialect has read of it what is in `messages`.
TEST_F(LabellerTest, ProvenanceOfBlocksThatNoDialectReads) {
  const std::string document(80, 'd'), picture(80, 'p'), odd(80, 'o'), boilerplate(80, 'b');
  const Json body = Json::object({{"messages", Json::array({Json::object({
      {"role", "user"},
      {"content", Json::array({
          Json::object({{"type", "text"}, {"text", boilerplate}}),
          Json::object({{"type", "document"}, {"source", Json::object({{"type", "text"}, {"data", document}})}}),
          Json::object({{"type", "image"}, {"source", Json::object({{"type", "base64"}, {"data", picture}})}}),
          Json::object({{"type", "new_kind"}, {"content", Json::array({Json::object({{"type", "text"}, {"text", odd}})})}})})}})})}});
  const auto sealed = request({said("what the dialect made of it")});
  ASSERT_TRUE(labeller_->label({"sealedkey", {}, sealed, &body}, "s1"));
  const auto again = [&](const std::string& text, const char* where) {
    const auto other = request({said("another")});
    const Json quoting = Json::object({{"system", where == std::string("system") ? text : ""},
                                       {"messages", Json::array({Json::object({{"role", "user"}, {"content", Json::array({Json::object({{"type", where}, {"what", text}})})}})})}});
    return labeller_->label({"openkey", {}, other, &quoting}, "")->decision.label;
  };
  for (const std::string& text : {document, picture, odd}) {
    for (const char* where : {"document", "image", "redacted_thinking", "system"}) EXPECT_EQ(again(text, where), Label::sealed) << text << where;
  }
  EXPECT_EQ(again(std::string(80, 'x'), "document"), Label::open);
  EXPECT_EQ(again(boilerplate, "document"), Label::open) << "a piece of a message, which clients put into all of theirs";
}

TEST_F(LabellerTest, AnAnswerIsKnownInWhateverBlockAndRoleItComesBack) {
  const auto first = request({said("hi")});
  const auto clearance = labeller_->label({"sealedkey", {}, first}, "").value();
  chat::Message answer = answered(answer_text);
  answer.thinking = "She may not have dared to send it while he was still alive.";
  labeller_->learn_answer(clearance, first.conversation.messages, answer);
  for (const std::string& text : {answer.text, answer.thinking}) {
    const auto other = request({said("another")});
    const Json body = Json::object({{"messages", Json::array({Json::object({{"role", "assistant"}, {"content", Json::array({
        Json::object({{"type", "thinking"}, {"thinking", text}, {"signature", std::string(80, 's')}})})}})})}});
    EXPECT_EQ(labeller_->label({"openkey", {}, other, &body}, "")->decision.label, Label::sealed);
  }
  EXPECT_EQ(label(request({said(answer_text + " " + long_question)})), Label::open) << "pieces are not known";
}

TEST_F(LabellerTest, ARawPromptIsKnownToo) {
  chat::ChatRequest raw;
  raw.raw_prompt = long_question;
  EXPECT_EQ(label(raw, "sealedkey"), Label::sealed);
  EXPECT_EQ(label(raw), Label::sealed);
  EXPECT_EQ(label(request({said(long_question)})), Label::sealed);
}

TEST_F(LabellerTest, SystemPromptsOfClientsAreNotKnown) {
  const chat::Message system{.role = Role::system, .text = std::string(500, 'x')};
  (void)label(request({system, said("one")}), "sealedkey");
  EXPECT_EQ(label(request({system, said("two")})), Label::open);
}

TEST_F(LabellerTest, ALoweredConversationIsOpenWithAllItsText) {
  (void)label(request({said(long_question), answered(answer_text)}), "sealedkey", "s1");
  const auto conversations = labeller_->conversations();
  ASSERT_EQ(conversations.size(), 1);
  const std::string id = conversations.begin()->first;
  ASSERT_TRUE(labeller_->lower({.conversation = id, .to = Label::open, .who = "me",
                                .typed = lowering_phrase(id, Label::sealed, Label::open), .why = "published"}, 1));
  EXPECT_EQ(label(request({said(long_question), answered(answer_text)}), "openkey", "s1"), Label::open);
  open();
  EXPECT_EQ(label(request({said(long_question), answered(answer_text)}), "openkey", "s1"), Label::open);
}

TEST_F(LabellerTest, TheLogHoldsNoText) {
  const auto first = request({said(long_question)});
  const auto clearance = labeller_->label({"sealedkey", {}, first}, "session-name-1").value();
  labeller_->learn_answer(clearance, first.conversation.messages, answered(answer_text));
  const std::string log = read_text_file(directory_.path() / "seal" / "labels.jsonl", 1 << 20).value();
  for (const std::string_view word : {"mother", "letter", "find it", "session-name-1"}) EXPECT_EQ(log.find(word), log.npos);
}

TEST_F(LabellerTest, ATamperedLogIsRefused) {
  (void)label(request({said("hi")}), "sealedkey", "s1");
  const auto path = directory_.path() / "seal" / "labels.jsonl";
  const ByteSpan nothing;
  ASSERT_TRUE(real_file_system()->write_atomically(path, {&nothing, 1}, Durability::survives_process));
  EXPECT_EQ(Labeller::open(rules(), directory_.path() / "seal").error().code, Code::corrupt);
}

TEST(LabelRules, AreReadOrRefused) {
  EXPECT_EQ(parse_folder_rule("/home/me/diary/=sealed")->folder, "/home/me/diary");
  EXPECT_EQ(parse_folder_rule("/a/b=c=house")->folder, "/a/b=c");
  for (const char* bad : {"", "/home/me", "=sealed", "/=sealed", "/home=sealed", "home/me=sealed", "/home/me=secret", "/a/../b=sealed"}) {
    EXPECT_FALSE(parse_folder_rule(bad)) << bad;
  }
}

}  // namespace
}  // namespace hearth::seal
