#pragma once
// The memory that a flag names: a plain folder, or one of the vault (vault_memory.h).

#include "hearth/cli/vault_memory.h"
#include "hearth/session/session.h"

namespace hearth::cli {

// As a session's facts have it: "vault:NAME", or a folder's whole path. Without a choice the usual folder;
// empty: there is none.
Result<std::string> memory_name(const std::filesystem::path& chosen);
// `make`: one of the vault begins where there is none.
Result<std::unique_ptr<session::MemoryPlace>> open_memory(const std::string& name, bool make = false);
// unavailable while the vault is locked.
Result<std::unique_ptr<VaultMemory>> open_vault_memory(const std::string& name, bool make = false);
// permission: memory of the vault in a session whose file is plain.
Result<> check_memory_label(const std::string& name, const std::string& label);
// Under which the server keeps the KV of a session's memory: one name for each memory and adapter.
std::string memory_pin_owner(const session::SessionFacts& facts);

}  // namespace hearth::cli
