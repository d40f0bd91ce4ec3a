#pragma once
// A model by what people give: a GGUF file, any shard of one, or the URL of either.

#include <string>

#include "hearth/base/stop.h"
#include "hearth/model/shards.h"

namespace hearth::cli {

// Headers only; from a URL with progress on standard error.
Result<model::ModelFiles> open_model(const std::string& file_or_url, const StopToken& stop);

}  // namespace hearth::cli
