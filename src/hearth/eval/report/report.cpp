#include "hearth/eval/report/report.h"

#include <fmt/format.h>

#include "hearth/eval/report/items.h"
#include "hearth/eval/report/markup.h"
#include "hearth/eval/study/registration.h"

namespace hearth::eval {

namespace data {
extern const std::string_view report_css;
}

namespace {

std::string headline(const StudyOutcome& o) {
  if (o.decision.is_void) return "Void: nothing is decided";
  if (!o.is_final) return "Not decided yet";
  return fmt::format("Run {}", *o.decision.pick);
}

std::string_view tone(const StudyOutcome& o) {
  if (o.decision.is_void) return "bad";
  return o.is_final ? "good" : "unsure";
}

bool is_inconclusive(const StudyOutcome& o) {
  return o.is_final && !o.decision.is_void && !o.decision.comparisons.empty() &&
         o.decision.comparisons.back().verdict == Verdict::inconclusive;
}

std::string verdict_html(const StudyOutcome& o) {
  std::string out = fmt::format("<section class=\"verdict {}\"><h1>{}</h1><p>{}</p>", tone(o), escaped(headline(o)),
                                escaped(o.decision.sentence));
  if (is_inconclusive(o)) {
    const Comparison& last = o.decision.comparisons.back();
    out +=
        "<p>Inconclusive means the larger quantisation: the smaller one had to show that it is good enough, and it did "
        "not.";
    if (last.generations_needed)
      out += fmt::format(" If the difference stays what it is, about {:.0f} generations of each prompt would decide.",
                         *last.generations_needed);
    out += "</p>";
  }
  if (!o.is_final && o.standing.next_generations)
    out += fmt::format("<p>The next look is at {} generations of each prompt.</p>", *o.standing.next_generations);
  for (const std::string& one : o.ignored) out += fmt::format("<p>Ignored: {}.</p>", escaped(one));
  return out + "</section>\n";
}

std::string_view kind_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::non_inferior:
    case Verdict::equivalent_by_divergence: return "good";
    case Verdict::inferior: return "bad";
    default: return "unsure";
  }
}

std::string comparison_html(const Comparison& c) {
  const MarginTest& t = c.decisive();
  std::string out = fmt::format("<h3>{} against {} {}</h3><p>{}</p>\n", escaped(c.candidate), escaped(c.reference),
                                badge(kind_of(c.verdict), verdict_name(c.verdict)), escaped(c.sentence));
  out += interval_svg(c);
  const auto row = [&](std::string name, const MarginTest& test, std::string margin, bool decides) {
    return std::vector<std::string>{std::move(name) + (decides ? " (decides)" : ""),
                                    points_text(test.estimate.difference),
                                    fmt::format("{} to {}", points_text(test.ci95.low), points_text(test.ci95.high)),
                                    points_text(test.lower95),
                                    std::move(margin),
                                    fmt::format("{:.4f}", test.p),
                                    fmt::format("{:.4f}", test.nominal_p),
                                    test.passes() ? "yes" : "no"};
  };
  out += table_html({"test", ">difference, points", ">95 % interval", ">lower one-sided 95 % limit", ">margin", ">p",
                     ">p to pass at this look", "passes"},
                    {row("absolute", c.absolute, fmt::format("{:.1f} points", 100 * c.margin), !c.relative_decides),
                     row(fmt::format("relative: {} minus {:.4g} % of {}", escaped(c.candidate), 100 * (1 - c.margin),
                                     escaped(c.reference)),
                         c.relative, "0", c.relative_decides)});
  out += fmt::format(
      "<p class=\"soft\">{:.0f} generations of each prompt and arm, {} clusters. Power to show a tie with the noise "
      "found: {}. The decision uses one-sided limits, the ends of "
      "a 90 % interval. Equivalent on both sides: {}.{}</p>\n",
      c.generations, t.estimate.clusters, percent_text(c.power), c.absolute.is_equivalent ? "shown" : "not shown",
      t.t_passes == t.bootstrap_passes ? "" : " t and bootstrap disagree, so the more cautious counts.");
  return out;
}

