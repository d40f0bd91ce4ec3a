// hearth model pull: a model from a web server to this disk.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/check/lock.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/fetch/pull.h"

namespace hearth::cli {
namespace {

struct PullFlags {
  std::string what;
  std::filesystem::path folder = ".";
  std::filesystem::path lock = "hearth.lock";
  std::string host = "https://huggingface.co", revision = "main";
  std::vector<std::string> sha256;
  std::uint32_t connections = 4;
  std::uint64_t size_max_gb = 4'000;
  bool json = false;
};

struct Source {
  std::string url;
  std::vector<Digest256> sha256;  // of the lock; empty: what the host says
};

// A model of the lock, by path, file name or URL; its digests then are what the files must be.
Result<std::optional<Source>> find_in_lock(const PullFlags& flags) {
  std::error_code ignored;
  if (!std::filesystem::exists(flags.lock, ignored)) return std::nullopt;
  const auto lock = TRY(check::parse_lock(TRY(read_text_file(flags.lock, check::lock_bytes_max)), flags.lock.string()));
  for (const check::LockedModel& model : lock.models) {
    const bool is_it = model.url == flags.what || &model == lock.find_model(flags.what);
    if (!is_it) continue;
    if (model.url.empty()) {
      return fail(Code::not_found,
                  fmt::format("{} pins {} without a URL; pin it with hearth check --model FILE=URL --pin",
                              flags.lock.string(), model.path));
    }
    Source out{.url = model.url, .sha256 = {}};
    for (const check::LockedShard& shard : model.shards) {
      if (shard.sha256) out.sha256.push_back(*shard.sha256);
    }
    if (out.sha256.size() != model.shards.size()) out.sha256.clear();
    return out;
  }
  return std::nullopt;
}

Result<Source> find_source(const PullFlags& flags) {
  Source out;
  if (auto pinned = TRY(find_in_lock(flags))) out = *std::move(pinned);
  else if (net::is_url(flags.what)) out.url = flags.what;
  else out.url = TRY(fetch::url_of_name(flags.what, flags.host, flags.revision));
  if (flags.sha256.empty()) return out;
  out.sha256.clear();
  for (const std::string& hex : flags.sha256) out.sha256.push_back(TRY(Digest256::parse(hex)));
  return out;
}

Result<std::vector<fetch::Downloaded>> pull(const PullFlags& flags, const StopToken& stop) {
  const Source source = TRY(find_source(flags));
  fetch::PullOptions options;
  options.download.connections = flags.connections;
  options.bytes_max = flags.size_max_gb * 1'000'000'000;
  options.sha256 = source.sha256;
  Progress progress(flags.json);
  options.progress = [&](std::string_view file, std::uint64_t done, std::uint64_t total) {
    progress.update(fmt::format("{}, {} of {}", file, human_bytes(static_cast<double>(done)),
                                human_bytes(static_cast<double>(total))),
                    static_cast<double>(done) / static_cast<double>(total));
  };
  TRY(real_file_system()->create_directories(flags.folder));
  const auto http = net::make_curl_client();
  const auto plan = TRY(fetch::plan_pull(*http, source.url, flags.folder, options, stop));
  return fetch::pull(*http, plan, flags.folder, options, stop);
}

int run(const PullFlags& flags, const StopToken& stop) {
  const auto done = pull(flags, stop);
  if (!done) {
    return done.error().code == Code::cancelled ? (report(done.error()), static_cast<int>(exit_interrupted))
                                                : report(done.error());
  }
  Json files = Json::array();
  for (const fetch::Downloaded& one : *done) {
    files.push(Json::object({{"file", one.file.string()}, {"bytes", one.bytes}, {"fetched_bytes", one.fetched_bytes},
                             {"sha256", one.sha256.hex()}, {"checked", one.was_checked}}));
    if (flags.json) continue;
    fmt::print("{}: {}, {}, SHA-256 {}{}\n", one.file.string(), human_bytes(static_cast<double>(one.bytes)),
               one.fetched_bytes == 0 ? "was there"
                                      : human_bytes(static_cast<double>(one.fetched_bytes)) + " fetched",
               one.sha256.hex(), one.was_checked ? ", as promised" : "; nobody says what it should be");
  }
  if (flags.json) std::puts(dump_json(Json::object({{"files", std::move(files)}}), 2).c_str());
  return exit_done;
}

}  // namespace

Verb model_pull_verb(StopToken stop) {
  const auto flags = std::make_shared<PullFlags>();  // shared by declare and run
  return {
      .name = "pull",
      .summary = "download a model: all shards, in parallel, going on where it was interrupted, checked",
      .example =
          "hearth model pull unsloth/Kimi-K2.6-GGUF/UD-Q4_K_XL/Kimi-K2.6-UD-Q4_K_XL-00001-of-00013.gguf --to "
          "/models",
      .declare =
          [flags](Flags& f) {
            f.text(
                "what", flags->what,
                "URL of a GGUF file or of any shard, a model of hearth.lock, or OWNER/REPOSITORY/FILE.gguf");
            f.required();
            f.path("--to", flags->folder, "folder to put it in");
            f.path("--lock", flags->lock, "file with pinned models");
            f.text("--host", flags->host, "where OWNER/REPOSITORY/FILE is");
            f.text("--revision", flags->revision, "branch, tag or commit there");
            f.list("--sha256", flags->sha256,
                   "what each file must be, in order (the lock's, else what the host says)");
            f.count("--connections", flags->connections, "parts fetched at once");
            f.big_count("--size-max-gb", flags->size_max_gb, "refuse more than that");
            f.toggle("--json", flags->json, "one JSON document");
          },
      .run = [flags, stop] { return run(*flags, stop); },
      .children = {}};
}

}  // namespace hearth::cli
