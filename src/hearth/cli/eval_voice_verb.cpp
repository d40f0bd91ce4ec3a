// hearth eval voice: how near are drafts to somebody's own writing?

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/cli/voice_texts.h"

namespace hearth::cli {
namespace {

constexpr double copied_share_max = 0.02;     // of runs of eight words
constexpr std::size_t copied_words_max = 20;  // in one run
constexpr std::size_t words_that_say_much = 500;

struct VoiceFlags {
  std::filesystem::path mine, profile, others;
  std::vector<std::string> drafts;
  bool json = false;
};

struct Measured {
  voice::Profile profile;
  std::vector<voice::DraftReport> drafts;  // nearest first
};

bool is_copied(const voice::Copied& copied) {
  return copied.share > copied_share_max || copied.longest_words > copied_words_max;
}
bool is_theirs(const voice::DraftReport& draft) {
  return draft.voice.score >= voice::score_min && !is_copied(draft.copied);
}

Result<Measured> measure_drafts(const VoiceFlags& flags) {
  if (flags.mine.empty() == flags.profile.empty()) {
    return fail(
        Code::invalid_argument,
        "give either --mine DIR with texts of yours, or --profile FILE of hearth voice build");
  }
  const std::vector<std::filesystem::path> paths(flags.drafts.begin(), flags.drafts.end());
  const auto drafts = TRY(read_voice_texts(paths));
  std::optional<voice::Profile> profile;
  voice::CopyGuard guard;
  if (!flags.profile.empty()) {
    profile = TRY(read_voice_profile(flags.profile));
    for (const voice::NamedText& one : profile->exemplars) guard.add(one.name, one.text);
  } else {
    const auto mine = TRY(read_voice_texts(std::span(&flags.mine, 1)));
    profile = TRY(voice::build_profile(mine, TRY(read_impostors(flags.others)), {}));
    for (const voice::NamedText& one : mine) guard.add(one.name, one.text);
  }
  Measured out{.profile = *std::move(profile), .drafts = {}};
  for (const voice::NamedText& draft : drafts) {
    out.drafts.push_back(voice::report_draft(out.profile, guard, draft));
  }
  std::ranges::stable_sort(out.drafts, {},
                           [](const voice::DraftReport& draft) { return draft.voice.distance; });
  return out;
}

Json spread_json(const std::vector<double>& values) {
  if (values.empty()) return {};
  return Json::object(
      {{"low", values.front()}, {"median", values[values.size() / 2]}, {"high", values.back()}});
}

void print_json(const Measured& found) {
  Json drafts = Json::array();
  for (const voice::DraftReport& draft : found.drafts) {
    Json one = voice::draft_json(draft);
    one.set("theirs", is_theirs(draft));
    const voice::VoiceModel& model = found.profile.model_for(draft.voice.words).model;
    one.set("floor", spread_json(model.floor()));
    one.set("ceiling", spread_json(model.ceiling()));
    drafts.push(std::move(one));
  }
  const Json out = Json::object({{"drafts", std::move(drafts)},
                                 {"words", found.profile.words},
                                 {"texts", found.profile.texts}});
  std::puts(dump_json(out, 2).c_str());
}

std::string text_of(const Measured& found) {
  Table table({"draft", ">words", ">distance", ">as near as", ">slop words", ">phrases",
               ">contrasts", ">longest copy", ">copied", "verdict"});
  const voice::Slop& own = found.profile.own;
  for (const voice::DraftReport& draft : found.drafts) {
    std::string verdict = is_copied(draft.copied)                 ? "copied"
                          : draft.voice.score >= voice::score_min ? "within your spread"
                                                                  : "outside your spread";
    if (draft.voice.words < words_that_say_much) verdict += ", short: says little";
    table.add({draft.name, std::to_string(draft.voice.words),
               fmt::format("{:+.2f}", draft.voice.distance),
               fmt::format("{:.0f} %", 100 * draft.voice.score),
               fmt::format("{:.1f}", draft.slop.words), fmt::format("{:.1f}", draft.slop.phrases),
               fmt::format("{:.2f}", draft.slop.contrasts),
               fmt::format("{} words", draft.copied.longest_words),
               fmt::format("{:.1f} %", 100 * draft.copied.share), verdict});
  }
  std::string out = table.text();
  for (const voice::LengthModel& one : found.profile.models) {
    const auto& floor = one.model.floor();
    const auto& ceiling = one.model.ceiling();
    out += fmt::format("\nPieces of {} words: yours {:+.2f} to {:+.2f} (floor)", one.words,
                       floor.front(), floor.back());
    if (!ceiling.empty()) {
      out += fmt::format(", other people's {:+.2f} to {:+.2f} (ceiling)", ceiling.front(),
                         ceiling.back());
    }
  }
  out += fmt::format(
      "\nYour own rates: slop words {:.1f}, phrases {:.1f} in a thousand words, contrasts {:.2f} "
      "in a thousand characters.\n",
      own.words, own.phrases, own.contrasts);
  for (const voice::DraftReport& draft : found.drafts) {
    if (is_copied(draft.copied)) {
      out += fmt::format("{} repeats {}: \"{}\"\n", draft.name, draft.copied.source,
                         draft.copied.longest);
    }
  }
  return out;
}

int run_voice(const VoiceFlags& flags) {
  const auto found = measure_drafts(flags);
  if (!found) return report(found.error());
  if (flags.json) {
    print_json(*found);
  } else {
    std::fputs(text_of(*found).c_str(), stdout);
  }
  return std::ranges::all_of(found->drafts, is_theirs) ? exit_done : exit_no;
}

}  // namespace

Verb eval_voice_verb() {
  const auto own = std::make_shared<VoiceFlags>();  // shared by declare and run
  return {.name = "voice",
          .summary =
              "how near drafts are to your own writing, against your own spread; exit 1 if one is "
              "outside it or copied",
          .example = "hearth eval voice --mine ~/writing draft-1.txt draft-2.txt",
          .declare =
              [own](Flags& flags) {
                flags.list("drafts", own->drafts, "files or folders of drafts");
                flags.required();
                flags.path("--mine", own->mine, "folder of texts of yours, 20,000 words or more");
                flags.path("--profile", own->profile, "instead: a profile of hearth voice build");
                flags.path(
                    "--others", own->others,
                    "folder of texts by others, for scale (default: three authors that ship)");
                flags.toggle("--json", own->json, "one JSON document");
              },
          .run = [own] { return run_voice(*own); },
          .children = {}};
}

}  // namespace hearth::cli
