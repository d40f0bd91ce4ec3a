#include "hearth/vault/keeper_client.h"

#include "hearth/vault/keeper.h"
#include "hearth/vault/keeper_protocol.h"

namespace hearth::vault {
namespace {

std::unexpected<Error> locked() {
  return fail(Code::unavailable, "the vault is locked; unlock it with hearth vault unlock");
}

Result<std::unique_ptr<net::Stream>> connect_to(const std::filesystem::path& directory) {
  auto stream = net::connect_stream(keeper_address(directory), Deadline::after(keeper_exchange_time), {});
  if (!stream) return locked();
  return stream;
}

}  // namespace

Result<std::unique_ptr<KeeperClient>> KeeperClient::connect(const std::filesystem::path& vault_directory,
                                                            std::function<void()> on_lock) {
  auto client = std::unique_ptr<KeeperClient>(new KeeperClient());
  client->directory_ = vault_directory;
  client->on_lock_ = std::move(on_lock);
  auto asks = TRY(connect_to(vault_directory));
  client->state_.with([&](State& state) { state.asks = std::move(asks); });
  client->watched_ = TRY(connect_to(vault_directory));
  TRY(send_ask(*client->watched_, Ask::watch, {}, {}));
  TRY(read_answer(*client->watched_, {}));
  client->watcher_ = Thread("vault-watch", [raw = client.get()] { raw->watch(); });
  return client;
}

KeeperClient::~KeeperClient() {
  stop_.request_stop();
  watcher_.join();
}

void KeeperClient::watch() {
  std::byte nothing[1];
  (void)watched_->read_some(nothing, Deadline::never(), stop_.token());
  if (stop_.stop_requested()) return;
  state_.with([](State& state) {
    state.is_locked = true;
    state.keys.clear();
  });
  if (on_lock_) on_lock_();
}

Result<Secret> KeeperClient::ask(State& state, int what, std::string_view name) {
  if (state.is_locked) return locked();
  auto answer = [&]() -> Result<Secret> {
    if (!state.asks) state.asks = TRY(connect_to(directory_));
    TRY(send_ask(*state.asks, static_cast<Ask>(what), name, stop_.token()));
    return read_answer(*state.asks, stop_.token());
  }();
  // An answer that came too late, or in part, would be taken for that to the next question.
  if (!answer) state.asks.reset();
  if (!answer && answer.error().code == Code::unavailable) {
    state.is_locked = true;
    state.keys.clear();
    return locked();
  }
  return answer;
}

// Asked each time, so that use is known there; a key is kept to be the same object for all here.
Result<SharedSecret> KeeperClient::key(std::string_view collection) {
  return state_.with([&](State& state) -> Result<SharedSecret> {
    Secret key = TRY(ask(state, static_cast<int>(Ask::key), collection));
    if (key.span().size() != key_bytes) return fail(Code::corrupt, "the vault's keeper sent a key of another length");
    const auto found = state.keys.find(collection);
    if (found != state.keys.end() && same_bytes(found->second->span(), key.span())) return found->second;
    auto shared = std::make_shared<const Secret>(std::move(key));
    state.keys.insert_or_assign(std::string(collection), shared);
    return shared;
  });
}

Result<std::filesystem::path> KeeperClient::folder(std::string_view collection) {
  return state_.with([&](State& state) -> Result<std::filesystem::path> {
    const Secret text = TRY(ask(state, static_cast<int>(Ask::folder), collection));
    return std::filesystem::path(as_text(text.span()));
  });
}

Result<> KeeperClient::forget(std::string_view collection) {
  return state_.with([&](State& state) -> Result<> {
    TRY(ask(state, static_cast<int>(Ask::forget), collection));
    if (const auto found = state.keys.find(collection); found != state.keys.end()) state.keys.erase(found);
    return {};
  });
}

Result<std::vector<std::string>> KeeperClient::collections() {
  return state_.with([&](State& state) -> Result<std::vector<std::string>> {
    const Secret answer = TRY(ask(state, static_cast<int>(Ask::collections), {}));
    std::vector<std::string> out;
    std::string_view text = as_text(answer.span());
    for (std::size_t end = 0; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) {
      out.emplace_back(text.substr(0, end));
    }
    return out;
  });
}

Result<std::string> KeeperClient::status_json() {
  return state_.with([&](State& state) -> Result<std::string> {
    const Secret text = TRY(ask(state, static_cast<int>(Ask::status), {}));
    return std::string(as_text(text.span()));
  });
}

Result<> KeeperClient::lock() {
  return state_.with([&](State& state) -> Result<> {
    TRY(ask(state, static_cast<int>(Ask::lock), {}));
    return {};
  });
}

bool KeeperClient::is_locked() const {
  return state_.with([](const State& state) { return state.is_locked; });
}

}  // namespace hearth::vault
