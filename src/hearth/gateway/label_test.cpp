// Labels at the gateway: who gives them is seal's, that they are kept is ours.
#include "hearth/gateway/test_labels.h"

namespace hearth::gateway {
namespace {

class Labels : public testing::Test {
 protected:
  net::ClientReply ask(std::string_view key, std::string text, net::Headers headers = {}, bool stream = false) {
    headers.set("x-api-key", std::string(key));
    const Json user = Json::object({{"role", "user"}, {"content", std::move(text)}});
    return gateway_->post("/v1/messages", Json::object({{"model", "m"}, {"max_tokens", 200}, {"stream", stream}, {"messages", Json::array({user})}}),
                          std::move(headers));
  }
  std::unique_ptr<seal::Labeller> labeller_ = labeller_of_keys();
  std::unique_ptr<TestGateway> gateway_ = std::make_unique<TestGateway>(labelled_options(*labeller_));
};

TEST_F(Labels, EveryAnswerSaysWhichItHas) {
  for (const bool stream : {false, true}) {
    EXPECT_EQ(ask(open_key, "hello", {}, stream).headers.get("x-hearth-label"), "open");
    EXPECT_EQ(ask(sealed_key, "hello", {}, stream).headers.get("x-hearth-label"), "sealed");
    EXPECT_EQ(ask(open_key, "good day", {{"X-Hearth-Label", "house"}}, stream).headers.get("x-hearth-label"), "house");
    const auto two = ask(open_key, "good night", {{"X-Hearth-Label", "open"}, {"x-hearth-label", "house"}}, stream);
    EXPECT_EQ(two.headers.get("x-hearth-label"), "sealed") << "a client's and a proxy's";
  }
}

TEST_F(Labels, TheModelHearsWhoseKvMustNotBePlain) {
  (void)ask(open_key, "one");
  EXPECT_FALSE(gateway_->model->last_request().is_labelled);
  (void)ask(open_key, "two", {{"x-hearth-label", "house"}});
  EXPECT_TRUE(gateway_->model->last_request().is_labelled);
  (void)ask(sealed_key, "three");
  EXPECT_TRUE(gateway_->model->last_request().is_labelled);
}

TEST_F(Labels, AConversationWithoutASessionIsKnownByItsFirstWords) {
  (void)ask(open_key, "once more", {{"x-hearth-label", "sealed"}});
  EXPECT_EQ(ask(open_key, "once more").headers.get("x-hearth-label"), "sealed");
  EXPECT_EQ(ask(open_key, "once more", {{"x-hearth-label", "open"}}).status, 403);
  EXPECT_EQ(ask(open_key, "and now").headers.get("x-hearth-label"), "open");
}

TEST_F(Labels, AHeaderThatAsksForLessIsRefusedNotIgnored) {
  const auto refused = ask(sealed_key, "hello", {{"x-hearth-label", "open"}});
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body_text().find("permission_error"), std::string_view::npos);
}

TEST_F(Labels, AnAnswerIsKnownWhenItComesBackUnderAnotherKey) {
  gateway_->model->set_fallback({.text = "an answer that is long enough to be known again"});
  (void)ask(sealed_key, "hello");
  const auto message = [](std::string_view role, std::string_view text) { return Json::object({{"role", role}, {"content", text}}); };
  const Json messages = Json::array({message("user", "hi"), message("assistant", "an answer that is long enough to be known again"),
                                     message("user", "go on")});
  const auto reply = gateway_->post("/v1/messages", Json::object({{"model", "m"}, {"max_tokens", 200}, {"messages", messages}}),
                                    {{"x-api-key", std::string(open_key)}});
  EXPECT_EQ(reply.headers.get("x-hearth-label"), "sealed");
}

TEST_F(Labels, SealedWorkWhoseWorkerEndedIsNotBegunAgain) {
  gateway_->model->script({.text = "", .death = Error{Code::unavailable, "the vault is locked"}});
  EXPECT_EQ(ask(sealed_key, "hello").status, 529);
  EXPECT_EQ(gateway_->model->requests().size(), 1U);
}

TEST_F(Labels, SealedWorkWithoutAModelIsToldToComeBack) {
  gateway_->model->set_ready(false);
  test::ScriptedAnswer refusal;
  refusal.refusal = Error{Code::unavailable, "the worker is being started"};
  gateway_->model->set_fallback(std::move(refusal));
  const auto reply = ask(sealed_key, "hello");
  EXPECT_EQ(reply.status, 529);
  EXPECT_NE(reply.body_text().find("overloaded_error"), std::string_view::npos);
}

}  // namespace
}  // namespace hearth::gateway
