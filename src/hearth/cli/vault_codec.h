#pragma once
// How sealed sessions are written: each record encrypted under the session's own key, which the vault
// keeps, and vouched for with its session and place. Without an open vault nothing is read or written.
// docs/sessions.md.

#include "hearth/session/session_shelf.h"

namespace hearth::cli {

inline constexpr std::string_view vault_codec_name = "vault";

// Connects to the open vault when a record first needs it.
std::unique_ptr<session::RecordCodec> make_vault_codec();

}  // namespace hearth::cli
