// hearth check: is everything as it should be before anything large starts?

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "hearth/base/check.h"
#include "hearth/base/file.h"
#include "hearth/check/sweep.h"
#include "hearth/cli/check_peers.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/routing_setup.h"
#include "hearth/cli/service_spec.h"
#include "hearth/cli/smoke_server.h"
#include "hearth/cli/verbs.h"

namespace hearth::cli {
namespace {

struct CheckFlags {
  std::vector<std::string> models;  // PATH or PATH=URL
  std::vector<std::string> services;
  std::filesystem::path lock = "hearth.lock";
  std::filesystem::path cluster;
  std::uint32_t readers = 4;
  bool pin = false, pin_missing = false, no_smoke = false, no_digests = false, known_good = false, json = false;
};

struct Plan {
  check::Wanted wanted;
  std::vector<upstream::EndpointSpec> services;
  std::optional<check::Lock> lock;
};

Result<std::optional<check::Lock>> read_lock(const CheckFlags& flags) {
  std::error_code ignored;
  if (!std::filesystem::exists(flags.lock, ignored)) return std::nullopt;
  const std::string text = TRY(read_text_file(flags.lock, check::lock_bytes_max));
  return TRY(check::parse_lock(text, flags.lock.string()));
}

// What flags name, else what is pinned.
Result<Plan> make_plan(const CheckFlags& flags) {
  Plan out;
  out.lock = TRY(read_lock(flags));
  out.wanted.digests = !flags.no_digests;
  out.wanted.readers = flags.readers;
  for (const std::string& model : flags.models) {
    const std::size_t equals = model.find("=http");
    out.wanted.models.push_back(model.substr(0, equals));
    if (equals != std::string::npos) out.wanted.model_urls[model.substr(0, equals)] = model.substr(equals + 1);
  }
  for (const std::string& service : flags.services) out.services.push_back(TRY(parse_service(service)));
  if (!out.lock) return out;
  for (const check::LockedModel& model : out.lock->models) {
    if (flags.models.empty()) out.wanted.models.push_back(model.path);
    const bool is_wanted = std::ranges::find(out.wanted.models, std::filesystem::path(model.path)) != out.wanted.models.end();
    if (is_wanted && !model.url.empty()) out.wanted.model_urls.try_emplace(model.path, model.url);
  }
  for (const check::LockedEndpoint& endpoint : out.lock->endpoints) {
    if (flags.services.empty()) out.services.push_back(TRY(parse_service(endpoint.kind + "=" + endpoint.url)));
  }
  return out;
}

void smoke_service(const upstream::EndpointSpec& spec, const std::string& key, bool known_good, net::HttpClient& http, check::Facts& facts, const StopToken& stop) {
  const auto endpoint = upstream::make_endpoint(spec, key, http);
  CHECK(endpoint.has_value());  // parse_service checked it
  check::SmokeOptions options;
  if (known_good) options.known = known_answer();
  facts.smokes.push_back(check::smoke(**endpoint, options, stop));
  if (spec.kind != upstream::Kind::llama_server || !facts.smokes.back().state.alive) return;
  facts.templates.push_back(check::gather_template(http, net::parse_url(spec.url).value(), key, Deadline::after(std::chrono::seconds(30)), stop));
}

// This machine's own engine, and whatever else answers. What cannot even be tried is a finding.
void smoke_all(const CheckFlags& flags, const Plan& plan, net::HttpClient& http, Progress& progress, check::Facts& facts,
               check::Findings& findings, const StopToken& stop) {
  for (const upstream::EndpointSpec& spec : plan.services) {
    facts.endpoints.push_back({std::string(upstream::kind_name(spec.kind)), spec.url});
    progress.update("asking " + spec.name, 0);
    const auto key = read_upstream_key(spec);
    if (!key) {
      findings.push_back({"endpoint.key", check::Severity::blocks, key.error().message, "set that variable, or leave out ,key="});
      continue;
    }
    smoke_service(spec, *key, flags.known_good, http, facts, stop);
  }
  if (flags.no_smoke) return;
  progress.update("trying this machine's engine", 0);
  const auto server = start_smoke_server(progress, stop);
  if (!server) {
    findings.push_back({"smoke.engine", check::Severity::blocks, server.error().message, "see what hearth demo says"});
    return;
  }
  auto spec = parse_service("hearth=" + (*server)->url());
  CHECK(spec.has_value());
  spec->name = "this-machine";
  smoke_service(*spec, "", /*known_good=*/true, http, facts, stop);
  facts.smokes.back().state.build.clear();  // in the versions by another way, under no passing address
  facts.smokes.back().state.model.clear();
}

// `pins`: the lock is to be written from `facts`.
Result<check::Findings> run_check(const CheckFlags& flags, Progress& progress, check::Facts& facts, bool& pins, const StopToken& stop) {
  Plan plan = TRY(make_plan(flags));
  const auto http = net::make_curl_client();
  auto memory = fetch::DigestMemory::open(TRY(cache_directory()) / "digests");
  facts = check::gather(plan.wanted, *http, memory,
                        [&](std::uint64_t done, std::uint64_t total) {
                          progress.update("reading models", static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(total, 1)));
                        },
                        stop);
  facts.versions = TRY(engine_versions(stop));
  facts.versions["hearth"] = HEARTH_VERSION;
  facts.peers = TRY(gather_peers(TRY(cluster_directory(flags.cluster)), stop));
  check::Findings findings;
  smoke_all(flags, plan, *http, progress, facts, findings, stop);
  progress.clear();
  if (stop.stop_requested()) return fail(Code::cancelled, "interrupted; digests that were computed are kept");
  // A lock that is there is what all is held to: only --pin replaces it.
  pins = flags.pin || (flags.pin_missing && !plan.lock);
  if (pins) plan.lock = check::pin(facts);
  check::append(findings, check::findings_of(facts, plan.lock ? &*plan.lock : nullptr));
  return findings;
}

Result<> write_lock(const CheckFlags& flags, const check::Facts& facts) {
  const auto old = read_lock(flags);
  const check::Lock fresh = check::pin(facts);
  const std::string text = check::lock_text(fresh);
  const ByteSpan bytes = as_byte_span(text);
  TRY(real_file_system()->write_atomically(flags.lock, std::span(&bytes, 1), Durability::survives_power_loss));
  if (flags.json) return {};
  const std::string diff = check::lock_diff(old && *old ? **old : check::Lock(), fresh);
  fmt::print("{}pinned in {}: {} versions, {} models, {} links, {} services\n", diff, flags.lock.string(), fresh.versions.size(),
             fresh.models.size(), fresh.links.size(), fresh.endpoints.size());
  return {};
}

int run(const CheckFlags& flags, const StopToken& stop) {
  Progress progress(flags.json);
  check::Facts facts;
  bool pins = false;
  const auto findings = run_check(flags, progress, facts, pins, stop);
  progress.clear();
  if (!findings) return report(findings.error());
  const bool is_good = check::nothing_blocks(*findings);
  if (flags.json) std::puts(dump_json(check::findings_json(*findings), 2).c_str());
  else std::fputs(check::findings_text(*findings).c_str(), stdout);
  if (!pins) return is_good ? exit_done : exit_no;
  if (!is_good) {
    std::fputs("hearth: not pinned: what blocks must be mended first\n", stderr);
    return exit_no;
  }
  const auto written = write_lock(flags, facts);
  return written ? exit_done : report(written.error());
}

}  // namespace

