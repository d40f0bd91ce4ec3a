#include "hearth/net/curl_transfer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::net {
namespace {

constexpr long bulk_buffer_bytes = 256 * 1024;  // per direction, whole replies
constexpr long stream_block_bytes = 16 * 1024;  // many streams may be open at once
// Up to here a body comes with its header. A larger one waits until the server wants it (100-continue): it may refuse.
// libcurl 7 asks before each body, a round trip for every small request.
constexpr std::uint64_t unasked_body_bytes_max = 1024 * 1024;
constexpr std::size_t reply_header_bytes_max = 256 * 1024;
constexpr std::size_t target_bytes_max = 64 * 1024;
constexpr std::size_t method_bytes_max = 32;
constexpr int poll_ms_max = 60'000;
#ifdef POLLRDHUP
constexpr short peer_closed = POLLRDHUP;
#else
constexpr short peer_closed = 0;  // POLLHUP says so, and is always told
#endif

bool is_visible(std::string_view text) {  // no blanks, no control characters
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c != 0x7f; });
}
bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos;
}

// Starts again with every byte that moved.
class StallWatch {
 public:
  explicit StallWatch(Duration time_max) : time_max_(time_max) { restart(); }
  void look(std::uint64_t moved_bytes) {
    if (std::exchange(moved_bytes_, moved_bytes) != moved_bytes) restart();
  }
  Deadline deadline() const { return deadline_; }

 private:
  void restart() {
    if (time_max_ > Duration::zero()) deadline_ = Deadline::after(time_max_);
  }
  const Duration time_max_;
  std::uint64_t moved_bytes_ = 0;
  Deadline deadline_ = Deadline::never();
};

// libcurl's own would be inherited by a worker that is started meanwhile, and a peer that we leave would
// not see it as long as that one lives.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* to) {
#ifdef SOCK_CLOEXEC
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
#else
  const curl_socket_t fd = ::socket(to->family, to->socktype, to->protocol);
  if (fd >= 0) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
#endif
}

}  // namespace

CurlHandle::CurlHandle() : easy(curl_easy_init()), multi(curl_multi_init()) {
  CHECK(easy != nullptr && multi != nullptr);
}

CurlHandle::~CurlHandle() {
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
}

bool CurlHandle::is_connected() const {
  if (kept == CURL_SOCKET_BAD) return false;
  pollfd look{.fd = kept, .events = peer_closed, .revents = 0};
  return ::poll(&look, 1, 0) == 0;
}

Result<> check_request(const ClientRequest& request, const CurlClientOptions& options) {
  TRY(check_tls_request(request, options));
  if (!request.target.starts_with('/') || request.target.size() > target_bytes_max ||
      !is_visible(request.target)) {
    return fail(
        Code::invalid_argument,
        fmt::format("target '{}': expected a percent-encoded path from '/' on, of at most {} bytes",
                    request.target.substr(0, 120), target_bytes_max));
  }
  if (request.method.empty() || request.method.size() > method_bytes_max ||
      !is_visible(request.method)) {
    return fail(Code::invalid_argument, "a request needs a method, one word");
  }
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || !is_visible(name) || name.find(':') != name.npos || !is_one_line(value)) {
      return fail(Code::invalid_argument, fmt::format("header '{}' is not one line", name));
    }
  }
  return {};
}

CurlTransfer::CurlTransfer(std::unique_ptr<CurlHandle> handle, const ClientRequest& request,
                           Mode mode, const CurlClientOptions& options)
    : handle_(std::move(handle)),
      peer_(peer_key(request)),
      body_(request.body),
      mode_(mode),
      collected_(request.reply_bytes_max),
      stall_time_max_(request.stall_time_max) {
  set_up(request, options);
  CHECK(curl_multi_add_handle(handle_->multi, handle_->easy) == CURLM_OK);
}

CurlTransfer::~CurlTransfer() {
  if (handle_) release();
}

std::unique_ptr<CurlHandle> CurlTransfer::release() {
  handle_->kept = CURL_SOCKET_BAD;
  if (finished_ && result_ == CURLE_OK) curl_easy_getinfo(handle_->easy, CURLINFO_ACTIVESOCKET, &handle_->kept);
  curl_multi_remove_handle(handle_->multi, handle_->easy);
  curl_easy_reset(handle_->easy);
  curl_slist_free_all(std::exchange(header_list_, nullptr));
  curl_slist_free_all(std::exchange(connect_to_, nullptr));
  return std::move(handle_);
}

