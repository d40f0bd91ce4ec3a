#pragma once
// A session for people and for other programs: Markdown and JSON. Both begin with the session's
// label, for they are written in the clear.

#include <filesystem>

#include "hearth/session/session.h"

namespace hearth::session {

struct TranscriptOptions {
  std::size_t last_turns = 0;  // of what the user said, and what followed; 0: all
  bool thinking = true;
};

// The branch of the head.
std::string transcript_text(const Session& session, const TranscriptOptions& options = {});
std::string transcript_markdown(const Session& session);
// Everything: all branches, memory as it was and as it is.
Json session_json(const Session& session);

// Markdown, or JSON when the name ends with .json. Refuses to replace a file.
Result<> write_transcript(const Session& session, const std::filesystem::path& file);

}  // namespace hearth::session
