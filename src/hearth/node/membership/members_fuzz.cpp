// Any text as a member list or as a body of the membership routes: a value that reads back to
// itself and keeps its promises, or a refusal.
#include <set>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/node/membership/members.h"
#include "hearth/node/membership/membership_routes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto list = node::parse_members(text)) {
    const auto again = node::parse_members(dump_json(node::to_json(*list)));
    CHECK(again && *again == *list);
    CHECK(list->members.size() <= node::members_max && list->find(list->authority) != nullptr);
    for (const node::Member& member : list->members) {
      net::CertificateFacts shown;
      shown.common_name = member.name;
      shown.serial = member.certificates.front().serial;
      (void)node::admit_by_list(*list, shown);
      const bool may_go = member.name != list->authority && list->removed.size() < node::removed_max;
      if (may_go) CHECK(node::without_member(*list, member.name, {}));
    }
  }
  if (const auto request = node::parse_certificate_request(text)) {
    CHECK(request->machine.size() <= 300);
  }
  (void)node::parse_issued(text);
  (void)node::open_members(text, "");
  return 0;
}
