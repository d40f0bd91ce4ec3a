#pragma once
// What a request says about the kind of work it is. Each field is empty when the request does not say.
// Values; pure. docs/routes.md has the order in which they count.

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::route {

// In the order in which they count: the first that names a class decides.
enum class Signal : std::uint8_t { key, header, model, client, folder, marker, session, none };
std::string_view signal_name(Signal signal);

struct Signals {
  std::string key;          // the name that configuration gives the client's key, never the key
  std::string header;       // X-Hearth-Class
  std::string model;        // as the client wrote it
  std::string client;       // "claude-code", "codex", "opencode", ...
  std::string folder;       // where the client works: X-Hearth-Folder, or as its system prompt says
  std::string system_text;  // system messages joined; searched for markers, never kept
  std::string session;      // X-Hearth-Session-Label
};

// "claude-cli/2.1.330 (external, cli)" is "claude-code"; other programs by their first word.
std::string client_of_user_agent(std::string_view user_agent);
// What clients tell their model of where they work: "Working directory: /home/ann/book". Empty: nothing.
std::string folder_in_text(std::string_view system_text);
// A pattern with '*' for any text. Letters count as they are.
bool matches(std::string_view pattern, std::string_view text);
// `folder` is `rule` or lies below it. Both absolute; "." and ".." are resolved, links are not.
bool is_within(std::string_view folder, std::string_view rule);

}  // namespace hearth::route
