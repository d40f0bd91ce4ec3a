#pragma once
// What a machine has moved in this life, for people and programs who watch it: `hearth status`.
// Values; no thread.

#include <cstdint>

#include "hearth/base/json.h"
#include "hearth/kv/chunk_sender.h"

namespace hearth::node {

struct HandOffCounts {
  std::uint64_t prefills = 0;  // for peers, ended
  std::uint64_t sent_chunks = 0, sent_bytes = 0;  // acknowledged
  std::uint64_t resent_chunks = 0;                // put again, after a cut or a lost reply
  std::uint64_t failed_puts = 0;
  std::uint64_t taken_chunks = 0, taken_bytes = 0, refused_chunks = 0;

  void add(const kv::SenderStatistics& sender) {
    ++prefills;
    sent_chunks += sender.acknowledged;
    sent_bytes += sender.bytes_acknowledged;
    resent_chunks += sender.resent;
    failed_puts += sender.failures;
  }
};

inline Json counts_json(const HandOffCounts& counts) {
  return Json::object({{"prefills", counts.prefills},
                       {"sent_chunks", counts.sent_chunks},
                       {"sent_bytes", counts.sent_bytes},
                       {"resent_chunks", counts.resent_chunks},
                       {"failed_puts", counts.failed_puts},
                       {"taken_chunks", counts.taken_chunks},
                       {"taken_bytes", counts.taken_bytes},
                       {"refused_chunks", counts.refused_chunks}});
}

}  // namespace hearth::node
