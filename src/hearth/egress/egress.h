#pragma once
// The one way out of the house: `hearth egress`, a process of its own. It alone has the keys of remote
// services and connects to them. It takes messages on a unix socket (mode 0600), each with a label, and
// lets out what says `open`; everything else, also what says nothing or something unknown, is refused.
// Each is written to the audit log before a byte goes, and what cannot be recorded does not go.
//
//   POST /v1/send/NAME/TARGET   the body goes to service NAME at TARGET, with its key; its reply comes back
//   GET  /v1/upstreams          {"upstreams": [{"name", "kind", "host", "has_key"}]}
//
// Only targets of the service's kind are taken. Headers go out from a list, not all but some. No text of a
// body and no key is logged. Not here: whether something may be called open; that is seal's, and a check
// against canaries, which is handed in.
//
// Thread-safe. Errors that are its own carry the header x-hearth-egress.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hearth/net/http_client.h"
#include "hearth/net/http_router.h"
#include "hearth/seal/audit.h"
#include "hearth/upstream/spec.h"

namespace hearth::egress {

inline constexpr std::uint64_t body_bytes_max = 64u << 20;

struct EgressUpstream {
  upstream::EndpointSpec spec;
  std::string key;
};

// Looks at what is about to leave; an Error keeps it here.
using Inspect = std::function<Result<>(const seal::Clearance& clearance, ByteSpan body)>;

struct EgressParts {
  std::vector<EgressUpstream> upstreams;
  seal::AuditSink& audit;  // called under a lock
  std::string audit_key;   // of the digests of bodies
  net::HttpClient& http;
  Inspect inspect = {};
};

class Egress {
 public:
  virtual ~Egress() = default;
  virtual net::Router routes() = 0;
};

// What the parts refer to outlives it. invalid_argument for an upstream that is not remote.
Result<std::unique_ptr<Egress>> make_egress(EgressParts parts);

// The paths that a service of that kind may be asked at.
std::vector<std::string_view> targets_of(upstream::Kind kind);

}  // namespace hearth::egress