Result<> CurlTransfer::run_until_head(Deadline deadline, const StopToken& stop) {
  return run([this] { return head_done_; }, deadline, stop);
}

Result<> CurlTransfer::run_to_end(Deadline deadline, const StopToken& stop) {
  TRY(run([this] { return finished_; }, deadline, stop));
  return outcome();
}

Result<ByteSpan> CurlTransfer::pull(Deadline deadline, const StopToken& stop) {
  handed_out_.clear();
  if (pending_.empty() && !finished_) {
    TRY(run([this] { return !pending_.empty() || finished_; }, deadline, stop));
  }
  if (pending_.empty()) {
    TRY(outcome());
    return ByteSpan();
  }
  std::swap(handed_out_, pending_);
  if (std::exchange(paused_, false)) curl_easy_pause(handle_->easy, CURLPAUSE_CONT);
  return ByteSpan(handed_out_);
}

void CurlTransfer::set_up(const ClientRequest& request, const CurlClientOptions& options) {
  set(CURLOPT_URL, url_of(request).c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_ERRORBUFFER, error_text_);
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  const auto connect_ms =
      std::chrono::ceil<std::chrono::milliseconds>(request.connect_time_max).count();
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<long long>(connect_ms, 1)));
  if (request.address.is_unix()) {
    set(CURLOPT_UNIX_SOCKET_PATH, request.address.path.c_str());
  }
  if (request.address.is_local()) set(CURLOPT_NOPROXY, "*");
  if (!request.expected_machine.empty()) set_up_tls(request, options);
  set(CURLOPT_BUFFERSIZE, mode_ == Mode::whole ? bulk_buffer_bytes : stream_block_bytes);
  set(CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
  set(CURLOPT_WRITEDATA, this);
  set_up_method(request);
  set_up_headers(request);
}

void CurlTransfer::set_up_method(const ClientRequest& request) {
  const std::uint64_t bytes = body_bytes();
  const bool wants_body =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (bytes > 0) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(bytes));
    set(CURLOPT_READFUNCTION, &CurlTransfer::on_send);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, &CurlTransfer::on_rewind);
    set(CURLOPT_SEEKDATA, this);
    if (bytes > 64 * 1024) set(CURLOPT_UPLOAD_BUFFERSIZE, bulk_buffer_bytes);
  } else if (wants_body) {
    set(CURLOPT_POSTFIELDS, "");  // says Content-Length: 0
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(0));
  }
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else {
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void CurlTransfer::set_up_headers(const ClientRequest& request) {
  for (const auto& [name, value] : request.headers) {
    // libcurl's spelling of a field without a value ends in a semicolon.
    add_header(value.empty() ? name + ";" : name + ": " + value);
  }
  // libcurl would claim that an empty POST is a web form.
  if (!request.headers.contains("Content-Type")) add_header("Content-Type:");
  add_header(body_bytes() > unasked_body_bytes_max ? "Expect: 100-continue" : "Expect:");
  set(CURLOPT_HTTPHEADER, header_list_);
}

std::uint64_t CurlTransfer::body_bytes() const {
  std::uint64_t bytes = 0;
  for (const ByteSpan part : body_) bytes += part.size();
  return bytes;
}

void CurlTransfer::add_header(const std::string& line) {
  curl_slist* longer = curl_slist_append(header_list_, line.c_str());
  CHECK(longer != nullptr);
  header_list_ = longer;
}

Result<> CurlTransfer::run(const std::function<bool()>& ready, Deadline deadline,
                           const StopToken& stop) {
  const StopCallback wake(stop, [multi = handle_->multi] { curl_multi_wakeup(multi); });
  StallWatch stall(stall_time_max_);
  for (;;) {
    if (stop.stop_requested()) return fail(Code::cancelled, peer_ + ": request cancelled");
    int running = 0;
    const CURLMcode performed = curl_multi_perform(handle_->multi, &running);
    if (performed != CURLM_OK) {
      return fail(Code::internal, fmt::format("{}: {}", peer_, curl_multi_strerror(performed)));
    }
    collect_result();
    if (ready()) return {};
    if (finished_) return outcome();
    if (deadline.passed()) return fail(Code::timed_out, peer_ + ": no answer within the deadline");
    stall.look(moved_bytes_);
    if (stall.deadline().passed()) {
      return fail(Code::timed_out, fmt::format("{}: no byte has moved for {:.1f} s", peer_,
                                               seconds(stall_time_max_)));
    }
    const int wait_ms =
        Deadline::at(std::min(deadline.when(), stall.deadline().when())).poll_timeout_ms();
    const int bounded_ms = wait_ms < 0 ? poll_ms_max : std::min(wait_ms, poll_ms_max);
    curl_multi_poll(handle_->multi, nullptr, 0, bounded_ms, nullptr);
  }
}

void CurlTransfer::collect_result() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(handle_->multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    finished_ = true;
    result_ = message->data.result;
  }
}

