#include "hearth/cli/run_flags.h"

#include <fmt/format.h>

#include "hearth/cli/environment.h"
#include "hearth/cli/table.h"

namespace hearth::cli {

void RunFlags::declare(Flags& flags) {
  node::WorkerOptions& worker = local.worker;
  flags.count("--context", worker.context_tokens, "tokens of KV that a worker holds");
  flags.count("--sequences", worker.sequences, "answers at the same time in one worker");
  flags.count("--chunk-tokens", worker.chunk_tokens, "tokens of one KV chunk");
  flags.count("--ubatch", worker.ubatch_tokens, "tokens computed at once");
  flags.choice("--kv-type", worker.kv_type, {"f16", "q8_0", "f32", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl"},
               "number format of the KV cache");
  flags.count("--threads", worker.threads, "0: one per core");
  flags.text("--device", worker.device, "auto, cpu, or a device's name");
  flags.list("--remote", remote,
             "HOST:PORT=LAYERS: so many layers lie behind that RPC server of the engine (plain; trusted links only)");
  flags.toggle("--verbose", worker.verbose, "the engine's own log on standard error");
  flags.path("--store", local.store_directory, "directory of the chunk store (default: in the cache directory)");
  flags.big_count("--store-gb", store_disk_gb, "most disk the chunk store may take, in GB");
  flags.toggle("--no-store", no_store, "keep and look up nothing on disk");
}

Result<node::LocalRunOptions> RunFlags::resolve() const {
  node::LocalRunOptions out = local;
  out.worker_executable = TRY(find_worker_executable());
  for (const std::string& text : remote) {
    auto layers = TRY(node::RemoteLayers::parse(text));
    out.worker.remote.push_back(std::move(layers));
  }
  out.store_disk_bytes_max = store_disk_gb * 1'000'000'000;
  if (no_store) {
    out.store_directory.clear();
  } else if (out.store_directory.empty()) {
    out.store_directory = TRY(cache_directory()) / "chunks";
  }
  if (out.worker.chunk_tokens == 0 || out.worker.chunk_tokens > kv::chunk_tokens_max) {
    return fail(Code::invalid_argument, fmt::format("--chunk-tokens: {} is outside 1 to {}, for example 1024",
                                                    out.worker.chunk_tokens, kv::chunk_tokens_max));
  }
  if (out.worker.sequences == 0 || out.worker.sequences > 255) {
    return fail(Code::invalid_argument, fmt::format("--sequences: {} is outside 1 to 255, for example 4",
                                                    out.worker.sequences));
  }
  return out;
}

Json answer_json(const node::Answer& answer) {
  return Json::object(
      {{"ttft_ms", answer.ttft_ms},
       {"prefill_tok_s", answer.prefill_tok_s},
       {"decode_tok_s", answer.decode_tok_s},
       {"prompt_tokens", answer.prompt_tokens},
       {"answer_tokens", answer.tokens.size()},
       {"finish_reason", engine::finish_reason_name(answer.reason)},
       {"prefix", Json::object({{"computed", answer.computed_tokens}, {"memory", answer.memory_tokens},
                                {"disk", answer.disk_tokens}})},
       {"chunks", answer.chunks},
       {"bytes", answer.transfer_bytes},
       {"hidden_fraction", answer.hidden_fraction},
       {"text_digest", answer.text_digest().hex()},
       {"refused_chunks", answer.refused_chunks},
       {"worker_restarts", answer.worker_restarts}});
}

std::string answer_text(const node::Answer& answer) {
  const auto rate = [](double tok_s) { return tok_s > 0 ? fmt::format("{:.1f} tok/s", tok_s) : std::string("-"); };
  std::string out = fmt::format(
      "first token after {:.0f} ms; prefill {}, decode {} ({} tokens)\n"
      "prompt of {} tokens: {} computed, {} from memory, {} from disk\n",
      answer.ttft_ms, rate(answer.prefill_tok_s), rate(answer.decode_tok_s), answer.tokens.size(),
      answer.prompt_tokens, answer.computed_tokens, answer.memory_tokens, answer.disk_tokens);
  if (answer.chunks > 0) {
    out += fmt::format("{} chunks moved, {}", answer.chunks, human_bytes(static_cast<double>(answer.transfer_bytes)));
    if (answer.hidden_fraction > 0) out += fmt::format(", {:.0f} % of the transfer hidden behind compute", 100 * answer.hidden_fraction);
    out += "\n";
  }
  for (const std::string& note : answer.notes) out += "note: " + note + "\n";
  return out;
}

}  // namespace hearth::cli
