#include <curl/curl.h>

#include <algorithm>
#include <list>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/guarded.h"
#include "hearth/net/curl_transfer.h"
#include "hearth/net/http_client.h"

namespace hearth::net {
namespace {

struct IdleHandle {
  std::string peer;
  std::unique_ptr<CurlHandle> handle;
};
using Pool = Guarded<std::list<IdleHandle>>;

std::unique_ptr<CurlHandle> take_handle(Pool& pool, const std::string& peer) {
  auto kept = pool.with([&](auto& idle) -> std::unique_ptr<CurlHandle> {
    const auto found = std::find_if(idle.rbegin(), idle.rend(),
                                    [&](const IdleHandle& one) { return one.peer == peer; });
    if (found == idle.rend()) return nullptr;
    auto handle = std::move(found->handle);
    idle.erase(std::prev(found.base()));
    return handle;
  });
  return kept ? std::move(kept) : std::make_unique<CurlHandle>();
}

void give_handle(Pool& pool, std::size_t idle_max, std::string peer,
                 std::unique_ptr<CurlHandle> handle) {
  std::list<IdleHandle> closing;  // outside the lock: closing may wait for a TLS goodbye
  pool.with([&](auto& idle) {
    for (auto one = idle.begin(); one != idle.end();) {
      const auto here = one++;
      if (!here->handle->is_connected()) closing.splice(closing.end(), idle, here);
    }
    // A handle is kept for its connection.
    auto& last = handle->is_connected() ? idle : closing;
    last.push_back({std::move(peer), std::move(handle)});
    if (idle.size() > idle_max) closing.splice(closing.end(), idle, idle.begin());
  });
}

struct Shared {
  explicit Shared(CurlClientOptions the_options) : options(std::move(the_options)) {}
  const CurlClientOptions options;
  Pool idle;
};

void put_back(Shared& shared, CurlTransfer& transfer) {
  const std::string peer = transfer.peer();
  give_handle(shared.idle, shared.options.idle_handles_max, peer, transfer.release());
}

class CurlStream final : public ResponseStream {
 public:
  CurlStream(std::shared_ptr<Shared> shared, std::unique_ptr<CurlTransfer> transfer, StopToken stop)
      : shared_(std::move(shared)), transfer_(std::move(transfer)), stop_(std::move(stop)) {}
  ~CurlStream() override { put_back(*shared_, *transfer_); }

  int status() const override { return transfer_->status(); }
  const Headers& headers() const override { return transfer_->headers(); }
  Result<ByteSpan> read(Deadline deadline) override { return transfer_->pull(deadline, stop_); }

 private:
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<CurlTransfer> transfer_;
  StopToken stop_;
};

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(CurlClientOptions options)
      : shared_(std::make_shared<Shared>(std::move(options))) {}

  Result<ClientReply> send(const ClientRequest& request, Deadline deadline,
                           const StopToken& stop) override {
    TRY(check_request(request, shared_->options));
    const auto transfer = begin(request, CurlTransfer::Mode::whole);
    const auto done = transfer->run_to_end(deadline, stop);
    ClientReply reply{transfer->status(), std::move(transfer->headers()), transfer->take_body()};
    put_back(*shared_, *transfer);
    if (!done) return std::unexpected(done.error());
    return reply;
  }

  Result<std::unique_ptr<ResponseStream>> open_stream(const ClientRequest& request,
                                                      Deadline head_deadline,
                                                      const StopToken& stop) override {
    TRY(check_request(request, shared_->options));
    auto transfer = begin(request, CurlTransfer::Mode::stream);
    const auto headed = transfer->run_until_head(head_deadline, stop);
    if (!headed) {
      put_back(*shared_, *transfer);
      return std::unexpected(headed.error());
    }
    return std::make_unique<CurlStream>(shared_, std::move(transfer), stop);
  }

 private:
  std::unique_ptr<CurlTransfer> begin(const ClientRequest& request, CurlTransfer::Mode mode) {
    return std::make_unique<CurlTransfer>(take_handle(shared_->idle, peer_key(request)), request,
                                          mode, shared_->options);
  }
  std::shared_ptr<Shared> shared_;  // streams may outlive the client
};

}  // namespace

std::unique_ptr<HttpClient> make_curl_client(CurlClientOptions options) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(started == CURLE_OK);
  return std::make_unique<CurlClient>(std::move(options));
}

}  // namespace hearth::net
