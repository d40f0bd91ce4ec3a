#include "hearth/eval/kl/kl_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "hearth/eval/statistics/survival.h"

namespace hearth::eval {
namespace {

using Chosen = std::function<bool(std::size_t text, TokenKind kind)>;

// Kinds of the scored positions of a text, in the order of its rows.
std::vector<std::vector<TokenKind>> scored_kinds(std::span<const ScoredText> texts,
                                                 std::span<const ScoreBlock> plan) {
  std::vector<std::vector<TokenKind>> out(texts.size());
  for (const ScoreBlock& block : plan) {
    const auto& kinds = texts[block.text].kinds;
    out[block.text].insert(out[block.text].end(), kinds.begin() + block.from,
                           kinds.begin() + block.end);
  }
  return out;
}

struct Rows {
  const std::vector<std::vector<TokenKind>>& kinds;
  const TextDivergences& rows;

  TextDivergences of(const Chosen& chosen) const {
    TextDivergences out;
    for (std::size_t text = 0; text < rows.size(); ++text) {
      std::vector<PositionDivergence> kept;
      for (std::size_t i = 0; i < rows[text].size(); ++i) {
        if (chosen(text, kinds[text][i])) kept.push_back(rows[text][i]);
      }
      if (!kept.empty()) out.push_back(std::move(kept));
    }
    return out;
  }
};

Result<> add_row(std::vector<KlRow>& out, const Rows& rows, std::string text_class,
                 std::optional<TokenKind> kind, const Chosen& chosen) {
  const TextDivergences kept = rows.of(chosen);
  if (kept.empty()) return {};
  KlRow row{.text_class = std::move(text_class), .kind = kind};
  row.summary = TRY(summarise(kept));
  out.push_back(std::move(row));
  return {};
}

FirstDivergence first_divergence(const Rows& rows) {
  FirstDivergence out;
  std::vector<Chain> chains;
  for (std::size_t text = 0; text < rows.rows.size(); ++text) {
    Chain chain;
    for (std::size_t i = 0;
         i < rows.rows[text].size() && !chain.failed && chain.depth < chain_depth_max; ++i) {
      if (rows.kinds[text][i] == TokenKind::read) continue;  // nobody would have written it
      ++chain.depth;
      chain.failed = !rows.rows[text][i].same_top;
    }
    if (chain.depth == 0) continue;
    ++out.texts;
    out.parted += chain.failed ? 1 : 0;
    chains.push_back(chain);
  }
  if (const auto curve = kaplan_meier(chains)) out.median = curve->median();
  return out;
}

void judge(KlRow& row, const KlReport& report) {
  const KlThresholds& limits = report.thresholds;
  if (row.kind == TokenKind::control) {
    const double allowed = limits.control_floors * report.floor_mean + limits.control_allowance;
    row.judged = true;
    if (row.summary.mean > allowed) {
      row.fault = fmt::format("mean KL {:.4f} above {:.4f}", row.summary.mean, allowed);
    }
    return;
  }
  row.judged = row.summary.positions >= limits.judged_positions;
  if (!row.judged) return;
  if (row.summary.mean >= limits.mean_kl) {
    row.fault =
        fmt::format("mean KL {:.4f}, must be below {:.4f}", row.summary.mean, limits.mean_kl);
  } else if (row.summary.same_top <= limits.same_top) {
    row.fault = fmt::format("same top token in {:.2f} %, must be above {:.2f} %",
                            100 * row.summary.same_top, 100 * limits.same_top);
  }
}

void decide(KlReport& report) {
  std::string faults;
  bool any_judged = false;
  for (KlRow& row : report.cells) {
    judge(row, report);
    any_judged = any_judged || (row.judged && row.kind != TokenKind::control);
    if (!row.fault.empty()) {
      faults += fmt::format("{}{}, {}: {}", faults.empty() ? "" : "; ", row.text_class,
                            token_kind_name(*row.kind), row.fault);
    }
  }
  if (!faults.empty()) {
    report.verdict = KlVerdict::not_shown;
    report.sentence =
        "Equivalence is not shown by measurement; prompts must decide. " + faults + ".";
  } else if (!any_judged) {
    report.verdict = KlVerdict::too_little_text;
    report.sentence = fmt::format(
        "Too little text: no class and kind of token has the {} positions that are judged. "
        "Give more of your texts.",
        report.thresholds.judged_positions);
  } else {
    report.verdict = KlVerdict::equivalent;
    report.sentence = fmt::format(
        "Equivalent by measurement: in every class and kind of token with {} positions or more the "
        "mean KL is below {} and the same token is on top in more than {:.0f} %.",
        report.thresholds.judged_positions, report.thresholds.mean_kl,
        100 * report.thresholds.same_top);
  }
}

Json summary_json(const DivergenceSummary& s) {
  return Json::object({{"positions", s.positions},
                       {"mean", s.mean},
                       {"mean_standard_error", s.mean_standard_error},
                       {"median", s.median},
                       {"p95", s.p95},
                       {"p99", s.p99},
                       {"p999", s.p999},
                       {"max", s.max},
                       {"same_top", s.same_top},
                       {"flips", s.right_to_wrong + s.wrong_to_right},
                       {"right_to_wrong", s.right_to_wrong},
                       {"wrong_to_right", s.wrong_to_right},
                       {"target_change_rms", s.target_change_rms},
                       {"log_perplexity_ratio", s.log_perplexity_ratio},
                       {"tail", s.tail}});
}

Json rows_json(std::span<const KlRow> rows) {
  Json out = Json::array();
  for (const KlRow& row : rows) {
    Json item = summary_json(row.summary);
    if (!row.text_class.empty()) item.set("class", row.text_class);
    if (row.kind) {
      item.set("tokens", token_kind_name(*row.kind));
    }
    item.set("judged", row.judged);
    if (!row.fault.empty()) item.set("fault", row.fault);
    out.push(std::move(item));
  }
  return out;
}

}  // namespace

std::string_view kl_verdict_name(KlVerdict verdict) {
  switch (verdict) {
    case KlVerdict::equivalent: return "equivalent-by-measurement";
    case KlVerdict::not_shown: return "not-shown";
    case KlVerdict::too_little_text: return "too-little-text";
  }
  return "";
}

Result<KlReport> report_kl(std::span<const ScoredText> texts, std::span<const ScoreBlock> plan,
                           const TextDivergences& rows, const TextDivergences* floor,
                           const KlThresholds& thresholds) {
  const auto kinds = scored_kinds(texts, plan);
  for (const TextDivergences* one : {&rows, floor}) {
    if (one == nullptr) continue;
    bool fits = one->size() == kinds.size();
    for (std::size_t i = 0; fits && i < kinds.size(); ++i) {
      fits = (*one)[i].size() == kinds[i].size();
    }
    if (!fits) {
      return fail(Code::invalid_argument, "the comparison has other positions than its plan");
    }
  }
  const Rows all{kinds, rows};
  KlReport out{.thresholds = thresholds};
  out.all = TRY(summarise(rows));
  std::set<std::string> classes;
  for (const ScoredText& text : texts) classes.insert(text.text_class);
  for (const std::string& one : classes) {
    const auto in_class = [&](std::size_t text) { return texts[text].text_class == one; };
    TRY(add_row(out.classes, all, one, std::nullopt,
                [&](std::size_t text, TokenKind) { return in_class(text); }));
    for (std::size_t k = 0; k < token_kinds; ++k) {
      const auto kind = static_cast<TokenKind>(k);
      TRY(add_row(out.cells, all, one, kind, [&](std::size_t text, TokenKind found) {
        return in_class(text) && found == kind;
      }));
    }
  }
  for (std::size_t k = 0; k < token_kinds; ++k) {
    const auto kind = static_cast<TokenKind>(k);
    TRY(add_row(out.kinds, all, "", kind,
                [&](std::size_t, TokenKind found) { return found == kind; }));
  }
  out.first_divergence = first_divergence(all);
  if (floor != nullptr) {
    const TextDivergences controls = Rows{kinds, *floor}.of(
        [](std::size_t, TokenKind kind) { return kind == TokenKind::control; });
    if (!controls.empty()) out.floor_mean = TRY(summarise(controls)).mean;
    out.floor_measured = true;
  }
  decide(out);
  return out;
}

Json kl_json(const KlReport& report) {
  Json out =
      Json::object({{"verdict", kl_verdict_name(report.verdict)},
                    {"sentence", report.sentence},
                    {"base", model_mark_json(report.base)},
                    {"candidate", model_mark_json(report.candidate)}});
  const Json all = summary_json(report.all);
  for (const auto& [key, value] : all.as_object()) out.set(key, value);
  out.set("classes", rows_json(report.classes));
  out.set("tokens", rows_json(report.kinds));
  out.set("cells", rows_json(report.cells));
  const FirstDivergence& first = report.first_divergence;
  out.set("first_divergence",
          Json::object({{"texts", first.texts},
                        {"parted", first.parted},
                        {"median", first.median ? Json(*first.median) : Json()}}));
  out.set("floor",
          Json::object({{"measured", report.floor_measured}, {"control_mean", report.floor_mean}}));
  out.set("thresholds", Json::object({{"mean_kl", report.thresholds.mean_kl},
                                      {"same_top", report.thresholds.same_top},
                                      {"control_floors", report.thresholds.control_floors},
                                      {"control_allowance", report.thresholds.control_allowance},
                                      {"judged_positions", report.thresholds.judged_positions}}));
  return out;
}

}  // namespace hearth::eval
