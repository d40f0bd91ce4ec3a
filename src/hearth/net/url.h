#pragma once
// An http or https URL: where to connect and what to ask for. RFC 3986 as far as web servers need
// it; no user names, no passwords, and a fragment is dropped. A value; no I/O.

#include <string>
#include <string_view>

#include "hearth/base/result.h"
#include "hearth/net/address.h"

namespace hearth::net {

inline constexpr std::size_t url_bytes_max = 8 * 1024;

struct Url {
  Address address;
  std::string target = "/";  // path and query, percent-encoded, from '/' on

  std::string_view path() const;   // without the query
  std::string_view query() const;  // with its '?'; empty when there is none
  std::string text() const;
  // Without the query, which may carry a signature: for messages.
  std::string shown() const;
  bool operator==(const Url&) const = default;
};

// True for what parse_url takes: a model's name is neither.
bool is_url(std::string_view text);
// invalid_argument that says what was expected.
Result<Url> parse_url(std::string_view text);
// What a Location field of a reply from `base` means: another URL, or a path on the same server.
Result<Url> resolve_location(const Url& base, std::string_view location);
// The last segment of the path, percent-decoded: what a browser would call the download.
Result<std::string> file_name_of(const Url& url);
// The same folder, another file.
Url with_file_name(const Url& url, std::string_view file_name);

}  // namespace hearth::net
