#pragma once
// The worker's HTTP interface, as both ends see it: paths, and values to and from JSON. A worker
// listens on a unix socket that only its user can open, so there is no authentication here.
//
//   GET    /v1/info                      what is loaded, limits, KV layout
//   GET    /v1/stats                     counters
//   POST   /v1/tokenize                  {text, special} -> {tokens}
//   POST   /v1/detokenize                {tokens} -> {text}
//   POST   /v1/leases                    prompt, {keep_ms} -> {lease, held_tokens}
//   DELETE /v1/leases/{lease}
//   PUT    /v1/leases/{lease}/chunks     body: one chunk (docs/chunk_format.md) -> {held_tokens}
//   POST   /v1/leases/{lease}/files      {files: [{path, key}, ...]}: chunk files on this machine, in
//                                        order -> {imported}, with error when the next one failed
//   POST   /v1/generate                  prompt -> one JSON event a line, the last is finished or error
//   POST   /v1/prefill                   prompt -> chunks in order, one after another
//   POST   /v1/exports                   prompt, {from, parent} -> whole chunks from there on, as far as
//                                        some sequence holds the prompt; nothing is computed
//
// A body that has a prompt is described in prompt_body.h.
// A reply that ends before its last event or chunk means that the worker died.

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/engine/job.h"
#include "hearth/engine/scheduler.h"
#include "hearth/model/layout_identity.h"
#include "hearth/node/worker/file_import.h"
#include "hearth/node/worker/prompt_body.h"

namespace hearth::node {

inline constexpr const char* chunk_stream_type = "application/vnd.hearth.chunks";
inline constexpr const char* event_stream_type = "application/x-ndjson";
inline constexpr std::uint64_t prompt_body_bytes_max = 64u << 20;

struct WorkerInfo {
  std::string engine_version, engine_build, backend;
  std::string architecture, model_name;
  std::uint64_t parameters_total = 0, parameters_active = 0;
  std::uint32_t layers = 0;
  std::uint64_t model_bytes = 0, kv_bytes = 0;
  engine::EngineLimits limits;
  std::uint32_t chunk_tokens = 0;
  std::optional<model::LayoutIdentity> identity;  // absent: no KV transfer, see kv_refusal
  std::string kv_refusal;
  std::string chat_template;
  Token bos_token = -1;
  bool adds_bos = false;

  std::optional<model::LayoutDigest> layout() const;
};

Json info_json(const WorkerInfo& info);
Result<WorkerInfo> info_from_json(const Json& json);

Json stats_json(const engine::SchedulerStats& stats, std::uint64_t resident_bytes);

// What goes before the prompt (prompt_body.h), and back.
Json generate_json(const engine::GenerateRequest& request);
Result<engine::GenerateRequest> generate_from_json(PromptBody body);
Json prefill_json(const engine::PrefillRequest& request);
Result<engine::PrefillRequest> prefill_from_json(PromptBody body);

Json files_json(std::span<const ChunkFile> files);
Result<std::vector<ChunkFile>> files_from_json(const Json& json);
Json imported_json(const FilesImported& imported);
Result<FilesImported> imported_from_json(const Json& json);

// StateDone has no JSON: it travels as a chunk.
Json event_json(const engine::JobEvent& event);
Result<engine::JobEvent> event_from_json(const Json& json);

// An Error as the body of a failed reply, and back.
Json error_json(const Error& error);
Error error_from_json(const Json& json);

}  // namespace hearth::node
