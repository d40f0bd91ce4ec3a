#pragma once
// What a request to a service needs beside its body. Pure.

#include <string>
#include <string_view>

#include "hearth/net/http_message.h"
#include "hearth/upstream/spec.h"

namespace hearth::upstream {

// As services of that kind take it; an empty key adds nothing.
void add_key(Kind kind, const std::string& key, net::Headers& headers);
// "/v1/messages" below the address of a spec, which may end in /v1.
std::string target_below(std::string_view url, std::string_view path);

}  // namespace hearth::upstream
