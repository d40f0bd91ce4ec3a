#include "hearth/bench/rows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/bench/report.h"

namespace hearth::bench {
namespace {

Sample sample(std::string target, double ttft_ms, std::uint32_t prompt_tokens = 1000, std::uint32_t repeat = 0) {
  Sample s{.target = std::move(target), .of = {.prompt_tokens = prompt_tokens, .answer_tokens = 11}, .repeat = repeat};
  s.ttft_ms = ttft_ms;
  s.total_ms = ttft_ms + 100;
  s.prompt_tokens = prompt_tokens;
  s.answer_tokens = 11;
  s.gaps_ms = std::vector<double>(10, 10.0);
  s.progress = {{0, 0}, {prompt_tokens / 2, ttft_ms * 0.4}, {prompt_tokens, ttft_ms * 0.9}};
  return s;
}

std::vector<Row> rows_of(const std::vector<Sample>& samples) {
  RowMaker maker;
  for (const Sample& s : samples) maker.add(s);
  return maker.rows();
}

TEST(Rows, OneForEachTargetAndCaseWithFailuresBesideLatencies) {
  Sample failed = sample("a", 1);
  failed.failure = "503";
  const auto rows = rows_of({sample("a", 100), sample("b", 200), sample("a", 120), failed, sample("a", 300, 4000)});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].samples, 2U);
  EXPECT_DOUBLE_EQ(rows[0].ttft_ms.median, 110);
  EXPECT_EQ(rows[0].failures.at("503"), 1U);
  EXPECT_DOUBLE_EQ(rows[0].decode_tok_s.median, 100);
  EXPECT_NEAR(rows[0].gaps_ms.p99, 10, 0.1);
  EXPECT_EQ(rows[2].of.prompt_tokens, 4000U);
}

TEST(Rows, ForProgramsAndForATable) {
  auto rows = rows_of({sample("a \"b\"", 100)});
  rows[0].predicted = Predicted{.ttft_ms = 110, .prefill_tok_s = {}, .decode_tok_s = {}};
  const Json json = row_json(rows[0]);
  EXPECT_DOUBLE_EQ(json.find("ttft_ms")->as_double(), 100);
  EXPECT_NEAR(json.find("predicted")->find("ttft_ms_error")->as_double(), 0.1, 1e-9);
  EXPECT_EQ(json.find("failures")->as_integer(), 0);
  const std::string csv = rows_csv(rows);
  EXPECT_NE(csv.find("\"a \"\"b\"\"\",\"fixed\",1000"), std::string::npos) << csv;
  EXPECT_EQ(std::ranges::count(csv, '\n'), 2);
}

TEST(Rows, SayWhichMachineReadThePromptsAndWhatThatCost) {
  Sample handed = sample("split", 100);
  handed.progress.clear();
  handed.hand_off = HandOff{.prefilled_by = "spark", .bytes = 2'000'000, .chunks = 2, .hidden_share = 0.75, .tail_ms = 20};
  const auto back = parse_sample(dump_json(sample_json(handed)));
  ASSERT_TRUE(back) << back.error().message;
  const auto rows = rows_of({*back, sample("split", 120)});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].prefilled_by.at("spark"), 1U);
  EXPECT_DOUBLE_EQ(rows[0].waterfall->tail_ms, 20);
  const Json json = row_json(rows[0]);
  const Json* told = json.find("hand_off");
  EXPECT_DOUBLE_EQ(told->find("tail_ms")->as_double(), 20);
  EXPECT_EQ(dump_json(*told->find("prefilled_by")), R"([{"machine":"spark","count":1}])");
  EXPECT_NE(report_html({.name = "r", .state = "done", .started = "now", .environment = Json::object()}, rows).find("spark in 1 of 2"), std::string::npos);
}

std::string page_of(const Sample& shown) {
  return report_html({.name = "r", .state = "done", .started = "now", .environment = Json::object()}, rows_of({shown}));
}

TEST(Rows, AWaterfallCoversTheTimeToTheFirstToken) {
  const Sample told = sample("a", 100);
  const Waterfall fall = *rows_of({told})[0].waterfall;
  EXPECT_DOUBLE_EQ(fall.ttft_ms, 100);
  EXPECT_DOUBLE_EQ(*fall.first_token_ms, 10);
  EXPECT_DOUBLE_EQ(fall.read_end_ms(), 90);
  EXPECT_DOUBLE_EQ(fall.tail_ms, 0);
  EXPECT_GE(*fall.queue_ms, 0);
  EXPECT_LE(*fall.queue_ms, fall.read[1].at_ms);
  EXPECT_EQ(page_of(told).find("Not told"), std::string::npos);
}

