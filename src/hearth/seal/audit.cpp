#include "hearth/seal/audit.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace hearth::seal {
namespace {

constexpr std::size_t key_bytes = 32;
constexpr std::array<std::string_view, 5> act_names = {"sent", "refused", "raised", "lowered", "checked"};

}  // namespace

std::string_view act_name(AuditAct act) { return act_names[static_cast<std::size_t>(act)]; }

Json to_json(const AuditRecord& record) {
  Json reasons = Json::array();
  for (const Reason& reason : record.clearance.decision.reasons) {
    reasons.push(Json::object({{"source", source_name(reason.source)},
                               {"label", label_name(reason.label)},
                               {"rule", reason.rule}}));
  }
  return Json::object({{"at_s", record.at_s},
                       {"act", act_name(record.act)},
                       {"conversation", record.clearance.conversation},
                       {"client", record.clearance.client},
                       {"label", label_name(record.clearance.decision.label)},
                       {"reasons", std::move(reasons)},
                       {"upstream", record.upstream},
                       {"host", record.host},
                       {"outcome", record.outcome},
                       {"bytes_out", record.bytes_out},
                       {"bytes_in", record.bytes_in},
                       {"body_digest", record.body_digest.hex()}});
}

Result<AuditLog> AuditLog::open(std::filesystem::path path, std::string key) {
  return AuditLog(TRY(ChainedLog::open(std::move(path), std::move(key))));
}

Digest256 audit_digest(std::string_view key, ByteSpan body) {
  return Blake2b().update_sized(key).update(body).finish();
}

Result<std::string> load_or_make_key(const std::filesystem::path& path) {
  auto known = read_text_file(path, key_bytes + 1);
  if (known && known->size() == key_bytes) return known;
  if (known) return fail(Code::corrupt, "the key " + path.string() + " is not 32 bytes long");
  if (known.error().code != Code::not_found) return known;
  std::string key(key_bytes, '\0');
  for (std::size_t done = 0; done < key.size();) {
    const ssize_t got = ::getrandom(key.data() + done, key.size() - done, 0);
    if (got < 0 && errno != EINTR) return fail(Code::unavailable, "the system gives no random bytes");
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  // Whoever comes second reads what the first made.
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("create", path, errno);
  if (::write(file.get(), key.data(), key.size()) != static_cast<ssize_t>(key.size()) || ::fsync(file.get()) != 0) {
    return fail_errno("write", path, errno);
  }
  return key;
}

}  // namespace hearth::seal
