#include "hearth/node/stored_import.h"

#include <utility>
#include <vector>

namespace hearth::node {
namespace {

class PieceImport {
 public:
  PieceImport(const WorkerClient& worker, engine::LeaseId lease, kv::ChunkStore& store,
              Duration deadline_each, const StopToken& stop)
      : worker_(worker), lease_(lease), store_(store), deadline_each_(deadline_each), stop_(stop) {}

  StoredImport run(std::span<const kv::PrefixChunk> pieces) {
    for (const kv::PrefixChunk& piece : pieces) {
      if (!add(piece)) return std::move(out_);
    }
    send_files();
    return std::move(out_);
  }

 private:
  Deadline deadline() const { return Deadline::after(deadline_each_); }

  bool add(const kv::PrefixChunk& piece) {
    auto source = store_.open_for_import(piece.key);
    if (!source) return send_files() && failed(std::move(source).error());
    if (auto* file = std::get_if<kv::ImportFile>(&*source)) {
      files_.push_back({std::move(file->path), piece.key});
      return true;
    }
    if (!send_files()) return false;
    const auto sent = worker_.import_chunk(lease_, *std::get<kv::SharedChunk>(*source), deadline(), stop_);
    if (!sent) return failed(sent.error());
    ++out_.count;
    return true;
  }

  // The run of files so far.
  bool send_files() {
    if (files_.empty()) return true;
    const std::vector<ChunkFile> files = std::exchange(files_, {});
    auto imported = worker_.import_files(lease_, files, deadline(), stop_);
    if (!imported) return failed(std::move(imported).error());
    out_.count += imported->count;
    if (!imported->error) return true;
    // Reading it here as well lets the store find out that the file is damaged or gone, and drop it.
    const Code code = imported->error->code;
    if ((code == Code::corrupt || code == Code::not_found) && imported->count < files.size()) {
      (void)store_.get(files[imported->count].key);
    }
    return failed(*std::move(imported->error));
  }

  bool failed(Error error) {
    out_.error = std::move(error);
    return false;
  }

  const WorkerClient& worker_;
  const engine::LeaseId lease_;
  kv::ChunkStore& store_;
  const Duration deadline_each_;
  const StopToken& stop_;
  std::vector<ChunkFile> files_;
  StoredImport out_;
};

}  // namespace

ImportPlan plan_import(std::span<const kv::PrefixChunk> pieces, std::uint32_t held_tokens,
                       bool is_append_only, std::uint32_t restart_tokens_min) {
  ImportPlan plan{.first = 0, .kept_tokens = held_tokens};
  while (plan.first < pieces.size() && pieces[plan.first].range.end <= held_tokens) ++plan.first;
  if (plan.first == pieces.size() || !is_append_only) return plan;
  if (pieces[plan.first].range.begin == held_tokens) return plan;
  if (pieces.back().range.end < held_tokens + restart_tokens_min) {
    return {.first = pieces.size(), .kept_tokens = held_tokens};
  }
  return {.first = 0, .kept_tokens = 0};
}

StoredImport import_pieces(const WorkerClient& worker, engine::LeaseId lease, kv::ChunkStore& store,
                           std::span<const kv::PrefixChunk> pieces, Duration deadline_each,
                           const StopToken& stop) {
  return PieceImport(worker, lease, store, deadline_each, stop).run(pieces);
}

}  // namespace hearth::node