std::string classes_html(const StudyOutcome& o) {
  std::vector<std::vector<std::string>> rows;
  for (const Comparison& c : o.decision.comparisons) {
    for (const ClassGuard& g : c.guards) {
      rows.push_back({escaped(g.prompt_class), escaped(c.candidate + " against " + c.reference),
                      points_text(g.estimate.difference),
                      fmt::format("{} to {}", points_text(g.ci95.low), points_text(g.ci95.high)), points_text(g.pooled),
                      fmt::format("{}", guard_kind_name(g.kind)),
                      badge(g.holds ? "good" : "bad", g.holds ? "holds" : "held back")});
    }
  }
  std::string out = table_html(
      {"class", "comparison", ">difference, points", ">95 % interval", ">shrunk to the mean", "guard", "result"}, rows);
  out +=
      "<p class=\"soft\">A class has too few prompts to resolve the margin. Its guard can hold it back; passing proves "
      "little where the guard is an alarm.</p>\n";
  if (o.claims.empty()) return out;
  rows.clear();
  for (const ClassClaim& one : o.claims)
    rows.push_back({escaped(one.prompt_class), fmt::format("{:.4f}", one.p), fmt::format("{:.4f}", one.adjusted_p),
                    badge(one.holds ? "good" : "unsure", one.holds ? "shown" : "not shown")});
  return out + "<h3>Claims class by class, together at 5 % (Holm)</h3>\n" +
         table_html({"class", ">p", ">adjusted p", "within the margin"}, rows);
}

// What it must show, for who does not know docs/evaluation.md by heart.
std::string_view question_of_control(std::string_view name) {
  if (name.starts_with("guess_arm")) return "can the judge tell which arm wrote a text?";
  if (name.starts_with("second_judge")) return "does another judge see the same difference between the arms?";
  if (name == "same_arm") return "do the reference's own answers, in two halves, score alike?";
  if (name == "duplicate") return "does one text under two ids score alike?";
  if (name == "damaged") return "does a text score less once sentences are lost?";
  if (name == "padded") return "does neutral filler gain nothing?";
  if (name == "injected") return "do orders to the judge in a text change nothing?";
  if (name == "order") return "does it not matter which text of a pair comes first?";
  if (name == "commitment") return "is the opened map of ids the one that was sealed before the first grade?";
  if (name == "completeness") return "is every planned grade there, or excused?";
  if (name == "failed_grades") return "did the judge give few grades up?";
  if (name == "judge_model") return "was it one model all along?";
  return "";
}

std::string controls_html(const StudyOutcome& o) {
  if (o.decision.controls.empty()) return "<p>None yet: no grading was finished.</p>\n";
  std::vector<std::vector<std::string>> rows;
  for (const Control& c : o.decision.controls)
    rows.push_back(
        {escaped(c.name), escaped(question_of_control(c.name)),
         badge(c.passed ? "good" : "bad", c.passed ? "right" : "wrong"), escaped(c.detail)});
  std::string out = table_html({"control", "asks", "came out", "detail"}, rows);
  if (o.noise.texts > 0) {
    out +=
        fmt::format("<p>Judge noise: {:.1f} points a grade, {} of criteria flip when {} texts are graded again.</p>\n",
                    100 * o.noise.sigma, percent_text(o.noise.flip_rate), o.noise.texts);
  }
  if (o.agreement) {
    out += fmt::format(
        "<p>Agreement of the two judges on {} texts: {} of {} criteria alike, Cohen's kappa {:.2f}, correlation of "
        "scores {:.2f}.</p>\n",
        o.agreement->texts, percent_text(o.agreement->same), o.agreement->criteria, o.agreement->kappa,
        o.agreement->correlation);
  }
  return out;
}

// "temperature 0.6, top_p 0.95": what was sent with every request.
std::string sampling_text(const Arm& arm) {
  std::string out;
  const auto add = [&](std::string_view name, const auto& value) {
    if (value) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, *value);
  };
  add("temperature", arm.temperature);
  add("top_p", arm.top_p);
  add("min_p", arm.min_p);
  add("top_k", arm.top_k);
  add("seed", arm.seed);
  if (arm.thinking) out += *arm.thinking ? ", thinking" : ", no thinking";
  return out;
}

std::string arms_html(const ArmsFile& file, const StudyOutcome& o) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < file.arms.size(); ++i) {
    const Arm& arm = file.arms[i];
    const std::string& build = arm.engine_build.empty() ? o.arms[i].engine_build : arm.engine_build;
    const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("–") : escaped(text); };
    rows.push_back({escaped(arm.name), escaped(arm.endpoint.model), or_dash(arm.quantisation),
                    arm.model_digest.empty() ? "–" : fmt::format("<code>{}</code>", escaped(arm.model_digest)),
                    or_dash(build), or_dash(arm.topology), escaped(sampling_text(arm))});
  }
  return table_html({"arm", "model", "quantisation", "digest of the weights", "engine", "topology", "sampling"}, rows);
}

