#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <regex>

#include "hearth/plan/catalog/load.h"
#include "hearth/plan/catalog/view.h"
#include "hearth/plan/explain.h"
#include "hearth/plan/output/layout.h"
#include "hearth/plan/output/output.h"
#include "hearth/plan/prediction.h"

namespace hearth::plan {
namespace {

const Catalog& shipped() {
  static const Catalog catalog = *load_shipped();
  return catalog;
}
const Calibrations& calibrations() {
  static const Calibrations all = calibrations_of(shipped());
  return all;
}
Question question(std::string_view variant, std::string_view workload) {
  return {.catalog = &shipped(),
          .calibrations = &calibrations(),
          .cluster = *resolve_cluster(shipped(), *shipped().cluster("reference")),
          .card = *card_of(shipped(), "kimi-k2.6", variant),
          .workload = *find_workload(workload),
          .options = {}};
}

constexpr std::string_view two_machines =
    "[[member]]\nname = \"a\"\nmachine = \"dgx-spark\"\n[[member]]\nname = \"b\"\nmachine = "
    "\"dgx-spark\"\n";

struct BadCase {
  std::string name;
  std::string text;
  std::string expected;
};

TEST(ParseCluster, NamesWhatIsWrongAndHowToMendIt) {
  const std::string two(two_machines);
  const std::vector<BadCase> cases = {
      {"empty", "", "a cluster needs members"},
      {"unknown hardware", "[[member]]\nname = \"a\"\nmachine = \"pdp-11\"\n",
       "unknown hardware 'pdp-11'"},
      {"what to give instead", "[[member]]\nname = \"a\"\nmachine = \"pdp-11\"\n",
       "usable_gb = 90"},
      {"not wired", two, "nothing connects 'a' to 'b'"},
      {"unknown link", two + "[[connection]]\nends = [\"a\", \"b\"]\nlink = \"string\"\n",
       "unknown link 'string'"},
      {"to nobody", two + "[[connection]]\nends = [\"a\", \"c\"]\nlink = \"10gbe\"\n",
       "no member called 'c'"},
      {"to itself", two + "[[connection]]\nends = [\"a\", \"a\"]\nlink = \"10gbe\"\n", "to itself"},
      {"no rate", two + "[[connection]]\nends = [\"a\", \"b\"]\nlink = \"unstated\"\n",
       "give gb_s"},
      {"zero", "[[member]]\nname=\"a\"\nbackend=\"cuda\"\nusable_gb=0\nmemory_bandwidth_gb_s=100\n",
       "usable_gb = 0"},
      {"same name",
       "[[member]]\nname=\"a\"\nmachine=\"dgx-spark\"\n[[member]]\nname=\"a\"\nmachine=\"dgx-"
       "spark\"\n",
       "two members are called 'a'"},
      {"memory not known", "[[member]]\nname = \"a\"\nmachine = \"gh200-624\"\n",
       "does not know memory and bandwidth"},
      {"more memory than the machine has",
       "name = \"desk\"\n[[member]]\nname = \"a\"\nmachine = \"dgx-spark\"\nusable_gb = 500\n",
       "desk.toml:2: member 'a': usable_gb = 500: a dgx-spark has 137.4 GB in all; give what a plan may take"},
      {"a little too much", "[[member]]\nname = \"a\"\nmachine = \"dgx-spark\"\nusable_gb = 137.5\n",
       "usable_gb = 137.5: a dgx-spark has"},
      {"faster than the link", two + "[[connection]]\nends = [\"a\", \"b\"]\nlink = \"10gbe\"\ngb_s = 500\n",
       "desk.toml:7: connection: gb_s = 500: '10gbe' carries 10 Gbit/s, which is 1.25 GB/s at most; give what was"},
      {"Gbit/s for GB/s", two + "[[connection]]\nends = [\"a\", \"b\"]\nlink = \"25gbe-tcp\"\ngb_s = 25\n",
       "gb_s = 25: '25gbe-tcp' carries"},
  };
  for (const BadCase& bad : cases) {
    const Result<ClusterSpec> result = parse_cluster(shipped(), bad.text, "desk.toml");
    ASSERT_FALSE(result) << bad.name;
    EXPECT_EQ(result.error().code, Code::invalid_argument);
    EXPECT_NE(result.error().message.find(bad.expected), std::string::npos)
        << bad.name << ": " << result.error().message;
  }
}

TEST(ParseCluster, TakesAllThatAMachineAndALinkCanHave) {
  const Result<ClusterSpec> spec = parse_cluster(
      shipped(),
      "[[member]]\nname = \"a\"\nmachine = \"dgx-spark\"\nusable_gb = 137.4\n[[member]]\nname = \"b\"\n"
      "machine = \"dgx-spark\"\n[[connection]]\nends = [\"a\", \"b\"]\nlink = \"10gbe\"\ngb_s = 1.25\n",
      "desk.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->nodes[0].usable_bytes, 137'400'000'000u);
  EXPECT_EQ(spec->wires[0].gb_s, 1.25);
}

TEST(ParseCluster, TakesFourNumbersForAMachineNobodyKnows) {
  const Result<ClusterSpec> spec = parse_cluster(
      shipped(),
      "[[member]]\nname=\"box\"\nbackend=\"cuda\"\nusable_gb=90\nmemory_bandwidth_gb_s=1790\n"
      "prefill_tflops=60\nstorage_read_gb_s=12\n",
      "desk.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->nodes[0].usable_bytes, 90'000'000'000u);
  EXPECT_EQ(spec->nodes[0].probed_prefill_tflops, 60);
}

TEST(Workload, RefusesNonsense) {
  for (const char* bad :
       {"prompt=0,output=10", "prompt=10", "prompt=10,output=0", "prompt=x,output=1",
        "prompt=10,output=10,streams=0", "prompt=10,output=10,new=5,cached=0.5",
        "prompt=10,output=10,cached=3", "prompt=10,output=10,speed=1",
        "prompt=100,output=10,context=50", "prompt=1e12,output=1", "nothing"}) {
    EXPECT_FALSE(find_workload(bad)) << bad;
  }
  const Result<Workload> own = find_workload("prompt=20000,new=500,output=800");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->new_tokens(), 500u);
  EXPECT_EQ(own->context_tokens, 20800u);
  for (const Workload& workload : standard_workloads()) EXPECT_TRUE(check_workload(workload));
}

TEST(Answer, SameQuestionSameBytes) {
  const std::vector<Answer> once = {answer(question("Q2", "agentic"))};
  const std::vector<Answer> twice = {answer(question("Q2", "agentic"))};
  EXPECT_EQ(dump_json(answers_json(once), 1), dump_json(answers_json(twice), 1));
  EXPECT_EQ(answers_text(once), answers_text(twice));
  EXPECT_EQ(answers_html(once), answers_html(twice));
}

TEST(Answer, JsonHasWhatProgramsRelyOn) {
  const Json json = answer_json(answer(question("Q4", "agentic")));
  const Json& plan = json.find("plans")->as_array().front();
  for (const char* key : {"p50", "low", "high"})
    EXPECT_TRUE(plan.find("ttft_s")->find(key)->is_number());
  for (const char* key : {"family", "placements", "prefill_tok_s", "decode_tok_s", "max_context", "max_streams",
                          "memory", "bottleneck", "calibrated_from", "engines"}) {
    EXPECT_TRUE(plan.find(key)) << key;
  }
  EXPECT_TRUE(plan.find("decode_tok_s")->is_number());
  for (const Json& rejected : json.find("rejected")->as_array()) {
    for (const char* key : {"family", "reason", "needed", "available", "unit"})
      EXPECT_TRUE(rejected.find(key)) << key;
  }
  EXPECT_TRUE(json.find("verdict")->find("go")->is_bool());
  const Json& verdict = *json.find("verdict");
  EXPECT_TRUE(verdict.find("why")->is_string());
  const auto judged = static_cast<std::size_t>(verdict.find("plan")->as_integer());
  EXPECT_EQ(*verdict.find("max_context"), *json.find("plans")->as_array()[judged].find("max_context"));
  bool without = false;
  for (const Json& marginal : json.find("marginal")->as_array())
    without = without || marginal.find("without");
  EXPECT_TRUE(without);
  EXPECT_TRUE(parse_json(dump_json(json)));
}

TEST(Answer, SaysWhatEachSparkDoesToAPool) {
  for (const char* variant : {"Q2", "Q4", "Q8"}) {
    const Answer a = answer(question(variant, "agentic"));
    ASSERT_EQ(a.pool_effects.size(), 4u);
    for (const PoolEffect& effect : a.pool_effects) {
      const bool spark = a.question.cluster.nodes[effect.node].name.starts_with("spark");
      if (!spark) continue;
      EXPECT_TRUE(effect.verdict == "hurts" || effect.verdict.starts_with("needed"))
          << effect.verdict;
    }
    ASSERT_TRUE(a.decode_tok_s_by_memory);
    const Plan& best = a.result.plans[*a.verdict.plan];
    EXPECT_GT(best.decode_tok_s->p50, 0);
  }
}

TEST(Answer, WithOneKvTypeComparesPoolsOfThatTypeOnly) {
  Question asked = question("Q4", "agentic");
  asked.card = *card_of(shipped(), "llama-3.3-70b", "Q4_K_M");
  const auto either = answer(asked).pool_effects;
  asked.options.kv_type = KvType::f16;
  const auto f16 = answer(asked).pool_effects;
  ASSERT_EQ(f16.size(), either.size());
  for (std::size_t i = 0; i < f16.size(); ++i) {  // half the KV to read is faster at such depths
    EXPECT_LT(f16[i].decode_tok_s_with, either[i].decode_tok_s_with) << i;
    EXPECT_LT(f16[i].decode_tok_s_without, either[i].decode_tok_s_without) << i;
  }
}

TEST(Answer, OfOneFamilySpeaksOfThatFamilyOnly) {
  Question asked = question("Q4", "agentic");
  asked.options.only = Family::alone;
  Answer a = answer(asked);
  EXPECT_TRUE(a.pool_effects.empty());
  EXPECT_TRUE(a.verdict.why.starts_with("no plan of the family alone: ")) << a.verdict.why;
  asked.options.only = Family::pooled;
  EXPECT_EQ(answer(asked).pool_effects.size(), 4u);
}

TEST(Answer, MachinesOfOneKindThatEachHoldTheModelAreNotNeeded) {
  Question asked = question("Q4", "agentic");
  const std::string text = std::string(two_machines) + "[[connection]]\nends = [\"a\", \"b\"]\nlink = \"10gbe\"\n";
  asked.cluster = *parse_cluster(shipped(), text, "two.toml");
  asked.card = *card_of(shipped(), "gpt-oss-20b", "MXFP4 (ggml-org)");
  for (const PoolEffect& effect : answer(asked).pool_effects) {
    EXPECT_EQ(effect.verdict.find("needed"), std::string::npos) << effect.verdict;
  }
}

// "… If slower by that: a turn takes 667 s instead of 578 s, the same plan stays best. If faster by that: …"
TEST(Answer, SaysHowATurnChangesWithWhatIsLeastCertain) {
  const std::regex turns("a turn takes (\\d+) s instead of (\\d+) s");
  for (const char* variant : {"Q2", "Q4"}) {
    const Answer a = answer(question(variant, "batch"));
    ASSERT_TRUE(a.verdict.plan);
    const Plan& best = a.result.plans[*a.verdict.plan];
    ASSERT_TRUE(best.least_certain);
    const std::string& said = a.sensitivity;
    const std::string rate = best.least_certain->prefill ? "prefill rate" : "decode rate";
    const std::string machine = a.question.cluster.nodes[best.least_certain->node].name;
    EXPECT_TRUE(said.starts_with("Least certain: " + rate + " of Kimi K2.6 on " + machine + ", known")) << said;
    const std::sregex_iterator slower(said.begin(), said.end(), turns);
    ASSERT_NE(slower, std::sregex_iterator()) << said;
    const auto faster = std::next(slower);
    ASSERT_NE(faster, std::sregex_iterator()) << said;
    EXPECT_LT(said.find("If slower"), said.find("If faster"));
    const double turn_s = best.turn_s->p50;
    for (const std::smatch& both : {*slower, *faster}) EXPECT_NEAR(std::stod(both[2]), turn_s, 0.51) << said;
    EXPECT_GT(std::stod((*slower)[1]), turn_s) << said;
    EXPECT_LT(std::stod((*faster)[1]), turn_s) << said;
    EXPECT_EQ(answer_json(a).find("sensitivity")->as_string(), said);
    EXPECT_NE(answer_text(a).find("\nLeast certain: " + rate), std::string::npos);
  }
}

// Taking a machine or cable away never makes the best plan better, adding speed never makes it
// worse.
TEST(Answer, PartsAreNeverWorthLessThanNothing) {
  for (const char* variant : {"Q2", "Q4"}) {
    for (const Workload& workload : standard_workloads()) {
      const Answer a = answer(question(variant, workload.name));
      for (const Marginal& marginal : a.marginal) {
        if (!marginal.turn_s_before || !marginal.turn_s_after) continue;
        const bool taken_away = marginal.with.empty();
        const double ratio = *marginal.turn_s_after / *marginal.turn_s_before;
        EXPECT_TRUE(taken_away ? ratio > 0.999 : ratio < 1.001)
            << variant << " " << workload.name << " " << marginal.without << marginal.with << " "
            << ratio;
      }
    }
  }
}

TEST(Answer, FitsTheTerminalAndClosesItsTags) {
  const std::vector<Answer> answers = {answer(question("Q2", "agentic")),
                                       answer(question("Q8", "batch"))};
  const std::string text = answers_text(answers);
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    const std::string line = text.substr(begin, end - begin);
    EXPECT_LE(columns(line), terminal_columns) << line;
    EXPECT_FALSE(line.ends_with(' ')) << "'" << line << "'";
    begin = end + 1;
  }
  const std::string html = answers_html(answers);
  const auto count = [&](std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = html.find(what); at != std::string::npos; at = html.find(what, at + 1))
      ++found;
    return found;
  };
  for (const char* tag : {"table", "ul", "svg", "figure", "tr", "td", "li", "div"}) {
    const std::string open = std::string("<") + tag;
    EXPECT_EQ(count(open + ">") + count(open + " "), count(std::string("</") + tag + ">")) << tag;
  }
  EXPECT_EQ(count("http://") + count("https://"), 0u);  // nothing is loaded from elsewhere
  EXPECT_EQ(count("<svg"), 8u);
}

TEST(Answer, NamesEveryEngineWithWhatBlocksIt) {
  const Answer a = answer(question("Q4", "reflective"));
  ASSERT_TRUE(a.verdict.plan);
  bool exo_blocked = false;
  for (const EngineFit& fit : a.engines[*a.verdict.plan]) {
    EXPECT_FALSE(fit.source.empty());
    if (fit.engine == "exo") exo_blocked = !fit.can_run();
    EXPECT_NE(fit.can_run(), !fit.blocked_by.empty());
  }
  EXPECT_TRUE(exo_blocked);  // it reads no GGUF
  EXPECT_EQ(a.engines[0].size(), shipped().engines.size());
}

TEST(Engines, TheBestPlanThatOneCanRunIsNotTheBestOnPaper) {
  const Question asked = question("Q4", "agentic");
  const auto best = [&](std::vector<Plan> plans) -> std::optional<Family> {
    const SearchResult result{.plans = std::move(plans)};
    const Plan* found = best_runnable(shipped(), asked.cluster, asked.card, result);
    return found == nullptr ? std::nullopt : std::optional(found->family);
  };
  const Interval known{.p50 = 1, .low = 1, .high = 1};
  const Plan streamed{.family = Family::streamed, .turn_s = known};  // no engine does it with GGUF
  const Plan pooled{.family = Family::pooled, .turn_s = known};
  const Plan split{.family = Family::split, .turn_s = known};
  const Plan unknown{.family = Family::pooled};
  EXPECT_EQ(best({streamed, pooled, split}), Family::pooled);
  EXPECT_EQ(best({unknown, split}), Family::split);
  EXPECT_EQ(best({streamed, unknown}), std::nullopt);
}

TEST(Answer, BreakEvenIsWhereOffloadBeginsToWin) {
  const Answer a = answer(question("Q2", "agentic"));
  bool seen = false;
  for (const Plan& plan : a.result.plans) {
    if (!plan.break_even_tokens) continue;
    seen = true;
    EXPECT_GE(*plan.break_even_tokens, 1);
    EXPECT_LE(*plan.break_even_tokens, 262144);
  }
  EXPECT_TRUE(seen);
}

TEST(Prediction, UnderstandsStatementsAndSaysWhatThePlannerExpects) {
  const Question q = question("Q4", "reflective");
  struct Case {
    std::string text;
    std::size_t machines;
    Metric metric;
    Direction direction;
    bool adding;
  };
  const std::vector<Case> cases = {
      {"adding the Sparks makes it slower", 2, Metric::turn_s, Direction::higher, true},
      {"adding spark-1 makes decode slower by 10 %", 1, Metric::decode_tok_s, Direction::lower,
       true},
      {"without the laptop prefill is slower", 1, Metric::prefill_tok_s, Direction::lower, false},
      {"adding the sparks makes the first token faster by 20 percent", 2, Metric::ttft_s,
       Direction::lower, true},
      {"adding the laptop makes no difference", 1, Metric::turn_s, Direction::same, true},
  };
  for (const Case& c : cases) {
    Result<Prediction> prediction = parse_prediction(c.text, q.cluster);
    ASSERT_TRUE(prediction) << prediction.error().message;
    EXPECT_EQ(prediction->machines.size(), c.machines) << c.text;
    EXPECT_EQ(prediction->metric, c.metric) << c.text;
    EXPECT_EQ(prediction->direction, c.direction) << c.text;
    EXPECT_EQ(prediction->adding, c.adding) << c.text;
    expect(*prediction, q);
    EXPECT_FALSE(prediction->planner_says.empty());
  }
  EXPECT_DOUBLE_EQ(*parse_prediction(cases[1].text, q.cluster)->size, 0.1);
  EXPECT_DOUBLE_EQ(*parse_prediction(cases[3].text, q.cluster)->size, 0.2);
  for (const char* bad : {"it will rain", "adding the toaster makes it slower",
                          "the Sparks are slower", "adding the Sparks is nice"}) {
    EXPECT_EQ(parse_prediction(bad, q.cluster).error().code, Code::invalid_argument) << bad;
  }
}

// What the plan is all about: the Sparks slow a unified pool down and speed prefill up.
TEST(Prediction, TellsAPoolFromTheBestPlan) {
  const Question q = question("Q2", "reflective");
  Prediction pool =
      *parse_prediction("adding the Sparks to a unified pool makes it slower", q.cluster);
  EXPECT_TRUE(pool.unified);
  expect(pool, q);
  ASSERT_TRUE(pool.before && pool.after);
  Prediction decode =
      *parse_prediction("adding the Sparks to the pool makes decode slower", q.cluster);
  expect(decode, q);
  EXPECT_EQ(decode.planner_says, "agrees");
  EXPECT_LT(*decode.after, *decode.before);
  Prediction prefill = *parse_prediction("adding the Sparks makes prefill faster", q.cluster);
  expect(prefill, q);
  EXPECT_EQ(prefill.planner_says, "agrees");
}

TEST(Prediction, ComesOutAsStatedByItsDirectionAndItsSize) {
  EXPECT_TRUE(is_borne_out(Direction::lower, {}, 20, 16));
  EXPECT_FALSE(is_borne_out(Direction::higher, {}, 20, 16));
  EXPECT_TRUE(is_borne_out(Direction::lower, 0.1, 20, 16));
  EXPECT_FALSE(is_borne_out(Direction::lower, 0.3, 20, 16));
  EXPECT_TRUE(is_borne_out(Direction::same, {}, 20, 20.3));
  EXPECT_FALSE(is_borne_out(Direction::higher, {}, 20, 20.3)) << "below 2 % is no difference";
}

TEST(Prediction, IsReadBackAsItWasRecorded) {
  const Question q = question("Q2", "reflective");
  Prediction stated = *parse_prediction("adding the Sparks makes decode slower by 10 %", q.cluster);
  expect(stated, q);
  const Result<Prediction> back = read_prediction(prediction_json(stated));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->text, stated.text);
  EXPECT_EQ(back->metric, Metric::decode_tok_s);
  EXPECT_EQ(back->direction, Direction::lower);
  EXPECT_EQ(back->size, stated.size);
  EXPECT_EQ(back->before, stated.before);
  EXPECT_EQ(back->planner_says, stated.planner_says);
  Json other = prediction_json(stated);
  other.set("metric", "happiness");
  EXPECT_EQ(read_prediction(other).error().code, Code::invalid_argument);
}

