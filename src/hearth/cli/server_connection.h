#pragma once
// A hearth serve to talk to: one that runs, or one of our own for a model file. Two ways to ask it:
// plainly, and so that the KV of what it reads is kept (docs/memory.md).

#include "hearth/cli/own_server.h"
#include "hearth/upstream/endpoint.h"

namespace hearth::cli {

struct ServerWish {
  std::string server;                // URL; without effect when there is a model
  std::filesystem::path model;
  std::vector<std::string> serve_flags;
  std::string label = "open";        // what is not open stays on this machine's server
  std::string session;               // name of the session
  std::string pin_owner;             // of what `pinned` reads; empty: nothing is kept
  std::string adapter{};             // one of the server's, by name
};

struct ServerConnection {
  std::unique_ptr<OwnServer> own;
  std::string server;                // URL
  std::unique_ptr<net::HttpClient> http, as_session, as_owner;
  std::unique_ptr<upstream::Endpoint> answers, pinned;
  std::string model;                 // with the adapter, if one is wished
  std::uint32_t window_tokens = 0;   // of prompts; 0: it does not tell

  // Waits until our own has loaded its model. unavailable when nobody answers; says what to do.
  static Result<ServerConnection> open(const ServerWish& wish, const StopToken& stop);
};

}  // namespace hearth::cli