std::string costs_html(const StudyOutcome& o) {
  std::vector<std::vector<std::string>> rows;
  for (const ArmCosts& a : o.arms) {
    rows.push_back({escaped(a.arm), std::to_string(a.generations),
                    a.scored > 0 ? fmt::format("{:.1f}", 100 * a.score) : std::string(), fmt::format("{:.0f}", a.answer_tokens),
                    fmt::format("{:.2f}", a.hours), fmt::format("{:.2f}", a.usd), std::to_string(a.empty),
                    std::to_string(a.loops), std::to_string(a.cut), std::to_string(a.retried)});
  }
  std::string out = table_html({"arm", ">answers", ">mean score", ">tokens written", ">hours", ">dollars", ">empty", ">loops",
                                ">cut at the limit", ">tried again"},
                               rows);
  rows.clear();
  for (const JudgeCosts& j : o.judges) {
    rows.push_back({escaped(j.judge), std::to_string(j.grades), std::to_string(j.from_cache), std::to_string(j.failed),
                    std::to_string(j.quotes_missing), fmt::format("{:.2f}", j.hours), fmt::format("{:.2f}", j.usd)});
  }
  if (!rows.empty())
    out += table_html({"judge", ">grades", ">of them known already", ">given up", ">with a quote not in the text",
                       ">hours", ">dollars"},
                      rows);
  return out;
}

std::string list_html(const std::vector<std::string>& lines) {
  std::string out = "<ul>";
  for (const std::string& one : lines) out += "<li>" + escaped(one) + "</li>";
  return out + "</ul>\n";
}

Result<std::string> registration_html(const StudyRecords& records, const StudyOutcome& o) {
  std::string out =
      fmt::format("<p>Digest of what was pinned before the first generation: <code>{}</code></p>\n", o.registration);
  out += o.deviations.empty() ? std::string("<p>The study was run as it was registered.</p>\n")
                              : "<p>Done otherwise than registered:</p>" + list_html(o.deviations);
  if (!o.left_out.empty()) out += "<p>Left out:</p>" + list_html(o.left_out);
  for (const store::RoundRecord& round : records.rounds) {
    out += fmt::format("<p class=\"soft\">Blind round {}: committed to <code>{}</code>, {}.</p>\n", round.round,
                       escaped(round.commitment), round.map ? "opened after its last grade" : "still sealed");
  }
  if (const auto before = TRY(registered(records.events)))
    out += "<details><summary>The registration</summary><pre>" + escaped(dump_json(*before, 2)) + "</pre></details>\n";
  return out;
}

}  // namespace

Result<std::string> report_html(const Suite& suite, const ArmsFile& file, const StudyRecords& records,
                                const StudyOutcome& outcome, const ReportOptions& options) {
  const Scores scores = TRY(Scores::make(suite, file, records));
  const std::string registration = TRY(registration_html(records, outcome));
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>{}</title>\n<style>{}</style></head><body>\n",
      escaped(headline(outcome)), data::report_css);
  out += verdict_html(outcome);
  if (!outcome.decision.comparisons.empty()) {
    out += "<h2>Differences</h2>\n";
    if (outcome.decision.is_void) {
      out += "<p>A control came out wrong. These figures are here to find out why; nothing follows from them.</p>\n";
    }
    for (const Comparison& c : outcome.decision.comparisons) out += comparison_html(c);
    out += "<h2>Classes</h2>\n" + classes_html(outcome);
  }
  out += "<h2>Controls</h2>\n" + controls_html(outcome) + "<h2>Arms and costs</h2>\n" +
         arms_html(file, outcome) + costs_html(outcome);
  out +=
      "<h2>Items</h2>\n" + items_html(suite, file, records, scores, options) + "<h2>What was registered</h2>\n" + registration;
  out += options.denied_texts
             ? "<footer>This file holds the texts of all items and answers, also of those that must not leave the house.</footer>\n"
             : "<footer>Texts of items that must not leave the house are not in this file.</footer>\n";
  return out + "</body></html>\n";
}

}  // namespace hearth::eval