// One machine alone has no split; what a second one changes is asked of it all the same.
TEST(Prediction, OfOneFamilyIsHeldAgainstWhatTheRestCanDo) {
  Question q = question("Q2", "reflective");
  q.options.only = Family::pooled;
  Prediction stated = *parse_prediction("without the laptop, spark-1 and spark-2 decode is faster", q.cluster);
  ASSERT_EQ(stated.machines.size(), 3u);  // the Studio is left
  expect(stated, q);
  EXPECT_TRUE(stated.before && stated.after) << stated.planner_says;
}

TEST(CatalogView, ListsAndShowsEveryEntry) {
  for (const char* kind :
       {"machines", "links", "clusters", "models", "quantisations", "engines", "measurements"}) {
    const Result<Json> list = list_json(shipped(), kind);
    ASSERT_TRUE(list);
    for (const Json& item : list->as_array()) {
      const Result<Json> entry = shown_json(shipped(), item.find("key")->as_string());
      ASSERT_TRUE(entry);
      EXPECT_TRUE(entry->find("source"));
      EXPECT_FALSE(shown_text(*entry).empty());
    }
    EXPECT_FALSE(list_text(shipped(), kind)->empty());
    EXPECT_EQ(dump_json(*shown_json(shipped(), kind)), dump_json(*list));
  }
  EXPECT_EQ(list_json(shipped(), "toasters").error().code, Code::not_found);
  EXPECT_EQ(shown_json(shipped(), "toaster").error().code, Code::not_found);
}

TEST(CatalogAdd, RendersACheckedEntry) {
  const std::vector<std::string> good = {"key=my-box", "backend=cuda", "memory_bytes=96000000000",
                                         "source=probe of my desk"};
  const Result<std::string> text = render_new_entry("machine", good);
  ASSERT_TRUE(text) << text.error().message;
  const CatalogFile file{"mine.toml", *text};
  const Result<Catalog> catalog = load_shipped(std::span(&file, 1));
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ(catalog->machine("my-box")->memory_bytes, 96000000000u);
  EXPECT_EQ(catalog->machine("my-box")->origin.confidence, Confidence::own);
  const std::vector<std::string> bad = {"key=my-box", "backend=cuda", "memory_bytes=96"};
  EXPECT_FALSE(render_new_entry("machine", bad));
  const std::vector<std::string> no_pair = {"key"};
  EXPECT_FALSE(render_new_entry("machine", no_pair));
  EXPECT_FALSE(render_new_entry("toaster", good));
}

}  // namespace
}  // namespace hearth::plan
