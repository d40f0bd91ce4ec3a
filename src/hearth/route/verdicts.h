#pragma once
// Whether what the quality bench decided holds now. Reads verdicts.db anew each time: it is asked once a
// conversation.

#include <filesystem>

#include "hearth/route/decide.h"
#include "hearth/store/verdicts.h"

namespace hearth::route {

// What the bench's record means for routing; pure.
VerdictState state_of(const std::optional<store::ClassVerdict>& verdict, const store::VerdictBasis& now);
// A file that is not there has no verdicts; one that cannot be read has none that stand.
VerdictState ask_file(const std::filesystem::path& file, const std::string& verdict_class, const std::string& arm,
                      const store::VerdictBasis& now);

}  // namespace hearth::route
