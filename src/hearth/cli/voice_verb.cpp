// hearth voice build|show: what a writer's texts teach, as a file.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/cli/verbs.h"
#include "hearth/cli/voice_texts.h"

namespace hearth::cli {
namespace {

struct BuildFlags {
  std::vector<std::string> texts;
  std::filesystem::path output = "voice.json", others;
  std::uint32_t exemplars = 8, exemplar_words = 400;
  bool json = false;
};

Json summary_json(const voice::Profile& profile) {
  Json out = profile.json();
  out.erase("models");
  return out;
}

std::string profile_text(const voice::Profile& profile) {
  std::string out = fmt::format("{} words of {} texts.\n", profile.words, profile.texts);
  const voice::LengthModel& longest = profile.models.back();
  const auto& floor = longest.model.floor();
  out += fmt::format(
      "Distance of your own pieces of {} words from the rest: {:.2f} to {:.2f}, in your own "
      "standard deviations.\n",
      longest.words, floor.front(), floor.back());
  if (const auto& ceiling = longest.model.ceiling(); !ceiling.empty()) {
    out += fmt::format("Of other people's texts: {:.2f} to {:.2f}.\n", ceiling.front(),
                       ceiling.back());
  }
  out += fmt::format(
      "Your own rates: {:.1f} words and {:.1f} phrases of the lists of machines' habits in a "
      "thousand words, {:.2f} contrasts in a "
      "thousand characters.\n",
      profile.own.words, profile.own.phrases, profile.own.contrasts);
  out += fmt::format("{} words and phrases of those lists you never use. {} exemplars:\n",
                     profile.avoid.size(), profile.exemplars.size());
  for (const voice::NamedText& one : profile.exemplars) {
    out += fmt::format("  {}: {}...\n", one.name, one.text.substr(0, 60));
  }
  return out;
}

Result<voice::Profile> build(const BuildFlags& flags) {
  const std::vector<std::filesystem::path> paths(flags.texts.begin(), flags.texts.end());
  const auto own = TRY(read_voice_texts(paths));
  const auto others = TRY(read_impostors(flags.others));
  voice::Profile profile = TRY(voice::build_profile(
      own, others, {.exemplars = flags.exemplars, .exemplar_words = flags.exemplar_words}));
  const std::string text = dump_json(profile.json(), 1);
  const ByteSpan bytes = as_byte_span(text);
  TRY(real_file_system()->write_atomically(flags.output, std::span(&bytes, 1),
                                           Durability::survives_power_loss));
  return profile;
}

int run_build(const BuildFlags& flags) {
  const auto profile = build(flags);
  if (!profile) return report(profile.error());
  if (flags.json) {
    std::puts(dump_json(summary_json(*profile), 2).c_str());
  } else {
    std::fputs((profile_text(*profile) +
                fmt::format("Written to {}. It holds passages of your texts in plain.\n",
                            flags.output.string()))
                   .c_str(),
               stdout);
  }
  return exit_done;
}

}  // namespace

Verb voice_verb() {
  const auto own = std::make_shared<BuildFlags>();  // shared by declare and run
  Verb build_child{
      .name = "build",
      .summary =
          "learn a way of writing from texts: a profile to write with and to measure drafts by",
      .example = "hearth voice build ~/writing -o voice.json",
      .declare =
          [own](Flags& flags) {
            flags.list("texts", own->texts, "files or folders of texts that one person wrote");
            flags.required();
            flags.path("-o,--output", own->output, "file to write");
            flags.path("--others", own->others,
                       "folder of texts by others, for scale (default: three authors that ship)");
            flags.count("--exemplars", own->exemplars, "passages to keep as examples");
            flags.count("--exemplar-words", own->exemplar_words, "words of each");
            flags.toggle("--json", own->json, "one JSON document");
          },
      .run = [own] { return run_build(*own); },
      .children = {}};
  return {.name = "voice",
          .summary = "your way of writing, learnt from your own texts",
          .example = "hearth voice build ~/writing -o voice.json",
          .declare = {},
          .run = {},
          .children = {std::move(build_child)}};
}

}  // namespace hearth::cli
