// hearth node probe: measures this machine, and writes what the planner reads.

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <span>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/model_source.h"
#include "hearth/cli/plan_files.h"
#include "hearth/cli/probe_links.h"
#include "hearth/cli/probe_report.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/synth_model.h"
#include "hearth/cli/verbs.h"
#include "hearth/node/pool/rpc_server.h"
#include "hearth/plan/catalog/own_entries.h"
#include "hearth/plan/cost/formulas.h"
#include "hearth/plan/cost/shape_card.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t text_bytes_max = 16u << 20;
constexpr std::uint32_t deepest_tokens_max = 1u << 20;

struct ProbeFlags {
  std::vector<std::string> models;
  std::string name;
  std::string device = "auto";
  std::filesystem::path to;
  std::filesystem::path cluster;
  std::uint32_t repetitions = 3;
  std::uint32_t looks = 2;
  std::uint32_t deepest_tokens = node::usual_depth_tokens;
  std::uint32_t threads = 0;
  bool lent = false;
  bool json = false;
};

std::string now_text() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

// Small models of three architectures, made once.
Result<std::vector<std::string>> synthetic_models(Progress& progress, const StopToken& stop) {
  const std::filesystem::path directory = TRY(cache_directory()) / "models";
  TRY(real_file_system()->create_directories(directory));
  std::vector<std::string> out;
  for (const std::string architecture : {"kimi", "qwen3moe", "llama"}) {
    SynthModelOptions options{.architecture = architecture, .size = "small", .weights = "random"};
    options.output = directory / fmt::format("{}-small-random-q8_0.gguf", architecture);
    std::error_code ignored;
    if (!std::filesystem::exists(options.output, ignored)) TRY(make_model(options, progress, stop));
    out.push_back(options.output.string());
  }
  return out;
}

// `lender`: where the layers shall lie, when the machine is probed as one that lends its memory.
Result<ProbedModel> probe_one(const std::string& file, const ProbeFlags& flags,
                              const node::RpcServer* lender, const plan::Catalog& catalog,
                              Progress& progress, const StopToken& stop) {
  ProbedModel out;
  out.file = file;
  const auto files = TRY(model::load_model_files(file));
  const auto shape = TRY(model::read_shape(files));
  out.card = TRY(plan::card_of_shape(shape, catalog, files.shards.front().path.stem().string()));
  node::ModelProbeOptions options = node::reaching(flags.deepest_tokens);
  options.repetitions = flags.repetitions;
  node::LocalRunOptions local;
  local.worker_executable = TRY(find_worker_executable());
  local.worker.model_path = file;
  local.worker.context_tokens = node::context_for(options);
  local.worker.sequences = 1;  // what others hold in the cache would be looked at too, and slow a fresh prompt
  local.worker.device = flags.device;
  local.worker.threads = flags.threads;
  local.prefill_worker = lender == nullptr;
  if (lender) {
    const auto running = TRY(lender->running());
    local.worker.remote.push_back({.endpoint = running.address.text(), .layers = shape.layers});
  }
  const std::string name = std::filesystem::path(file).filename().string();
  node::LocalRun::Callbacks callbacks;
  callbacks.progress = [&](std::string_view what, double fraction) {
    if (what == "prefill") return;  // many short ones
    progress.update(fmt::format("{}: {}", name, what), fraction);
  };
  const auto run = TRY(node::LocalRun::start(local, callbacks, stop));
  out.backend = run->info().backend;
  out.probe = TRY(node::probe_model(
      *run, options, [&](double done) { progress.update("timing " + name, done); }, stop));
  return out;
}

Result<std::vector<ProbedModel>> look_at(const std::vector<std::string>& models, const ProbeFlags& flags,
                                         const node::RpcServer* lender, const plan::Catalog& catalog,
                                         Progress& progress, const StopToken& stop) {
  std::vector<ProbedModel> out;
  for (const std::string& model : models) {
    ProbedModel one = TRY(probe_one(model, flags, lender, catalog, progress, stop));
    out.push_back(std::move(one));
  }
  return out;
}

Result<Probe> probe_machine(const ProbeFlags& flags, const plan::Catalog& catalog,
                            Progress& progress, const StopToken& stop) {
  Probe out;
  out.date = now_text();
  out.lent = flags.lent;
  out.facts = node::machine_facts();
  if (!flags.name.empty()) out.facts.name = flags.name;
  else if (flags.lent) out.facts.name += "-lent";
  if (!flags.lent) out.links = TRY(probe_links(flags.cluster, progress, stop));
  progress.update("reading memory", 0);
  out.bandwidth_gb_s = TRY(node::measure_memory_bandwidth(out.facts, {}, stop));
  std::vector<std::string> models = flags.models;
  if (models.empty()) models = TRY(synthetic_models(progress, stop));
  std::unique_ptr<node::RpcServer> lender;
  if (flags.lent) {
    const auto worker = TRY(find_worker_executable());
    lender = TRY(node::RpcServer::start(
        {.worker_executable = worker, .device = flags.device, .threads = flags.threads}, stop));
  }
  progress.update("reading storage", 0);
  out.storage_gb_s = TRY(node::measure_storage(models.front(), {}, stop));
  out.models = TRY(look_at(models, flags, lender.get(), catalog, progress, stop));
  for (std::uint32_t look = 1; look < flags.looks; ++look) {  // minutes later
    const auto again = TRY(look_at(models, flags, lender.get(), catalog, progress, stop));
    for (std::size_t i = 0; i < models.size(); ++i) {
      out.models[i].probe = node::faster_of(out.models[i].probe, again[i].probe);
    }
  }
  return out;
}

