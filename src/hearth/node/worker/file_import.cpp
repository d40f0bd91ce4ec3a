#include "hearth/node/worker/file_import.h"

#include <deque>
#include <memory>
#include <utility>

#include "hearth/kv/chunk_file.h"

namespace hearth::node {
namespace {

// A busy engine takes chunks in between two steps: more than one, so that few steps are enough.
constexpr std::size_t calls_waiting_max = 4;
constexpr Duration engine_call_deadline = std::chrono::seconds(120);

class FileImport {
 public:
  FileImport(engine::EngineThread& engine, engine::LeaseId lease, const WorkerLayouts& layouts)
      : engine_(engine), lease_(lease), layouts_(layouts) {}

  FilesImported run(std::span<const ChunkFile> files) {
    for (const ChunkFile& file : files) {
      auto chunk = read(file);
      // What went wrong first is what counts: an earlier file's import before this one's reading.
      while (!waiting_.empty() && (!chunk || waiting_.size() >= calls_waiting_max)) {
        if (!finish_oldest()) return out_;
      }
      if (!chunk) {
        out_.error = std::move(chunk).error();
        return out_;
      }
      start(*std::move(chunk));
    }
    while (!waiting_.empty() && finish_oldest()) {
    }
    return out_;
  }

 private:
  struct ReadChunk {
    kv::MappedChunk chunk;
    engine::AdapterSetId adapters;
  };

  Result<ReadChunk> read(const ChunkFile& file) const {
    auto chunk = TRY(kv::map_chunk_file(file.path, {.layout = {}, .key = file.key}));
    const engine::AdapterSetId adapters = TRY(adapters_of(chunk.header(), layouts_));
    return ReadChunk{std::move(chunk), adapters};
  }

  void start(ReadChunk read) {
    // std::function copies; the engine's thread may need it when this one has given up.
    const auto shared = std::make_shared<const ReadChunk>(std::move(read));
    waiting_.push_back(engine_.start_call(
        [lease = lease_, shared](engine::Scheduler& scheduler) {
          const kv::ChunkHeader& header = shared->chunk.header();
          return scheduler.import_state(lease, header.range, header.tokens, shared->chunk.payload(),
                                        {.adapters = shared->adapters});
        },
        Deadline::after(engine_call_deadline)));
  }

  bool finish_oldest() {
    engine::PendingCall oldest = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto imported = oldest.wait(Deadline::after(engine_call_deadline)); !imported) {
      out_.error = std::move(imported).error();
      return false;
    }
    ++out_.count;
    return true;
  }

  engine::EngineThread& engine_;
  const engine::LeaseId lease_;
  const WorkerLayouts& layouts_;
  std::deque<engine::PendingCall> waiting_;
  FilesImported out_;
};

}  // namespace

Result<engine::AdapterSetId> adapters_of(const kv::ChunkHeader& header, const WorkerLayouts& layouts) {
  for (const auto& [layout, adapters] : layouts) {
    if (layout == header.layout) return adapters;
  }
  return std::unexpected(
      kv::fault_error(kv::ChunkFault::foreign_layout, header, {.layout = layouts.front().first, .key = {}}));
}

FilesImported import_files(engine::EngineThread& engine, engine::LeaseId lease,
                           const WorkerLayouts& layouts, std::span<const ChunkFile> files) {
  return FileImport(engine, lease, layouts).run(files);
}

}  // namespace hearth::node
