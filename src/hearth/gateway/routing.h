#pragma once
// From a request to the question where it goes: signals, conversation, label. And what a gateway needs to
// follow the answer. docs/routes.md. Everything here is thread-safe.

#include <string>

#include "hearth/gateway/access.h"
#include "hearth/route/router.h"
#include "hearth/seal/clearance.h"
#include "hearth/upstream/fleet.h"

namespace hearth::gateway {

struct LabelAsk {
  const net::Request& http;
  const ChatRequest& request;
  const route::Signals& signals;
  std::string conversation, client;
};

// Finds the label of a request, and remembers it for its conversation: labels stick and only rise.
class Labeller {
 public:
  virtual ~Labeller() = default;
  // permission: the request asks for less than its conversation has. Whatever goes wrong otherwise is sealed.
  virtual ApiResult<seal::LabelDecision> label(const LabelAsk& ask) = 0;
};

// By the header X-Hearth-Label and the conversation alone.
std::unique_ptr<Labeller> make_header_labeller();

// All outlive the gateway. `conversation_key` makes digests that nobody can guess a text by.
struct Routing {
  route::Router& router;
  const upstream::Fleet& fleet;
  Labeller& labeller;
  const seal::RemoteGate& gate;
  std::string conversation_key;
};

route::Signals signals_of(const net::Request& http, const ChatRequest& request, std::string key_name);
// The conversation ends in results of tools, possibly with words after them.
bool is_in_tool_loop(const ChatRequest& request);
std::string session_of_request(const net::Request& http, const ChatRequest& request);
// By the session that the client names, else by how the conversation begins. Empty for a raw prompt.
std::string conversation_of(std::string_view key, const std::string& client, const std::string& session,
                            const ChatRequest& request);

// All that is asked about a request; its label is remembered. `id`: its own. `labelled`: what gave it a
// label already; nullptr: routing.labeller does.
struct Asked {
  route::RouteAsk ask;
  seal::Clearance clearance;
};
ApiResult<Asked> ask_of(const Routing& routing, const Access& access, const net::Request& http,
                        const ChatRequest& request, const std::string& id,
                        const seal::Clearance* labelled = nullptr);

}  // namespace hearth::gateway
