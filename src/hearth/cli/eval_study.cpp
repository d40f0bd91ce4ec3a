#include "hearth/cli/eval_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "hearth/cli/environment.h"
#include "hearth/cli/vault_texts.h"
#include "hearth/eval/blind/blind_map.h"
#include "hearth/eval/sandbox/sandbox.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t arms_bytes_max = 1u << 20;
constexpr std::string_view place_file = "study.json";

// Which collection of the vault a study's texts are sealed under: an event, so that it moves with the file.
constexpr std::string_view vault_event = "vault";
constexpr std::size_t collection_digits = 32;

// The first one counts, whoever wrote others at the same moment.
Result<std::string> collection_of(const store::StudyStore& records) {
  for (const store::EventRecord& event : TRY(records.events())) {
    if (event.kind != vault_event) continue;
    const Json body = TRY(parse_json(event.body));
    return get<std::string>(body, "collection");
  }
  return std::string();
}

Result<> use_vault(OpenStudy& study) {
  std::string collection = TRY(collection_of(*study.records));
  const bool has_denied = std::ranges::any_of(study.suite.items, [](const eval::Item& item) { return item.egress == eval::Egress::deny; });
  if (collection.empty() && !has_denied) return {};
  if (collection.empty()) {
    const std::string random = TRY(eval::secure_nonce());
    const Json body = Json::object({{"collection", "eval-" + random.substr(0, collection_digits)}});
    TRY(study.records->add_event({.kind = std::string(vault_event), .body = dump_json(body), .at_s = now_seconds()}));
    collection = TRY(collection_of(*study.records));
  }
  study.records->set_cipher(make_text_cipher(std::move(collection)));
  return {};
}

// Before anything is made: what people wrote may be wrong.
Result<OpenStudy> read_inputs(const StudyPlace& place) {
  OpenStudy out{.place = place, .suite = {}, .file = {}, .records = {}, .lock = {}};
  const std::string toml = TRY(read_text_file(place.arms, arms_bytes_max));
  out.file = TRY(eval::parse_arms(toml, place.arms.string()));
  out.suite = TRY(eval::open_suite(place.suite));
  return out;
}

Result<> open_records(OpenStudy& study) {
  store::StudyStore records = TRY(store::StudyStore::open(study.place.folder / "study.db"));
  study.records = std::make_unique<store::StudyStore>(std::move(records));
  return use_vault(study);
}

}  // namespace

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Result<OpenStudy> begin_study(const StudyPlace& place) {
  if (place.arms.empty())
    return fail(Code::invalid_argument, "--arms: expected the arms file, for example --arms arms.toml");
  StudyPlace absolute = place;
  absolute.folder = std::filesystem::absolute(place.folder);
  absolute.arms = std::filesystem::absolute(place.arms);
  if (!place.suite.empty()) absolute.suite = std::filesystem::absolute(place.suite);
  const std::unique_ptr<FileSystem> files = real_file_system();
  OpenStudy out = TRY(read_inputs(absolute));
  TRY(files->create_directories(absolute.folder));
  out.lock = TRY(claim_records(absolute.folder));
  TRY(open_records(out));
  const std::string text =
      dump_json(Json::object({{"suite", absolute.suite.string()}, {"arms", absolute.arms.string()}}), 2) + "\n";
  const ByteSpan parts[] = {as_byte_span(text)};
  TRY(files->write_atomically(absolute.folder / place_file, parts, Durability::survives_process));
  return out;
}

Result<OpenStudy> reopen_study(const std::filesystem::path& folder) {
  const auto text = read_text_file(folder / place_file, arms_bytes_max);
  if (!text)
    return fail(Code::not_found,
                fmt::format("{} is no study: it has no {}; expected the folder of hearth eval run (--study)",
                            folder.string(), place_file));
  const Json json = TRY(parse_json(*text));
  StudyPlace place{.folder = std::filesystem::absolute(folder)};
  place.suite = TRY(get<std::string>(json, "suite"));
  place.arms = TRY(get<std::string>(json, "arms"));
  OpenStudy out = TRY(read_inputs(place));
  TRY(open_records(out));
  return out;
}

StudyMachine::StudyMachine(OpenStudy& study)
    : study_(study), files_(real_file_system()) {}
StudyMachine::~StudyMachine() = default;

Result<> StudyMachine::prepare() {
  for (const eval::Item& item : study_.suite.items) {
    if (eval::grader_kind(item.grader) != "code") continue;
    const auto launcher = TRY(find_sandbox_executable());
    eval::Sandbox sandbox = TRY(eval::Sandbox::open(launcher));
    sandbox_ = std::make_unique<eval::Sandbox>(std::move(sandbox));
    break;
  }
  return {};
}

eval::StudyParts StudyMachine::parts() {
  return {.folder = study_.place.folder,
          .suite = study_.suite,
          .file = study_.file,
          .records = *study_.records,
          .files = *files_,
          .sandbox = sandbox_.get(),
          .connect = [this](const upstream::EndpointSpec& spec,
                            eval::Egress least) { return services_.connect(spec, least); },
          .now_s = now_seconds,
          .nonce = eval::secure_nonce};
}

}  // namespace hearth::cli
