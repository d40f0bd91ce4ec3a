#pragma once
// A server on loopback that says what a script says, reply by reply, and remembers what it was asked:
// a stand-in for services that cannot run here.
//
// A reply is an object: `status` (200), `headers` {}, `type` (text/event-stream), and the body, as
// `body` text or as `pieces`, each sent by itself; `cut`: true ends it in the middle of the connection,
// `hold`: true sends the pieces and then nothing until the client leaves; `mute`: true not even a head. `path`: where it must be asked.

#include <memory>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/net/http_server.h"

namespace hearth::test {

struct SeenRequest {
  std::string method, path, body;
  net::Headers headers;
};

class ScriptedService {
 public:
  // Replies in this order; after the last one its clients are refused with status 599.
  explicit ScriptedService(Json replies);
  ~ScriptedService();
  std::string url() const;
  std::vector<SeenRequest> seen() const;
  // Waits until the client of a held reply has left; false after 20 s.
  bool wait_for_leaving() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // with the server's handlers
  std::unique_ptr<net::HttpServer> server_;
};

// Each member of `expected` is one of the request: "path", "body" (members, by dotted path; null: must
// not be there), "raw" (a text that the body holds), "headers" (null: must not be there).
void expect_members(const SeenRequest& seen, const Json& expected);

}  // namespace hearth::test
