#pragma once
// From a request to its label and to the question where it goes: signals, conversation. And what a gateway
// needs to follow the answer. docs/routes.md, docs/seal.md. Everything here is thread-safe.

#include <string>

#include "hearth/gateway/access.h"
#include "hearth/route/router.h"
#include "hearth/seal/labeller.h"
#include "hearth/upstream/fleet.h"

namespace hearth::gateway {

// All outlive the gateway. `conversation_key` makes digests that nobody can guess a text by.
struct Routing {
  route::Router& router;
  const upstream::Fleet& fleet;
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

// The label of a request, which its conversation keeps. permission: it asks for less than its key or its
// conversation has. `body` is `request` as it came.
ApiResult<seal::Clearance> label_of(seal::LabelGiver& labels, const Access& access, const net::Request& http,
                                    const ChatRequest& request, const Json& body);

// All that the router is asked about a request. `id`: its own.
route::RouteAsk ask_of(std::string_view conversation_key, const Access& access, const net::Request& http,
                       const ChatRequest& request, seal::Label label, const std::string& id);

}  // namespace hearth::gateway