Result<> CurlTransfer::outcome() const {
  CHECK(finished_);
  if (own_error_) return std::unexpected(*own_error_);
  if (result_ == CURLE_OK && head_done_) return {};
  if (result_ == CURLE_OK) {  // libcurl takes the end of the connection for the head's
    return fail(Code::unavailable, peer_ + ": the connection ended inside the reply's head");
  }
  const char* text = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(result_);
  return std::unexpected(error_of(result_, text, peer_));
}

std::size_t CurlTransfer::on_header(char* data, std::size_t, std::size_t size, void* self) {
  return static_cast<CurlTransfer*>(self)->take_header({data, size}) ? size : 0;
}

std::size_t CurlTransfer::on_body(char* data, std::size_t, std::size_t size, void* self) {
  return static_cast<CurlTransfer*>(self)->take_body_piece({data, size});
}

std::size_t CurlTransfer::on_send(char* out, std::size_t, std::size_t size, void* self) {
  return static_cast<CurlTransfer*>(self)->give_body({out, size});
}

int CurlTransfer::on_rewind(void* self, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  auto* transfer = static_cast<CurlTransfer*>(self);
  transfer->sent_part_ = transfer->sent_offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

bool CurlTransfer::take_header(std::string_view line) {
  if (head_done_) return true;  // trailers
  header_bytes_ += line.size();
  if (header_bytes_ > reply_header_bytes_max) {
    own_error_ = Error{Code::resource_exhausted, fmt::format("{}: a head of more than {} bytes",
                                                             peer_, reply_header_bytes_max)};
    return false;
  }
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    headers_ = {};  // after an interim answer comes the real one
    long code = 0;
    curl_easy_getinfo(handle_->easy, CURLINFO_RESPONSE_CODE, &code);
    status_ = static_cast<int>(code);
    return true;
  }
  if (line.empty()) {
    head_done_ = status_ >= 200;
    return !head_done_ || make_room();
  }
  const auto colon = line.find(':');
  if (colon == line.npos) return true;
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  headers_.add(std::string(line.substr(0, colon)), std::string(value));
  return true;
}

// An announced length is taken at once, instead of growing towards it.
bool CurlTransfer::make_room() {
  curl_off_t length = -1;
  curl_easy_getinfo(handle_->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (mode_ != Mode::whole || length <= 0) return true;
  return keep(collected_.expect(static_cast<std::uint64_t>(length)));
}

std::size_t CurlTransfer::take_body_piece(std::string_view piece) {
  moved_bytes_ += piece.size();
  if (mode_ == Mode::whole) {
    return keep(collected_.append(as_byte_span(piece))) ? piece.size() : 0;
  }
  if (!pending_.empty() && pending_.size() + piece.size() > stream_buffer_bytes) {
    paused_ = true;
    return CURL_WRITEFUNC_PAUSE;  // libcurl offers the piece again
  }
  const ByteSpan bytes = as_byte_span(piece);
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  return piece.size();
}

bool CurlTransfer::keep(const Result<>& done) {
  if (!done) own_error_ = with_context(done.error(), peer_);
  return done.has_value();
}

std::size_t CurlTransfer::give_body(std::span<char> out) {
  std::size_t given = 0;
  while (given < out.size() && sent_part_ < body_.size()) {
    const ByteSpan left = body_[sent_part_].subspan(sent_offset_);
    const std::size_t count = std::min(left.size(), out.size() - given);
    if (count > 0) std::memcpy(out.data() + given, left.data(), count);
    given += count;
    sent_offset_ += count;
    if (count == left.size()) {
      ++sent_part_;
      sent_offset_ = 0;
    }
  }
  moved_bytes_ += given;
  return given;
}

}  // namespace hearth::net
