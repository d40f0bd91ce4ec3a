// hearth kv ls|verify|gc|unpin: the chunk store from outside.

#include <fmt/format.h>

#include <cstdio>
#include <limits>

#include "hearth/cli/environment.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/kv/store.h"

namespace hearth::cli {
namespace {

struct KvFlags {
  std::filesystem::path directory;
  std::uint64_t disk_gb = 0;  // gc only; 0: whatever its size
  std::string owner;
  bool json = false;
};

// Nothing is kept in memory by these verbs; a store wants room for one chunk all the same.
constexpr std::uint64_t memory_bytes = kv::chunk_payload_bytes_max + kv::header_bytes_max;

std::uint64_t disk_bytes_max(std::uint64_t disk_gb) {
  constexpr std::uint64_t gb = 1'000'000'000, no_limit = std::numeric_limits<std::uint64_t>::max();
  return disk_gb == 0 || disk_gb > no_limit / gb ? no_limit : disk_gb * gb;
}

// A store and what it stands on.
struct OpenStore {
  std::unique_ptr<FileSystem> files = real_file_system();
  SteadyClock clock;
  std::filesystem::path directory;
  std::unique_ptr<kv::ChunkStore> store;
};

Result<std::unique_ptr<OpenStore>> open_store(const KvFlags& flags, bool read_only) {
  auto out = std::make_unique<OpenStore>();
  std::filesystem::path directory = flags.directory;
  if (directory.empty()) directory = TRY(cache_directory()) / "chunks";
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    return fail(Code::not_found, "no chunk store at " + directory.string() + "; name one with --store DIR");
  }
  out->directory = directory;
  out->store = TRY(kv::ChunkStore::open({.directory = directory,
                                         .memory_bytes_max = memory_bytes,
                                         .disk_bytes_max = disk_bytes_max(flags.disk_gb),
                                         .is_read_only = read_only},
                                        *out->files, out->clock));
  return out;
}

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

int list(const KvFlags& flags) {
  const auto open = open_store(flags, /*read_only=*/true);
  if (!open) return report(open.error());
  const auto chunks = (*open)->store->list();
  if (flags.json) {
    Json out = Json::array();
    for (const kv::ChunkInfo& chunk : chunks) out.push(kv::to_json(chunk));
    print_json(Json::object({{"chunks", std::move(out)}, {"statistics", kv::to_json((*open)->store->statistics())}}));
    return exit_done;
  }
  Table table({"key", "after", "layout", ">from", ">to", ">bytes", "pinned by"});
  std::uint64_t bytes = 0;
  for (const kv::ChunkInfo& chunk : chunks) {
    table.add({chunk.key.short_hex(), chunk.range.begin == 0 ? "-" : chunk.parent.short_hex(),
               chunk.layout.short_hex(), std::to_string(chunk.range.begin), std::to_string(chunk.range.end),
               human_bytes(static_cast<double>(chunk.chunk_bytes)),
               fmt::format("{}", fmt::join(chunk.pin_owners, ", "))});
    bytes += chunk.chunk_bytes;
  }
  fmt::print("{}{} chunks, {}\n", table.text(), chunks.size(), human_bytes(static_cast<double>(bytes)));
  return exit_done;
}

int verify(const KvFlags& flags, const StopToken& stop) {
  const auto open = open_store(flags, /*read_only=*/false);
  if (!open) return report(open.error());
  const kv::VerifyReport found = (*open)->store->verify(stop);
  if (flags.json) {
    print_json(kv::to_json(found));
  } else {
    for (const kv::DamagedFile& file : found.damaged) fmt::print("damaged: {}: {}\n", file.path.string(), file.reason);
    fmt::print("{} files read, {}, {} damaged and removed\n", found.files,
               human_bytes(static_cast<double>(found.bytes)), found.removed);
  }
  if (!found.is_complete) return exit_interrupted;
  return found.damaged.empty() ? exit_done : exit_no;
}

int unpin(const KvFlags& flags) {
  const auto open = open_store(flags, /*read_only=*/false);
  if (!open) return report(open.error());
  const std::size_t pinned = (*open)->store->pinned(flags.owner).size();
  if (const auto done = (*open)->store->unpin_all(flags.owner); !done) return report(done.error());
  if (flags.json) print_json(Json::object({{"owner", flags.owner}, {"unpinned", pinned}}));
  else fmt::print("{} chunks may be evicted again\n", pinned);
  // Beside the plain store lies that of labelled prompts, which only an open vault can read.
  const std::filesystem::path sealed = (*open)->directory.string() + "-sealed";
  std::error_code ignored;
  if (std::filesystem::exists(sealed / kv::pins_file_name, ignored)) {
    fmt::print(stderr, "what is pinned of labelled prompts is not touched: with the vault open, hearth serve lets it "
                       "go (DELETE /v1/hearth/pins/{})\n", flags.owner);
  }
  return exit_done;
}

int collect(const KvFlags& flags) {
  const auto open = open_store(flags, /*read_only=*/false);
  if (!open) return report(open.error());
  const auto done = (*open)->store->gc();
  if (!done) return report(done.error());
  if (flags.json) {
    print_json(kv::to_json(*done));
  } else {
    fmt::print("{} freed: {} unreachable, {} over the budget, {} damaged, {} left-over files\n",
               human_bytes(static_cast<double>(done->bytes_freed)), done->unreachable_removed,
               done->evicted, done->damaged_removed, done->temporaries_removed);
  }
  return exit_done;
}

}  // namespace

Verb kv_verb(StopToken stop) {
  const auto flags = std::make_shared<KvFlags>();  // shared by the children
  const auto declare = [flags](Flags& f) {
    f.path("--store", flags->directory, "directory of the chunk store (default: in the cache directory)");
    f.toggle("--json", flags->json, "one JSON document");
  };
  return {.name = "kv",
          .summary = "the store of KV chunks: list, verify, clean up",
          .children = {{.name = "ls", .summary = "what is stored", .example = "hearth kv ls --json",
                        .declare = declare, .run = [flags] { return list(*flags); }},
                       {.name = "verify", .summary = "read every chunk, remove damaged ones; exit 1 if there were any",
                        .example = "hearth kv verify", .declare = declare,
                        .run = [flags, stop] { return verify(*flags, stop); }},
                       {.name = "gc", .summary = "remove what no prompt can use any more",
                        .example = "hearth kv gc --store-gb 50",
                        .declare = [flags, declare](Flags& f) {
                          declare(f);
                          f.big_count("--store-gb", flags->disk_gb, "also the least recently used beyond so many GB");
                        },
                        .run = [flags] { return collect(*flags); }},
                       {.name = "unpin", .summary = "let chunks go that are kept for somebody; hearth kv ls names them",
                        .example = "hearth kv unpin memory-1a2b3c4d5e6f",
                        .declare = [flags, declare](Flags& f) {
                          f.text("owner", flags->owner, "for whom they were pinned");
                          f.required();
                          declare(f);
                        },
                        .run = [flags] { return unpin(*flags); }}}};
}

}  // namespace hearth::cli
