#include "hearth/cli/write_voice.h"

#include <memory>

#include "hearth/cli/voice_texts.h"
#include "hearth/session/memory_folder.h"

namespace hearth::cli {
namespace {

// Less far from the writer's own pieces is a higher score.
session::DraftJudge judge_by(voice::Profile profile, const std::vector<session::WritingSample>& samples) {
  struct Held {
    voice::Profile profile;
    voice::CopyGuard guard;
  };
  const auto held = std::make_shared<Held>(Held{std::move(profile), {}});
  for (const auto& sample : samples) held->guard.add(sample.name, sample.text);
  return [held](const std::string& name, const std::string& text) -> session::DraftVerdict {
    const voice::DraftReport report = voice::report_draft(held->profile, held->guard, {name, text});
    return {.score = -report.voice.distance,
            .copied_words = report.copied.longest_words,
            .copied_share = report.copied.share,
            .details = voice::draft_json(report)};
  };
}

Result<Voice> voice_of_profile(const std::filesystem::path& path) {
  voice::Profile profile = TRY(read_voice_profile(path));
  Voice out;
  Blake2b digest;
  for (const voice::NamedText& one : profile.exemplars) {
    out.samples.push_back({one.name, one.text});
    digest.update_sized(one.name).update_sized(one.text);
  }
  out.digest = digest.finish();
  out.avoid = profile.avoid;
  out.judge = judge_by(std::move(profile), out.samples);
  return out;
}

}  // namespace

Result<Voice> load_voice(const std::filesystem::path& samples, const std::filesystem::path& profile) {
  if (!samples.empty() && !profile.empty()) {
    return fail(Code::invalid_argument, "give either --samples DIR or --profile FILE: a profile has its own passages");
  }
  if (!profile.empty()) return voice_of_profile(profile);
  Voice out;
  if (samples.empty()) return out;
  // Read as memory is: every fault of the folder is named, and the order does not depend on it.
  const session::MemoryFiles files = TRY(session::read_memory_folder(samples));
  std::vector<voice::NamedText> texts;
  for (const auto& [path, text] : files) {
    out.samples.push_back({path, text});
    texts.push_back({path, text});
  }
  out.digest = session::digest_of(files);
  // Too little to learn a voice from is no fault of a folder of samples.
  if (auto learnt = voice::build_profile(texts, voice::shipped_impostors(), {})) {
    out.judge = judge_by(*std::move(learnt), out.samples);
  }
  return out;
}

}  // namespace hearth::cli
