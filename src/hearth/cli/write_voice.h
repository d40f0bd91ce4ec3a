#pragma once
// Whose voice hearth write writes in: texts to read first, phrases to avoid, and who judges drafts.

#include <filesystem>

#include "hearth/base/digest.h"
#include "hearth/session/draft.h"

namespace hearth::cli {

struct Voice {
  std::vector<session::WritingSample> samples;
  std::vector<std::string> avoid;
  session::DraftJudge judge;  // empty: drafts stay in the order they were written
  Digest256 digest;           // of the samples: what is kept of them is named after it
};

// Of a folder of texts, or of a profile (hearth voice build), whose passages are then the samples; nobody's
// when both are empty. A folder judges too where it holds enough to learn a voice from.
Result<Voice> load_voice(const std::filesystem::path& samples, const std::filesystem::path& profile);

}  // namespace hearth::cli
