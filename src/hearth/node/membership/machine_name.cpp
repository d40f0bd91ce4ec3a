#include "hearth/node/membership/machine_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::node {
namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

Result<> check_machine_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= machine_name_bytes_max &&
                    is_alphanumeric(name.front()) && is_alphanumeric(name.back()) &&
                    std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '-'; });
  if (good) return {};
  return fail(Code::invalid_argument,
              fmt::format("'{}' cannot be a machine's name: expected 1 to {} lower-case letters, "
                          "digits and inner hyphens, such as studio or spark-1",
                          name.substr(0, 2 * machine_name_bytes_max), machine_name_bytes_max));
}

std::string machine_name_of_host(std::string_view host) {
  std::string out;
  for (char c : host.substr(0, host.find('.'))) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    out += is_alphanumeric(c) ? c : '-';
  }
  out.resize(std::min(out.size(), machine_name_bytes_max));
  while (out.starts_with('-')) out.erase(0, 1);
  while (out.ends_with('-')) out.pop_back();
  return out.empty() ? "machine" : out;
}

}  // namespace hearth::node
