// Where a request goes, and whom it must meet there: URL, certificates, and what libcurl says of
// connections that did not come about.
#include <fmt/format.h>

#include <algorithm>

#include "hearth/net/curl_transfer.h"
#include "hearth/net/tls_context.h"

namespace hearth::net {
namespace {

curl_blob blob_of(const std::string& text) {
  // libcurl copies; its interface knows no const.
  return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
}

std::string_view tls_library() {
  const char* name = curl_version_info(CURLVERSION_NOW)->ssl_version;
  return name != nullptr ? name : "nothing";
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

CURLcode on_context(CURL*, void* context, void* admit) {
  ask_about_servers(static_cast<SSL_CTX*>(context), *static_cast<const AdmitPeer*>(admit));
  return CURLE_OK;
}

Code code_of(CURLcode code, std::string_view text) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Code::timed_out;
    case CURLE_OUT_OF_MEMORY: return Code::resource_exhausted;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9, or no HTTP at all
    case CURLE_HTTP2:
    case CURLE_BAD_CONTENT_ENCODING: return Code::corrupt;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CACERT_BADFILE: return Code::permission;
    case CURLE_SSL_CONNECT_ERROR:  // a peer that vanished is no refusal
      return has(text, "SYSCALL") || has(text, "reset") ? Code::unavailable : Code::permission;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:  // TLS 1.3: a server refuses our certificate after the handshake
      return has(text, "alert") ? Code::permission : Code::unavailable;
    case CURLE_URL_MALFORMAT: return Code::invalid_argument;
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT: return Code::internal;
    default: return Code::unavailable;
  }
}

}  // namespace

Result<> check_tls_request(const ClientRequest& request, const CurlClientOptions& options) {
  const bool to_machine = options.tls != nullptr && request.address.tls;
  if (to_machine == request.expected_machine.empty()) {
    return fail(Code::invalid_argument,
                to_machine ? request.address.text() + ": a request over the cluster's TLS names the "
                                                      "machine it expects"
                           : request.address.text() + ": a machine is expected, but this is not "
                                                      "https, or the client has no identity");
  }
  if (to_machine && !has(tls_library(), "OpenSSL")) {
    return fail(Code::unsupported,
                fmt::format("this libcurl speaks TLS by way of {}; the cluster's certificates need one "
                            "that was built with OpenSSL (docs/install.md)", tls_library()));
  }
  if (!std::ranges::all_of(request.expected_machine, is_host_character)) {
    return fail(Code::invalid_argument,
                fmt::format("'{}' is no machine's name: letters, digits and hyphens are expected",
                            request.expected_machine));
  }
  return {};
}

std::string peer_key(const ClientRequest& request) {
  const std::string address = request.address.text();
  return request.expected_machine.empty() ? address : request.expected_machine + " at " + address;
}

std::string url_of(const ClientRequest& request) {
  const Address& address = request.address;
  if (address.is_unix()) return "http://localhost" + request.target;
  if (!request.expected_machine.empty()) {
    return fmt::format("https://{}:{}{}", machine_host(request.expected_machine), address.port,
                       request.target);
  }
  const std::string text = address.text();  // with a scheme only where it needs one
  return (text.find("://") == text.npos ? "http://" : "") + text + request.target;
}

// The URL names the machine, so libcurl verifies that name; CONNECT_TO says where it is today.
void CurlTransfer::set_up_tls(const ClientRequest& request, const CurlClientOptions& options) {
  const auto parts = options.tls->current();
  const Address& address = request.address;
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + address.host + "]" : address.host;
  connect_to_ = curl_slist_append(nullptr, fmt::format("::{}:{}", host, address.port).c_str());
  CHECK(connect_to_ != nullptr);
  set(CURLOPT_CONNECT_TO, connect_to_);
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
  set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  // Ours alone, not the system's: those libcurl would add.
  set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
  set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  curl_blob authority = blob_of(parts->authority_pem);
  curl_blob certificate = blob_of(parts->identity.certificate_pem);
  curl_blob key = blob_of(parts->identity.private_key_pem);
  set(CURLOPT_CAINFO_BLOB, &authority);
  set(CURLOPT_SSLCERT_BLOB, &certificate);
  set(CURLOPT_SSLKEY_BLOB, &key);
  if (options.admit) {
    set(CURLOPT_SSL_CTX_FUNCTION, &on_context);
    set(CURLOPT_SSL_CTX_DATA, const_cast<AdmitPeer*>(&options.admit));  // outlives its connections
  }
}

Error error_of(CURLcode result, std::string_view text, std::string_view peer) {
  const Code code = code_of(result, text);
  const bool refused_us = code == Code::permission && has(text, "alert");
  return {code, fmt::format("{}: {}{}", peer, refused_us ? "refuses this machine: " : "",
                            text)};
}

}  // namespace hearth::net
