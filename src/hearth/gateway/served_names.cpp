#include "hearth/gateway/served_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace hearth::gateway {

std::string name_with_adapter(const std::string& model_id, std::string_view adapter) {
  return adapter.empty() ? model_id : fmt::format("{}+{}", model_id, adapter);
}

std::vector<std::string> served_names(const std::string& model_id, std::span<const std::string> adapters) {
  std::vector<std::string> out = {model_id};
  for (const std::string& adapter : adapters) out.push_back(name_with_adapter(model_id, adapter));
  return out;
}

ApiResult<std::string> adapter_of(std::string_view asked, std::string_view model_id,
                                  std::span<const std::string> adapters) {
  const std::size_t plus = asked.rfind('+');
  if (plus == asked.npos || asked == model_id) return std::string();
  const std::string_view adapter = asked.substr(plus + 1);
  if (std::ranges::find(adapters, adapter) != adapters.end()) return std::string(adapter);
  return std::unexpected(ApiError{
      .kind = ApiError::Kind::not_found,
      .message = fmt::format("no adapter '{}' is served; there {}: adapters are given to hearth serve with --lora, "
                             "--control-vector or [[adapter]]",
                             adapter, adapters.empty() ? "is none" : fmt::format("are {}", fmt::join(adapters, ", "))),
      .field = "model"});
}

}  // namespace hearth::gateway
