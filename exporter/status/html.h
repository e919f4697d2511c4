// SPDX-License-Identifier: Apache-2.0
// HTML in the making. A literal is markup; whatever else is written is text, and escaped: so a
// node's name stays text, in an element as in a quoted attribute.
//
//   html << "<td title='" << node.name << "'>";
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace corosync_exporter {

class Html {
 public:
  template <std::size_t length>
  Html& operator<<(const char (&markup)[length]) {  // NOLINT(*-avoid-c-arrays): a literal's type
    markup_.append(markup, length - 1);
    return *this;
  }
  template <std::size_t length>
  Html& operator<<(char (&text)[length]) = delete;  // NOLINT(*-avoid-c-arrays): no literal

  Html& operator<<(std::string_view text);

  template <std::integral Number>
  Html& operator<<(Number number) {
    markup_ += std::to_string(number);
    return *this;
  }

  Html& operator<<(const Html& part) {
    markup_ += part.markup_;
    return *this;
  }

  [[nodiscard]] const std::string& markup() const { return markup_; }
  [[nodiscard]] bool empty() const { return markup_.empty(); }

 private:
  std::string markup_;
};

// `shell` with each {{hole}} filled by what `fill` has for its name. What goes in is not
// searched for holes itself.
template <class Fill>
std::string fill_holes(std::string_view shell, Fill fill) {
  std::string page;
  while (true) {
    const std::size_t begin = shell.find("{{");
    const std::size_t end = begin == std::string_view::npos ? begin : shell.find("}}", begin);
    page += shell.substr(0, end == std::string_view::npos ? end : begin);
    if (end == std::string_view::npos) {
      return page;
    }
    page += fill(shell.substr(begin + 2, end - begin - 2));
    shell.remove_prefix(end + 2);
  }
}

}  // namespace corosync_exporter
