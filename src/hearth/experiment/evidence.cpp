#include "hearth/experiment/evidence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "hearth/base/sha256.h"

namespace hearth::experiment {
namespace {

namespace fs = std::filesystem;

fs::path journal_path(const fs::path& folder) { return folder / "journal.ndjson"; }

Result<> write_durably(const fs::path& file, std::string_view text) {
  const ByteSpan bytes = as_byte_span(text);
  return real_file_system()->write_atomically(file, std::span(&bytes, 1), Durability::survives_power_loss);
}

// A crash in the middle of a line leaves half of one: the next would be added to it.
Result<> cut_half_line(const fs::path& file, const FileDescriptor& journal) {
  const std::string text = TRY(read_text_file(file, journal_bytes_max));
  const std::size_t whole = text.empty() || text.back() == '\n' ? text.size() : text.rfind('\n') + 1;
  if (whole == text.size()) return {};
  if (::ftruncate(journal.get(), static_cast<off_t>(whole)) != 0) return fail_errno("cut", file, errno);
  return {};
}

}  // namespace

Result<Evidence> Evidence::open(const fs::path& folder, std::string_view design_text) {
  TRY(real_file_system()->create_directories(folder));
  const fs::path file = journal_path(folder);
  FileDescriptor journal(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!journal.valid()) return fail_errno("open", file, errno);
  if (::flock(journal.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::unavailable, fmt::format("another process runs the experiment in {}", folder.string()));
  }
  TRY(cut_half_line(file, journal));
  if (!fs::exists(folder / "experiment.toml")) TRY(write_durably(folder / "experiment.toml", design_text));
  return Evidence(folder, std::move(journal));
}

Result<> Evidence::append(const Event& event) {
  const std::string line = dump_json(event_json(event)) + "\n";
  const ssize_t written = ::write(journal_.get(), line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) return fail_errno("write", journal_path(folder_), written < 0 ? errno : ENOSPC);
  if (::fsync(journal_.get()) != 0) return fail_errno("sync", journal_path(folder_), errno);
  return {};
}

Result<> Evidence::write(const fs::path& file, std::string_view text) {
  TRY(real_file_system()->create_directories(file.parent_path()));
  return write_durably(file, text);
}

Result<std::vector<Event>> read_journal(const fs::path& folder) {
  std::vector<Event> out;
  const auto text = read_text_file(journal_path(folder), journal_bytes_max);
  if (!text && text.error().code == Code::not_found) return out;
  if (!text) return std::unexpected(text.error());
  for (std::size_t begin = 0;;) {
    const std::size_t end = text->find('\n', begin);
    if (end == std::string::npos) return out;
    out.push_back(TRY(parse_event(std::string_view(*text).substr(begin, end - begin))));
    begin = end + 1;
  }
}

Result<Results> read_results(const fs::path& folder, const Design& design, const Course& course) {
  Results out;
  for (std::size_t p = 0; p < design.phases.size(); ++p) {
    const PhaseDesign& phase = design.phases[p];
    for (std::size_t s = 0; s < phase.steps.size(); ++s) {
      const StepStatus& status = course.phases()[p].steps[s];
      if (status.state != StepState::done && status.state != StepState::failed) continue;
      const fs::path file = folder / phase.name / phase.steps[s].name / "result.json";
      const std::string text = TRY(read_text_file(file, result_bytes_max));
      if (sha256(as_byte_span(text)).hex() != status.digest) {
        return fail(Code::corrupt, fmt::format("{} is not what the step had said: it was changed after it was measured", file.string()));
      }
      auto document = parse_json(text);
      out.emplace(phase.steps[s].name, document ? *std::move(document) : Json());
    }
  }
  return out;
}

}  // namespace hearth::experiment
