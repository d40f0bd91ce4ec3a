#include "hearth/chat/formats.h"

#include <array>
#include <utility>

namespace hearth::chat {
namespace {

// RFC 3339 without leap seconds; every day exists.
#define HEARTH_DATE                                                                            \
  "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"     \
  "|02-(0[1-9]|1[0-9]|2[0-8]))"                                                                \
  "|([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[048]|[2468][048]|[13579][26])00)-02-29)"
#define HEARTH_TIME                                                                   \
  "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3])" \
  ":[0-5][0-9])"
#define HEARTH_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define HEARTH_IPV4 HEARTH_BYTE "(\\." HEARTH_BYTE "){3}"
#define HEARTH_LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define HEARTH_HOST HEARTH_LABEL "(\\." HEARTH_LABEL "){0,8}"
#define HEARTH_H16 "[0-9A-Fa-f]{1,4}"

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> patterns = {{
    {"date", "^" HEARTH_DATE "$"},
    {"time", "^" HEARTH_TIME "$"},
    {"date-time", "^" HEARTH_DATE "T" HEARTH_TIME "$"},
    {"duration",
     "^P([0-9]{1,6}W|([0-9]{1,6}Y([0-9]{1,6}M([0-9]{1,6}D)?)?|[0-9]{1,6}M([0-9]{1,6}D)?"
     "|[0-9]{1,6}D)(T([0-9]{1,6}H([0-9]{1,6}M([0-9]{1,6}S)?)?|[0-9]{1,6}M([0-9]{1,6}S)?"
     "|[0-9]{1,6}S))?|T([0-9]{1,6}H([0-9]{1,6}M([0-9]{1,6}S)?)?|[0-9]{1,6}M([0-9]{1,6}S)?"
     "|[0-9]{1,6}S))$"},
    {"uuid", "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},
    // Dot-atoms at a host name: what people call an address, not all of RFC 5321.
    {"email", "^[A-Za-z0-9_%+-]{1,32}(\\.[A-Za-z0-9_%+-]{1,32}){0,3}@" HEARTH_LABEL
              "(\\." HEARTH_LABEL "){0,4}\\.[A-Za-z]{2,24}$"},
    {"hostname", "^" HEARTH_HOST "$"},
    {"ipv4", "^" HEARTH_IPV4 "$"},
    {"ipv6", "^((" HEARTH_H16 ":){7}" HEARTH_H16 "|::|::(" HEARTH_H16 ":){0,6}" HEARTH_H16
             "|(" HEARTH_H16 ":){1,7}:|(" HEARTH_H16 ":){1,6}:" HEARTH_H16 "|(" HEARTH_H16
             ":){1,5}(:" HEARTH_H16 "){2}|(" HEARTH_H16 ":){1,4}(:" HEARTH_H16 "){3}|(" HEARTH_H16
             ":){1,3}(:" HEARTH_H16 "){4}|(" HEARTH_H16 ":){1,2}(:" HEARTH_H16 "){5}|" HEARTH_H16
             ":(:" HEARTH_H16 "){6})$"},
    {"uri", "^[A-Za-z][A-Za-z0-9+.-]{0,31}:([A-Za-z0-9._~:/?#@!$&'()*+,;=-]|\\[|\\]"
            "|%[0-9A-Fa-f]{2})+$"},
    {"uri-reference", "^([A-Za-z0-9._~:/?#@!$&'()*+,;=-]|\\[|\\]|%[0-9A-Fa-f]{2})*$"},
    {"json-pointer", "^(/([^~/]|~[01])*)*$"},
}};

}  // namespace

std::string_view format_pattern(std::string_view format) {
  for (const auto& [name, pattern] : patterns) {
    if (name == format) return pattern;
  }
  return {};
}

}  // namespace hearth::chat
