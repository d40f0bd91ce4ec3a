#pragma once
// The worker's HTTP interface, as both ends see it: paths, and the larger values to and from JSON (a member or
// two stand in worker_client.cpp and worker_service.cpp). A worker listens on a unix socket that only its user can open, so there is no authentication here.
//
//   GET    /v1/info                      what is loaded, limits, KV layout
//   GET    /v1/stats                     counters
//   GET    /v1/pulse                     {step_s}: how long the engine has been in its step; never waits for it
//   POST   /v1/tokenize                  {text, special} -> {tokens}
//   POST   /v1/detokenize                {tokens} -> {text}
//   POST   /v1/leases                    prompt, {keep_ms, adapter} -> {lease, held_tokens}
//   DELETE /v1/leases/{lease}
//   PUT    /v1/leases/{lease}/chunks     body: one chunk (docs/chunk_format.md) -> {held_tokens}
//   POST   /v1/leases/{lease}/files      {files: [{path, key}, ...]}: chunk files on this machine, in
//                                        order -> {imported}, with error when the next one failed
//   POST   /v1/generate                  prompt -> one JSON event a line, the last is finished or error
//   POST   /v1/prefill                   prompt, {export_from, parent, lease, adapter} -> chunks in order, one
//                                        after another
//   POST   /v1/score                     prompt, {from} -> the logits that foretell tokens[from] to the last
//                                        one: a row of 32-bit floats for each, one for each token of
//                                        the vocabulary
//   POST   /v1/exports                   prompt, {from, parent, tail_tokens, adapter} -> whole chunks from there on, as far as
//                                        some sequence holds the prompt; nothing is computed
//
// Where there is an "adapter" it names the adapter set to compute with; a chunk's layout says with which
// it was computed.
// A body that has a prompt is described in prompt_body.h.
// A reply that ends before its last event or chunk means that the worker died.

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/engine/job.h"
#include "hearth/node/worker/file_import.h"
#include "hearth/node/worker/prompt_body.h"
#include "hearth/node/worker/worker_events.h"
#include "hearth/node/worker/worker_info.h"

namespace hearth::node {

// On the import of a chunk that another quantisation of the model computed: its layout.
inline constexpr std::string_view foreign_layout_header = "X-Hearth-Foreign-Layout";
inline constexpr const char* chunk_stream_type = "application/vnd.hearth.chunks";
inline constexpr const char* logits_stream_type = "application/vnd.hearth.logits";
inline constexpr const char* event_stream_type = "application/x-ndjson";
inline constexpr std::uint64_t prompt_body_bytes_max = 64u << 20;

// The member "adapter"; empty without one: the bare model.
Result<std::string> adapter_from_json(const Json& json);

// What goes before the prompt (prompt_body.h), and back.
Json generate_json(const engine::GenerateRequest& request);
Result<engine::GenerateRequest> generate_from_json(PromptBody body);
Json prefill_json(const engine::PrefillRequest& request);
Result<engine::PrefillRequest> prefill_from_json(PromptBody body);

Json score_json(const engine::ScoreRequest& request);
Result<engine::ScoreRequest> score_from_json(PromptBody body);

Json files_json(std::span<const ChunkFile> files);
Result<std::vector<ChunkFile>> files_from_json(const Json& json);
Json imported_json(const FilesImported& imported);
Result<FilesImported> imported_from_json(const Json& json);

}  // namespace hearth::node
