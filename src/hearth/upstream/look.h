#pragma once
// Looks at a service without having anything computed. Private to upstream.

#include "hearth/upstream/endpoint.h"

namespace hearth::upstream {

EndpointState look_at(const EndpointSpec& spec, const std::string& key, net::HttpClient& http,
                      Deadline deadline, const StopToken& stop);

}  // namespace hearth::upstream
