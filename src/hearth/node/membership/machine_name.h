#pragma once
// What machines of a cluster are called: one label of a DNS name, since certificates carry it in
// one (net/tls.h). Pure.

#include <string>
#include <string_view>

#include "hearth/base/result.h"

namespace hearth::node {

inline constexpr std::size_t machine_name_bytes_max = 40;

// invalid_argument unless 1 to 40 of a-z, 0-9 and inner hyphens.
Result<> check_machine_name(std::string_view name);
// The nearest valid name to a host's: "Studio.local" to "studio".
std::string machine_name_of_host(std::string_view host);

}  // namespace hearth::node
