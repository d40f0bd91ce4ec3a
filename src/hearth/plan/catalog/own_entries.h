#pragma once
// What a probe found, as a catalogue file that load.h reads back. Pure.

#include <span>
#include <string>

#include "hearth/plan/catalog/catalog.h"

namespace hearth::plan {

// `links` were probed.
std::string own_entries_toml(const Machine& machine, std::span<const OwnRun> runs, std::span<const Link> links = {});

}  // namespace hearth::plan
