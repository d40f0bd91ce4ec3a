#pragma once
// The grammar of a Responses stream, checked from the outside: bytes in, complaints out.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::test {

struct ResponseStream {
  std::vector<std::string> complaints;  // empty: the stream keeps the rules
  Json response;                        // that of the last event
  bool failed = false;
};

// Rules: each event's name is its type; sequence numbers rise by one; created first and once; items
// open one after another with rising output_index; an item's deltas join to its done texts; every
// item that was opened is done; the last event is completed, incomplete or failed, with the items
// that were done as its output; nothing after it.
ResponseStream read_response_stream(std::string_view bytes);

}  // namespace hearth::test
