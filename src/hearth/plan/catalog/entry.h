#pragma once
// One table of a catalogue or cluster file, in this module's words.

#include "hearth/base/toml_entry.h"

namespace hearth::plan {

using Entry = TomlEntry;
using Problems = TomlProblems;
using Range = NumberRange;

}  // namespace hearth::plan
