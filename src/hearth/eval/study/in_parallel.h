#pragma once
// Jobs done by a few threads ("eval_call"), their results kept by the caller's thread, one at a time and
// as they come. After the first failure no job is begun; those under way are finished and kept, because
// they cost time and money already. Only `stop` breaks them off.

#include <cstddef>
#include <functional>

#include "hearth/base/result.h"
#include "hearth/base/stop.h"

namespace hearth::eval {

// What is to be done with a job's result, on the caller's thread; an Error of the job comes out of it.
using Keep = std::function<Result<>()>;

// Calls do_job(0) to do_job(jobs - 1), each once, on any thread. With one thread all is done here.
// The first Error; cancelled when `stop` fired.
Result<> in_parallel(std::size_t jobs, std::size_t threads, const StopToken& stop,
                     const std::function<Keep(std::size_t)>& do_job);

}  // namespace hearth::eval
