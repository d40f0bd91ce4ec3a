#pragma once
// What is written down about every piece of work that left the house, was kept from leaving, or had
// its label changed: who, which label and why, where to, how much. Never a word of the work itself:
// a record has no field for text, and digests are keyed. docs/seal.md, "the audit log".

#include <string>

#include "hearth/base/json.h"
#include "hearth/seal/chained_log.h"
#include "hearth/seal/clearance.h"

namespace hearth::seal {

enum class AuditAct : std::uint8_t {
  sent,      // went out, as far as bytes_out says
  refused,   // was not let out
  raised,    // a conversation's label rose
  lowered,   // somebody typed that it should fall
  checked,   // a seal check ran
};
std::string_view act_name(AuditAct act);

struct AuditRecord {
  std::int64_t at_s = 0;  // since 1970
  AuditAct act = AuditAct::refused;
  Clearance clearance;
  std::string upstream;    // its name in the configuration
  std::string host;        // that answered
  std::string outcome;     // "200", "label", "no answer"; a word, not an error message
  std::uint64_t bytes_out = 0, bytes_in = 0;
  Digest256 body_digest;   // audit_digest(): keyed, so that nobody can try guesses against it
};

Json to_json(const AuditRecord& record);

class AuditSink {
 public:
  virtual ~AuditSink() = default;
  // When this fails, what was to be recorded must not happen.
  virtual Result<> append(const AuditRecord& record) = 0;
};

class AuditLog final : public AuditSink {
 public:
  static Result<AuditLog> open(std::filesystem::path path, std::string key);
  Result<> append(const AuditRecord& record) override { return log_.append(to_json(record)); }
  const ChainHead& head() const { return log_.head(); }

 private:
  explicit AuditLog(ChainedLog log) : log_(std::move(log)) {}
  ChainedLog log_;
};

Digest256 audit_digest(std::string_view key, ByteSpan body);

// The key of this machine's records, 32 random bytes in a file of mode 0600; made on first use.
Result<std::string> load_or_make_key(const std::filesystem::path& path);

}  // namespace hearth::seal