Verb check_verb(StopToken stop) {
  const auto flags = std::make_shared<CheckFlags>();  // shared by declare and run
  return {.name = "check",
          .summary = "is all as it should be: versions, models, machine, peers, services; exit 1 when something blocks",
          .example = "hearth check --model kimi-00001-of-00013.gguf --service llama-server=http://127.0.0.1:8080 --pin",
          .declare =
              [flags](Flags& f) {
                f.list("--model,-m", flags->models, "GGUF file or any shard of one, or FILE=URL to see that it can be downloaded again (those of the lock)");
                f.list("--service", flags->services, "KIND=URL of something that answers: hearth, llama-server, exo, mlx, openai (those of the lock)");
                f.toggle("--known-good", flags->known_good, "those services run a model of hearth model synth: its answers are known");
                f.path("--lock", flags->lock, "file with what is pinned");
                f.toggle("--pin", flags->pin, "write that file from what is there, if nothing blocks");
                f.toggle("--pin-missing", flags->pin_missing, "the same if there is no such file; one that is there is held to");
                f.path("--cluster-dir", flags->cluster, "the cluster's folder (cluster in the configuration directory)");
                f.count("--readers", flags->readers, "model files read at once for their digests");
                f.toggle("--no-digests", flags->no_digests, "do not read the models through");
                f.toggle("--no-smoke", flags->no_smoke, "do not try this machine's engine");
                f.toggle("--json", flags->json, "one JSON document");
              },
          .run = [flags, stop] { return run(*flags, stop); },
          .children = {}};
}

}  // namespace hearth::cli
