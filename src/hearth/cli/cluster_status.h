#pragma once
// What all machines of a cluster are doing, out of what each of their agents says of itself
// (GET /v1/status, GET /v1/decisions of node/agent). Pure.

#include <optional>
#include <span>
#include <string>

#include "hearth/base/json.h"

namespace hearth::cli {

struct MachineAnswer {
  std::string name, address;
  std::optional<Json> status;     // absent: it did not answer
  std::optional<Json> decisions;  // absent: it does not coordinate
  std::string trouble;            // why it did not answer
};

// {machines [{name, address, reachable, trouble, coordinates, backend, engine, engine_build, devices, memory
//  {total_bytes, available_bytes}, lends, assignment}],
//  workers [{machine, model, pool, running, restarts, crashes, stalled}], `pool`: of a worker over several machines,
//  links [{from, to, usable, why_not, round_trip_ms, mb_per_s, parity, trouble, heard_s,
//  restarts}],
//  requests [{machine, kind, for, tokens, read_tokens, seconds}], decisions [{machine, ...}], stores [...],
//  hand_offs [...]}. A link's `to` prefills for its `from`. A request's kind is what is done for another
//  machine, or waiting, reading, writing: an answer of its gateway. What a machine does not tell is left out.
Json cluster_status(std::span<const MachineAnswer> answers);

// For people: tables, with what is not right in words.
std::string cluster_status_text(const Json& status);

}  // namespace hearth::cli