// Runs of other models, and links that were not measured now, that an earlier probe of this machine left in `path`.
struct EarlierEntries {
  std::vector<plan::OwnRun> runs;
  std::vector<plan::Link> links;
};
EarlierEntries earlier_entries(const std::filesystem::path& path, const Probe& probe,
                               std::span<const plan::Link> links) {
  const auto text = read_text_file(path, text_bytes_max);
  if (!text) return {};
  const plan::CatalogFile file{path.string(), *text};
  auto earlier = plan::load_catalog(std::span(&file, 1));
  if (!earlier) return {};
  std::erase_if(earlier->runs, [&](const plan::OwnRun& run) {
    return run.hardware != probe.facts.name ||
           std::ranges::any_of(probe.models, [&](const ProbedModel& model) {
             return run.architecture == model.card.architecture &&
                    run.weights_bytes == plan::total_bytes(model.card);
           });
  });
  std::erase_if(earlier->links, [&](const plan::Link& link) {
    return !link.probed || std::ranges::find(links, link.key, &plan::Link::key) != links.end();
  });
  return {std::move(earlier->runs), std::move(earlier->links)};
}

Result<> probe(const ProbeFlags& flags, const StopToken& stop) {
  if (flags.repetitions == 0) {
    return fail(Code::invalid_argument, "--repetitions: 0 measures nothing, give at least 1");
  }
  if (flags.looks == 0) return fail(Code::invalid_argument, "--looks: 0 measures nothing, give at least 1");
  if (flags.deepest_tokens < node::usual_depth_tokens || flags.deepest_tokens > deepest_tokens_max) {
    return fail(Code::invalid_argument, fmt::format("--deepest: {} tokens; {} to {} are expected", flags.deepest_tokens,
                                                    node::usual_depth_tokens, deepest_tokens_max));
  }
  std::filesystem::path path = flags.to;
  if (path.empty()) path = TRY(flags.lent ? lent_probe_path() : probe_path());
  const auto catalog = TRY(load_catalog_with({}));
  Progress progress;
  const Probe found = TRY(probe_machine(flags, catalog, progress, stop));
  progress.clear();
  std::vector<plan::OwnRun> runs = runs_of(found);
  std::vector<plan::Link> links = links_of(found);
  EarlierEntries earlier = earlier_entries(path, found, links);
  for (plan::OwnRun& run : earlier.runs) runs.push_back(std::move(run));
  for (plan::Link& link : earlier.links) links.push_back(std::move(link));
  const std::string text = plan::own_entries_toml(machine_of(found), runs, links);
  // A file that the planner would refuse is our mistake; better said here than there.
  const plan::CatalogFile file{path.string(), text};
  TRY(plan::load_shipped(std::span(&file, 1)));
  const auto files = real_file_system();
  if (path.has_parent_path()) TRY(files->create_directories(path.parent_path()));
  const ByteSpan bytes = as_byte_span(text);
  TRY(files->write_atomically(path, std::span(&bytes, 1), Durability::survives_power_loss));
  const std::string shown =
      flags.json ? dump_json(probe_json(found, path), 2) + "\n" : probe_text(found, path);
  std::fputs(shown.c_str(), stdout);
  return {};
}

}  // namespace

Verb probe_verb(StopToken stop) {
  const auto own = std::make_shared<ProbeFlags>();  // shared by declare and run
  return {.name = "probe",
          .summary = "measure memory, storage, links and the engine on this machine; the planner reads it",
          .example = "hearth node probe --model Kimi-K2.6-UD-Q4_K_XL-00001-of-00013.gguf",
          .declare =
              [own](Flags& flags) {
                flags.list("--model", own->models,
                           "GGUF file to time; else three small ones that are made");
                flags.text("--name", own->name, "what cluster files call this machine (host name)");
                flags.text("--device", own->device, "auto, cpu, or a device's name");
                flags.count("--threads", own->threads, "0: one per core");
                flags.count("--repetitions", own->repetitions, "of each measurement");
                flags.count("--looks", own->looks, "at each model, minutes apart; the faster counts, point by point");
                flags.count("--deepest", own->deepest_tokens,
                            "tokens of the deepest context to time; beyond it predictions go on in a line");
                flags.toggle("--lent", own->lent,
                             "as a machine that lends its memory to others: all layers behind its RPC server");
                flags.path("--dir", own->cluster,
                           "the cluster's folder, whose machines the links go to (default: cluster in the "
                           "configuration directory)");
                flags.path("--to", own->to, "file to write; else where the planner looks");
                flags.toggle("--json", own->json, "one JSON document");
              },
          .run =
              [own, stop] {
                const auto done = probe(*own, stop);
                return done ? exit_done : report(done.error());
              },
          .children = {}};
}

}  // namespace hearth::cli
