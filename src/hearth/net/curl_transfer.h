#pragma once
// One request on one libcurl handle: an easy handle driven by a multi handle of its own, so that
// waiting ends by curl_multi_wakeup. One thread. Private to net: curl.h comes along.

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/net/growing_buffer.h"
#include "hearth/net/http_client.h"

namespace hearth::net {

struct CurlHandle {
  CurlHandle();
  ~CurlHandle();
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;
  // Not when its peer has closed it since.
  bool is_connected() const;
  CURL* easy;
  CURLM* multi;  // keeps the connections
  curl_socket_t kept = CURL_SOCKET_BAD;  // of the last transfer, if its connection outlived it
};

// What libcurl would send as more, or other, than one request.
Result<> check_request(const ClientRequest& request, const CurlClientOptions& options);
Result<> check_tls_request(const ClientRequest& request, const CurlClientOptions& options);
std::string url_of(const ClientRequest& request);
// What libcurl reports, as ours.
Error error_of(CURLcode code, std::string_view text, std::string_view peer);
// Requests with the same key may share a connection; also how errors name the peer.
std::string peer_key(const ClientRequest& request);

class CurlTransfer {
 public:
  enum class Mode { whole, stream };

  // The request's body must outlive this, its other members need not.
  CurlTransfer(std::unique_ptr<CurlHandle> handle, const ClientRequest& request, Mode mode,
               const CurlClientOptions& options);
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Ends the transfer; one that was not complete loses its connection.
  std::unique_ptr<CurlHandle> release();

  Result<> run_until_head(Deadline deadline, const StopToken& stop);
  Result<> run_to_end(Deadline deadline, const StopToken& stop);
  // The pull stream's read: see ResponseStream.
  Result<ByteSpan> pull(Deadline deadline, const StopToken& stop);

  int status() const { return status_; }
  Headers& headers() { return headers_; }
  Buffer take_body() { return collected_.take(); }
  const std::string& peer() const { return peer_; }

 private:
  template <class T>
  void set(CURLoption option, T value) {
    CHECK(curl_easy_setopt(handle_->easy, option, value) == CURLE_OK);
  }
  void set_up(const ClientRequest& request, const CurlClientOptions& options);
  void set_up_tls(const ClientRequest& request, const CurlClientOptions& options);
  std::uint64_t body_bytes() const;
  void set_up_method(const ClientRequest& request);
  void set_up_headers(const ClientRequest& request);
  void add_header(const std::string& line);

  Result<> run(const std::function<bool()>& ready, Deadline deadline, const StopToken& stop);
  void collect_result();
  Result<> outcome() const;

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self);
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self);
  static std::size_t on_send(char* out, std::size_t, std::size_t size, void* self);
  static int on_rewind(void* self, curl_off_t offset, int origin);
  bool take_header(std::string_view line);
  bool make_room();
  std::size_t take_body_piece(std::string_view piece);
  bool keep(const Result<>& done);
  std::size_t give_body(std::span<char> out);

  std::unique_ptr<CurlHandle> handle_;
  std::string peer_;
  std::vector<ByteSpan> body_;
  std::size_t sent_part_ = 0;
  std::size_t sent_offset_ = 0;
  Mode mode_;
  curl_slist* header_list_ = nullptr;
  curl_slist* connect_to_ = nullptr;
  char error_text_[CURL_ERROR_SIZE] = {};
  std::optional<Error> own_error_;  // why a callback told libcurl to give up
  int status_ = 0;
  Headers headers_;
  std::size_t header_bytes_ = 0;
  bool head_done_ = false;
  bool finished_ = false;
  CURLcode result_ = CURLE_OK;
  GrowingBuffer collected_;  // whole
  Bytes pending_;            // stream: arrived, not yet asked for
  Bytes handed_out_;         // stream: what the last read gave
  bool paused_ = false;
  const Duration stall_time_max_;
  std::uint64_t moved_bytes_ = 0;  // both directions
};

}  // namespace hearth::net
