#include "hearth/node/worker/worker_events.h"

#include <gtest/gtest.h>

namespace hearth::node {
namespace {

std::string again(const engine::JobEvent& event) {
  const auto parsed = parse_json(dump_json(event_json(event)));
  const auto read = event_from_json(parsed.value());
  return read ? dump_json(event_json(*read)) : read.error().message;
}

TEST(WorkerEvents, EventsComeBackAsTheyWere) {
  engine::TokenDone token{.token = 7, .text = "a", .logprob = -0.5, .piece = "\xC3", .top = {},
                          .first_logits = {0.5F, -2}};
  token.top.push_back({7, -0.5, "\xC3"});
  const engine::JobEvent events[] = {
      engine::PromptProgress{.tokens_done = 300, .tokens_total = 900, .reused_tokens = 44},
      engine::PromptDone{.prompt_tokens = 901, .reused_tokens = 44, .computed_tokens = 856,
                         .queued = std::chrono::milliseconds(3),
                         .prefill = std::chrono::milliseconds(700)},
      token,
      engine::Finished{.reason = engine::FinishReason::context_full, .text = "z",
                       .stop_string = "", .answer_tokens = 12,
                       .decode = std::chrono::milliseconds(90)},
      Error{Code::resource_exhausted, "no cells"},
  };
  for (const engine::JobEvent& event : events) {
    EXPECT_EQ(again(event), dump_json(event_json(event)));
  }
}

TEST(WorkerEvents, ProgressCarriesWhatWasReused) {
  const auto event = event_from_json(event_json(engine::PromptProgress{300, 900, 44})).value();
  const auto& progress = std::get<engine::PromptProgress>(event);
  EXPECT_EQ(progress.tokens_done, 300u);
  EXPECT_EQ(progress.tokens_total, 900u);
  EXPECT_EQ(progress.reused_tokens, 44u);
}

TEST(WorkerEvents, RefusesEventsThatLackAField) {
  for (const std::string_view text : {
           R"({})", R"({"event":"other"})",
           R"({"event":"progress","tokens_done":1,"tokens_total":2})",
           R"({"event":"progress","tokens_done":-1,"tokens_total":2,"reused_tokens":0})",
           R"({"event":"finished","reason":"tired","answer_tokens":1,"decode_ms":1})",
       }) {
    EXPECT_FALSE(event_from_json(parse_json(text).value())) << text;
  }
}

}  // namespace
}  // namespace hearth::node
