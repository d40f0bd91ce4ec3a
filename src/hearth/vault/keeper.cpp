#include "hearth/vault/keeper.h"

#include <atomic>

#include "hearth/base/json.h"
#include "hearth/vault/keeper_protocol.h"

namespace hearth::vault {

net::Address keeper_address(const std::filesystem::path& vault_directory) {
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(vault_directory, ignored).lexically_normal();
  return net::Address::unix_socket((absolute / "keeper.sock").string());
}

struct Keeper::Client {
  std::unique_ptr<net::Stream> stream;
  std::atomic<bool> is_done = false;
  Thread thread;
};

Keeper::Keeper(std::unique_ptr<Vault> vault, net::Listener listener, Duration idle_max)
    : vault_(std::move(vault)), listener_(std::move(listener)), idle_(idle_max, std::chrono::steady_clock::now()) {}

Keeper::~Keeper() = default;

Result<LockCause> Keeper::run(const StopToken& stop) {
  const StopCallback stopped(stop, [this] { locked_.request_stop(); });
  LockCause cause = LockCause::stopped;
  while (!locked_.stop_requested()) {
    const Instant ends_at = idle_.with([](const IdleTimer& idle) { return idle.ends_at(); });
    auto stream = listener_->accept(Deadline::at(ends_at), locked_.token());
    reap();
    if (stream && clients_.size() < keeper_clients_max) {
      auto& client = *clients_.emplace_back(std::make_unique<Client>());
      client.stream = *std::move(stream);
      client.thread = Thread("vault-client", [this, &client] { serve(client); });
    } else if (!stream && stream.error().code == Code::timed_out) {
      const Instant now = std::chrono::steady_clock::now();
      if (!idle_.with([&](const IdleTimer& idle) { return idle.is_over(now); })) continue;
      cause = LockCause::idle;
      locked_.request_stop();
    }
  }
  listener_.reset();
  for (const auto& client : clients_) client->stream->close();
  clients_.clear();  // joins
  vault_.reset();    // wipes
  return asked_ ? LockCause::asked : cause;
}

void Keeper::reap() {
  clients_.remove_if([](const auto& client) { return client->is_done.load(); });
}

void Keeper::serve(Client& client) {
  while (answer(client)) {
  }
  client.stream->close();
  client.is_done = true;
}

// One question; false when the client has left, talks nonsense, or the vault is being locked.
bool Keeper::answer(Client& client) {
  const StopToken stop = locked_.token();
  std::array<std::byte, ask_head_bytes> bytes;
  if (!read_exactly(*client.stream, bytes, Deadline::never(), stop)) return false;
  const auto head = parse_ask_head(bytes);
  if (!head) return false;
  std::string name(head->name_bytes, '\0');
  if (!read_exactly(*client.stream, std::as_writable_bytes(std::span(name)), Deadline::after(keeper_exchange_time), stop)) {
    return false;
  }
  const auto reply = [&](const auto& result, auto body_of) {
    return (result ? send_answer(*client.stream, body_of(*result), stop) : send_error(*client.stream, result.error(), stop)).has_value();
  };
  if (head->what != Ask::status && head->what != Ask::watch) {
    idle_.with([](IdleTimer& idle) { idle.touch(std::chrono::steady_clock::now()); });
  }
  switch (head->what) {
    case Ask::key: return reply(vault_->key(name), [](const SharedSecret& key) { return key->span(); });
    case Ask::folder: {
      const auto folder = vault_->folder(name);
      const std::string text = folder ? folder->string() : std::string();
      return reply(folder, [&](const auto&) { return as_byte_span(text); });
    }
    case Ask::forget: {
      const auto done = vault_->forget(name);
      return (done ? send_answer(*client.stream, {}, stop) : send_error(*client.stream, done.error(), stop)).has_value();
    }
    case Ask::collections: {
      const auto names = vault_->collections();
      std::string text;
      for (const std::string& each : names ? *names : std::vector<std::string>{}) {
        if (text.size() + each.size() + 1 <= answer_bytes_max) text += each + "\n";
      }
      return reply(names, [&](const auto&) { return as_byte_span(text); });
    }
    case Ask::status: {
      const double idle_left_s = idle_.with([](const IdleTimer& idle) {
        return idle.ends_at() == Instant::max() ? -1.0 : seconds(idle.ends_at() - std::chrono::steady_clock::now());
      });
      Json damaged = Json::array();
      for (const std::string& each : vault_->damaged_keys()) damaged.push(each);
      const auto names = vault_->collections();
      const std::string text = dump_json(Json::object({{"collections", names ? names->size() : 0},
                                                       {"idle_left_s", idle_left_s},
                                                       {"damaged_keys", std::move(damaged)}}));
      return send_answer(*client.stream, as_byte_span(text.substr(0, answer_bytes_max)), stop).has_value();
    }
    case Ask::lock:
      asked_ = true;
      (void)send_answer(*client.stream, {}, stop);
      locked_.request_stop();
      return false;
    case Ask::watch: return send_answer(*client.stream, {}, stop).has_value();  // then it waits for our end
  }
  return false;
}

}  // namespace hearth::vault