TEST(Rows, AWaterfallShowsTransferImportAndFirstTokenApart) {
  Sample handed = sample("split", 100);  // the last chunk had come in after 90 ms
  handed.hand_off = HandOff{.prefilled_by = {}, .bytes = 2'000'000, .chunks = 2, .hidden_share = 0.5, .tail_ms = 20, .import_ms = 8};
  const Waterfall fall = *rows_of({*parse_sample(dump_json(sample_json(handed)))})[0].waterfall;
  EXPECT_DOUBLE_EQ(fall.read_end_ms(), 70);
  EXPECT_DOUBLE_EQ(fall.read.back().at_ms, 70);
  EXPECT_DOUBLE_EQ(fall.tail_ms, 20);
  EXPECT_DOUBLE_EQ(*fall.import_ms, 8);
  EXPECT_DOUBLE_EQ(*fall.first_token_ms, 10);
  const std::string page = page_of(handed);
  for (const char* part : {"<title>transfer, 12.0 ms", "<title>import, 8.0 ms", "<title>the first token, 10.0 ms"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.find("Not told"), std::string::npos);
}

TEST(Rows, AWaterfallSaysWhatTheTargetDidNotTell) {
  Sample silent = sample("a", 100);
  silent.progress.clear();
  const std::string bare = page_of(silent);
  EXPECT_NE(bare.find("Not told: waiting, chunks of the reading, the first token."), std::string::npos) << bare;
  EXPECT_NE(bare.find("<title>reading, 100 ms"), std::string::npos) << bare;

  // A service that tells how long its prompt took, and that something was handed over, by an older version.
  silent.server_prompt_ms = 70;
  silent.hand_off = HandOff{.prefilled_by = "spark", .bytes = 2'000'000, .chunks = 2, .hidden_share = 0.5, .tail_ms = 20};
  const Waterfall fall = *rows_of({*parse_sample(dump_json(sample_json(silent)))})[0].waterfall;
  EXPECT_DOUBLE_EQ(*fall.queue_ms, 30);
  EXPECT_DOUBLE_EQ(fall.read_end_ms(), 80);
  const std::string page = page_of(silent);
  EXPECT_NE(page.find("Not told: chunks of the reading, import apart from transfer, the first token."), std::string::npos) << page;
  EXPECT_NE(page.find("<title>transfer and import, 20.0 ms"), std::string::npos) << page;
  EXPECT_NE(page.find("<title>reading, 50 ms"), std::string::npos) << page;
}

TEST(Compare, SaysBetterWorseOrWithinTheNoise) {
  std::vector<Sample> before, faster, same;
  for (std::uint32_t i = 0; i < 8; ++i) {
    before.push_back(sample("old", 100 + i, 1000, i));
    faster.push_back(sample("new", 50 + i, 1000, i));
    same.push_back(sample("new", 101 + i, 1000, i));
  }
  const auto verdict = [&](const std::vector<Sample>& after) {
    for (const Change& change : compare(rows_of(before), rows_of(after))) {
      if (change.metric == "ttft_ms") return change.verdict;
    }
    return std::string("no partner");
  };
  EXPECT_EQ(verdict(faster), "better");
  EXPECT_EQ(verdict(same), "within the noise");
  EXPECT_EQ(compare(rows_of(faster), rows_of(before))[0].verdict, "worse");
  EXPECT_TRUE(compare(rows_of(before), rows_of({sample("new", 1, 2000)})).empty());
}

TEST(Report, IsOnePageWithoutAnythingFromOutside) {
  auto rows = rows_of({sample("<a>", 100), sample("<a>", 400, 4000), sample("b", 120)});
  rows[0].findings["usage <lies>"] = 2;
  const std::string page = report_html({.name = "try", .state = "done", .started = "today", .environment = Json::object({{"cpu", "x"}})}, rows);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("&lt;a&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<a>"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_NE(page.find("usage &lt;lies&gt;"), std::string::npos);
}

}  // namespace
}  // namespace hearth::bench
