// SPDX-License-Identifier: Apache-2.0
// Whatever cmap's keys and texts look like, what is taken from one stands in it.
#include <algorithm>
#include <string>

#include "corosync/cmap_keys.h"
#include "fuzz.h"

namespace corosync_exporter {
namespace {

constexpr std::string_view prefix = "nodelist.node.";

std::string without_leading_zeros(std::string_view digits) {
  const auto first = digits.find_first_not_of('0');
  return first == std::string_view::npos ? "0" : std::string{digits.substr(first)};
}

void check_key(std::string_view text, const NodelistKey& key) {
  require(!key.field.empty(), "a key has a field");
  require(text.starts_with(prefix), "a key is one of the nodelist");
  require(key.field.data() + key.field.size() == text.data() + text.size(),
          "the field is the end of the key");
  require(text.size() > prefix.size() + key.field.size() + 1, "a key has a position");
  const std::string_view middle =
      text.substr(prefix.size(), text.size() - prefix.size() - key.field.size());
  require(middle.ends_with('.'), "a dot parts position and field");
  const std::string_view digits = middle.substr(0, middle.size() - 1);
  require(std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }),
          "a position has only digits");
  require(without_leading_zeros(digits) == std::to_string(key.position),
          "the position is the key's");
}

void check_address(std::string_view text, std::string_view address) {
  require(!address.empty(), "an address is not empty");
  require(address.find(')') == std::string_view::npos, "an address ends at the first bracket");
  require(text.starts_with("r(0) ip(" + std::string{address} + ")"), "the address is link 0's");
}

}  // namespace
}  // namespace corosync_exporter

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace corosync_exporter;
  const std::string_view text = text_of(data, size);
  if (const auto key = parse_nodelist_key(text)) {
    check_key(text, *key);
  }
  if (const auto address = first_address(text)) {
    check_address(text, *address);
  }
  return 0;
}
