#pragma once
// Conversations as Hearth writes them against the reference: llama-server interprets the template that
// the model carries (POST /apply-template), and says what comes out.

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/check/finding.h"
#include "hearth/net/http_client.h"
#include "hearth/net/url.h"

namespace hearth::check {

struct TemplateFacts {
  std::string url;
  std::string fault;  // why there is no comparison; empty: there is
  std::string format;
  std::string ours, reference;
};

// `key` may be empty.
TemplateFacts gather_template(net::HttpClient& http, const net::Url& server, const std::string& key, Deadline deadline,
                              const StopToken& stop);
Findings template_render_findings(const TemplateFacts& facts);

}  // namespace hearth::check
