#include "hearth/eval/study/service.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

struct OpenGate final : seal::RemoteGate {
  Result<> check(const seal::Clearance&) const override {
    return closed ? fail(Code::permission, "closed") : Result<>();
  }
  bool closed = false;
};

// Says what it was given, and answers nothing.
struct Outside final : upstream::RemoteEndpoint {
  const upstream::EndpointSpec& spec() const override { return spec_; }
  chat::ApiResult<std::unique_ptr<upstream::AnswerStream>> ask(const seal::ClearedForRemote<chat::ChatRequest>& request,
                                                               Deadline, const StopToken&) override {
    labels.push_back(request.clearance().decision.label);
    return std::unexpected(chat::ApiError{.kind = chat::ApiError::Kind::overloaded, .message = "reached"});
  }
  chat::ApiResult<upstream::PassedReply> pass(const seal::ClearedForRemote<upstream::PassedRequest>&, Deadline,
                                              const StopToken&) override {
    ADD_FAILURE() << "nothing of a study is passed through as it came";
    return std::unexpected(chat::ApiError{.kind = chat::ApiError::Kind::internal});
  }
  upstream::EndpointSpec spec_{.name = "outside"};
  std::vector<seal::Label> labels;
};

TEST(OutsideService, LetsOutWhatAnItemAllowsAndNothingElse) {
  struct Case {
    Egress item, least;
    bool goes;
  };
  for (const Case& one : {Case{Egress::deny, Egress::judge, false}, Case{Egress::judge, Egress::judge, true},
                          Case{Egress::open, Egress::judge, true}, Case{Egress::deny, Egress::open, false},
                          Case{Egress::judge, Egress::open, false}, Case{Egress::open, Egress::open, true}}) {
    Outside outside;
    const OpenGate gate;
    const auto reply = make_outside_service(outside, gate, one.least)->ask({}, one.item, {});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, one.goes ? chat::ApiError::Kind::overloaded : chat::ApiError::Kind::permission);
    EXPECT_EQ(outside.labels.size(), one.goes ? 1u : 0u);
  }
}

TEST(OutsideService, NothingPassesAClosedGate) {
  Outside outside;
  OpenGate gate;
  gate.closed = true;
  EXPECT_FALSE(make_outside_service(outside, gate, Egress::open)->ask({}, Egress::open, {}));
  EXPECT_TRUE(outside.labels.empty());
}

}  // namespace
}  // namespace hearth::eval
