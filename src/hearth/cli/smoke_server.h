#pragma once
// `hearth serve` as a child, over a small model of known answers: what proves that this machine's
// engine, its templates and its APIs work before anything large is loaded.

#include <memory>

#include "hearth/check/smoke.h"
#include "hearth/cli/own_server.h"
#include "hearth/cli/progress.h"

namespace hearth::cli {

// A text, a question about it, and its answer.
check::KnownAnswer known_answer();

// Makes the model in the cache directory when it is not there.
Result<std::unique_ptr<OwnServer>> start_smoke_server(Progress& progress, const StopToken& stop);

// Of hearth-worker beside this program: engine, engine_build.
Result<check::Versions> engine_versions(const StopToken& stop);

}  // namespace hearth::cli
