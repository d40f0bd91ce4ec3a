#include "hearth/cli/model_source.h"

#include <fmt/format.h>

#include "hearth/cli/progress.h"
#include "hearth/fetch/remote_model.h"

namespace hearth::cli {

Result<model::ModelFiles> open_model(const std::string& file_or_url, const StopToken& stop) {
  if (!net::is_url(file_or_url)) return model::load_model_files(file_or_url);
  const auto http = net::make_curl_client();
  Progress progress;
  fetch::RemoteModelOptions options;
  options.progress = [&](std::uint32_t number, std::uint32_t count) {
    progress.update(fmt::format("reading header {} of {}", number, count),
                    static_cast<double>(number - 1) / count);
  };
  auto files = fetch::load_remote_model(*http, file_or_url, options, stop);
  progress.clear();
  return files;
}

}  // namespace hearth::cli
