#pragma once
// Replacing a file that somebody else may be saving at the same moment. The new version changes places
// with the old one in one step; what is displaced is looked at afterwards, so nothing that was written
// in between is lost. Private to session.

#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/result.h"

namespace hearth::session {

// Puts `wanted` (nothing: no file) at `path` below `folder`, if what is there is `expected` (nothing: no
// file), which goes to `backup`, below `folder` too. False: something else is there; it is there as before,
// and if it was saved once more just then, the version that this displaced is at `backup` + ".displaced".
// Where the file system exchanges nothing, a save between look and rename is not seen.
Result<bool> replace_beneath(int folder, std::string_view path, const std::optional<std::string>& expected,
                             const std::optional<std::string>& wanted, const std::string& backup);

}  // namespace hearth::session
