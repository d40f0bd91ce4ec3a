#pragma once
// A day of sealed work, played against a whole house, with a canary in each piece of it. After each
// step everything that could have got out is searched: what was sent beyond the house, the log, the
// metrics, refusals, records, what lies on the disk, and what would be said of a crash.
//
// A house is an interface so that tests can play the same day against houses with a planted leak; the
// real one is whole_house.h. One thread.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/stop.h"
#include "hearth/net/http_message.h"

namespace hearth::seal_check {

struct HouseReply {
  int status = 0;
  std::string body;
};

class House {
 public:
  virtual ~House() = default;
  // --- what people and programs do
  virtual HouseReply post(const std::string& path, const Json& body, net::Headers headers) = 0;
  virtual HouseReply post_text(const std::string& path, const std::string& body, net::Headers headers) = 0;
  // Past everything, to the process that has the way out.
  virtual HouseReply post_to_egress(const std::string& body, net::Headers headers) = 0;
  virtual void judge(const std::string& item) = 0;               // a sealed item of an eval
  virtual void keep(const std::string& text) = 0;                // a sealed transcript, and KV of it
  virtual void set_answer(const std::string& text) = 0;          // of the model, from now on
  enum class Trouble { none, model_gone, queue_full, model_fails, audit_full };
  virtual void set_trouble(Trouble trouble) = 0;
  virtual Result<> restart() = 0;
  // --- what got out, since it was built
  virtual std::string sent() const = 0;          // every byte beyond the house
  virtual std::string log() const = 0;
  virtual std::string metrics() = 0;
  virtual std::string audit() const = 0;
  virtual std::string crash_report() const = 0;  // what the process would leave behind, text of errors included
  virtual std::vector<std::string> disk() const = 0;  // every file's name and raw bytes, temporary ones too
  virtual std::string sealed_key() const = 0;    // of a client whose work is sealed
  virtual std::string open_key() const = 0;
  virtual std::string sealed_folder() const = 0;
};

struct PathResult {
  std::string name;  // "chat under a sealed key: log"
  bool leaked = false;
  std::string how;   // the form it was seen in
};
struct CheckReport {
  std::vector<PathResult> paths;
  // Open work did leave, and was found by the search: else the search itself is broken.
  bool search_works = false;
  std::size_t leaks() const;
  bool is_sealed() const { return search_works && leaks() == 0; }
};
Json to_json(const CheckReport& report);

// cancelled when the token fires. `seed`: of the canaries.
Result<CheckReport> run_check(House& house, const StopToken& stop, std::optional<std::uint64_t> seed = {});

}  // namespace hearth::seal_check
