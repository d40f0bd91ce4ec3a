// hearth eval kl: does a smaller model foretell the same, over the user's own texts?

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/kl_run.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"

namespace hearth::cli {
namespace {

struct KlFlags {
  KlSettings settings;
  double same_top_percent = 97;
  bool json = false;
};

void add_rows(Table& table, std::span<const eval::KlRow> rows, std::string_view all) {
  for (const eval::KlRow& row : rows) {
    const eval::DivergenceSummary& s = row.summary;
    table.add({row.text_class.empty() ? std::string(all) : row.text_class,
               row.kind ? std::string(eval::token_kind_name(*row.kind)) : "all",
               std::to_string(s.positions), fmt::format("{:.5f}", s.mean),
               fmt::format("{:.5f}", s.median), fmt::format("{:.4f}", s.p99),
               fmt::format("{:.2f} %", 100 * s.same_top), std::to_string(s.right_to_wrong),
               std::to_string(s.wrong_to_right),
               row.fault.empty() ? (row.judged ? "passes" : "") : row.fault});
  }
}

std::string kl_text(const eval::KlReport& report) {
  Table table({"class", "tokens", ">positions", ">mean KL", ">median", ">p99", ">same top",
               ">right to wrong", ">wrong to right", "gate"});
  const eval::KlRow all{.text_class = "all", .summary = report.all};
  add_rows(table, std::span(&all, 1), "");
  add_rows(table, report.kinds, "all");
  add_rows(table, report.cells, "");
  const eval::DivergenceSummary& s = report.all;
  std::string out = report.sentence + "\n\n" + table.text();
  out += fmt::format(
      "\nKL in nats: mean {:.5f} ± {:.5f}, p95 {:.4f}, p99.9 {:.4f}, largest {:.3f}; unresolved "
      "tail {:.2g}.\n",
      s.mean, s.mean_standard_error, s.p95, s.p999, s.max, s.tail);
  out += fmt::format(
      "ln(perplexity ratio) {:+.5f}; the next token's probability changes by {:.2f} points (root "
      "mean square).\n",
      s.log_perplexity_ratio, 100 * s.target_change_rms);
  const eval::FirstDivergence& first = report.first_divergence;
  out += fmt::format(
      "Choosing the likeliest token, the two part in {} of {} texts{}.\n", first.parted,
      first.texts,
      first.median ? fmt::format(", half of them within {} tokens", *first.median) : std::string());
  out += fmt::format("Digests of the weights: {} {}, {} {}.\n", report.base.name, report.base.weights,
                     report.candidate.name, report.candidate.weights);
  if (!report.floor_measured) {
    out += "The floor was not measured: --floor compares the base model with itself.\n";
  }
  return out;
}

int run_verb(KlFlags& flags, const StopToken& stop) {
  flags.settings.thresholds.same_top = flags.same_top_percent / 100;
  const auto found = run_kl(flags.settings, stop);
  if (!found) return report(found.error());
  if (flags.json) {
    std::puts(dump_json(eval::kl_json(*found), 2).c_str());
  } else {
    std::fputs(kl_text(*found).c_str(), stdout);
  }
  return found->verdict == eval::KlVerdict::equivalent ? exit_done : exit_no;
}

void declare_kl(KlFlags& own, Flags& flags) {
  flags.path("--base", own.settings.base,
             "GGUF file of the model that is trusted, or any shard of one");
  flags.required();
  flags.path("--candidate", own.settings.candidate, "GGUF file of the smaller one");
  flags.required();
  flags.list("texts", own.settings.texts,
             "files or folders: texts, and transcripts as .json or .jsonl; a folder's folders are "
             "classes");
  flags.required();
  flags.path("--record", own.settings.record,
             "folder for what was computed (default: in the cache directory, by model and texts)");
  flags.count("--window", own.settings.windows.window_tokens,
              "tokens that a model sees at once; longer texts are read through windows");
  flags.count("--skip", own.settings.windows.skip_tokens,
              "tokens at the beginning of each text that are read and not scored");
  flags.text("--chat-format", own.settings.chat_format,
             "of transcripts (default: by the model's template)");
  flags.toggle("--floor", own.settings.floor,
               "also compare the base model with itself, in batches of another size");
  flags.number("--mean", own.settings.thresholds.mean_kl, "gate: mean KL in nats must be below");
  flags.number("--same-top", own.same_top_percent,
               "gate: per cent of positions with the same token on top must be above");
  flags.count("--judged", own.settings.thresholds.judged_positions,
              "gate: positions that a class and kind of token needs to be judged");
  flags.count("--ubatch", own.settings.worker.ubatch_tokens, "tokens computed at once");
  flags.text("--kv-type", own.settings.worker.kv_type, "number format of the KV cache");
  flags.count("--threads", own.settings.worker.threads, "0: one per core");
  flags.text("--device", own.settings.worker.device, "auto, cpu, or a device's name");
  flags.toggle("--verbose", own.settings.worker.verbose, "the engine's own log on standard error");
  flags.toggle("--json", own.json, "one JSON document");
}

}  // namespace

Verb eval_kl_verb(StopToken stop) {
  const auto own = std::make_shared<KlFlags>();  // shared by declare and run
  return {.name = "kl",
          .summary =
              "does a smaller model foretell the same over your own texts; exit 0 if equivalent by "
              "measurement",
          .example = "hearth eval kl --base kimi-Q8.gguf --candidate kimi-Q4.gguf ~/texts",
          .declare = [own](Flags& flags) { declare_kl(*own, flags); },
          .run = [own, stop] { return run_verb(*own, stop); }};
}

}  // namespace hearth::cli
