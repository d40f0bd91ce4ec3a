#pragma once
// Texts for the voice verbs: files and folders, as hearth eval kl reads them; transcripts are left out,
// because most of their words are somebody else's.

#include <filesystem>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/voice/profile.h"

namespace hearth::cli {

Result<std::vector<voice::NamedText>> read_voice_texts(
    std::span<const std::filesystem::path> paths);
// Texts of others from a folder, or those that ship when it is empty.
Result<std::vector<voice::NamedText>> read_impostors(const std::filesystem::path& folder);

// A file of hearth voice build.
Result<voice::Profile> read_voice_profile(const std::filesystem::path& path);

}  // namespace hearth::cli
